"""A record of the fixes that filters kept out of a batch: each with its reason, counts of them, and their alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from django.conf import settings
from django.db import connection

from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, alarm_from, has_alarm
from tasks_app.models import FilterReason
from tasks_app.services.positions.batch import FilteredPart
from tasks_app.services.positions.columns import EPOCH
from tasks_app.services.positions.filter_rules import KEEP, REASONS
from tasks_app.services.positions.senders import KnownDevice

_RECORD = """
    INSERT INTO tasks_app_filteredfix (device_id, fix_time, reason, received_at, latitude, longitude, data)
    SELECT device_id, fix_time, reason, received_at, latitude, longitude, data
    FROM json_populate_recordset(NULL::tasks_app_filteredfix, %s)
    ON CONFLICT DO NOTHING RETURNING device_id, fix_time
"""
_COUNT = """
    INSERT INTO tasks_app_filtercount AS f (device_id, day, reason, count)
    SELECT device_id, day, reason, count FROM json_populate_recordset(NULL::tasks_app_filtercount, %s)
    ON CONFLICT (device_id, day, reason) DO UPDATE SET count = f.count + excluded.count
"""
_FORGET_OLDEST = """
    DELETE FROM tasks_app_filteredfix f USING unnest(%s::bigint[]) d(id), LATERAL (
        SELECT o.id FROM tasks_app_filteredfix o WHERE o.device_id = d.id ORDER BY o.id DESC OFFSET %s LIMIT 1
    ) edge
    WHERE f.device_id = d.id AND f.id <= edge.id
"""


def record_filtered(parts: Sequence[FilteredPart]) -> list[tuple[int, int]]:
    """Keep the filtered fixes with their reason and count them; return (device, arrival in microseconds) of the new ones.

    A fix that was recorded before is not counted again, as long as it is among the newest ones that are kept.
    """
    # Job by job, as each would have been recorded alone: the oldest are forgotten first.
    numbered = sorted((one for part in parts for one in _rows(part)), key=itemgetter(0))
    rows = [row for _, row in numbered]
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [msgspec.json.encode(rows).decode()])
        recorded = set(cursor.fetchall())
        new = [row for row in rows if (row["device_id"], row["fix_time"]) in recorded]
        if new:
            cursor.execute(_COUNT, [msgspec.json.encode(_counts(new)).decode()])
            devices = sorted({row["device_id"] for row in new})
            cursor.execute(_FORGET_OLDEST, [devices, settings.FILTERED_FIXES_KEPT])
    return [(row["device_id"], round(row["received_at"].timestamp() * 1e6)) for row in new]


def alarms_of_filtered(
    parts: Sequence[FilteredPart], devices: Sequence[KnownDevice]
) -> list[tuple[UnlocatedAlarm, datetime]]:
    """Alarms of filtered fixes with their arrival: an alarm counts also where its place does not."""
    unique_ids = {device.pk: device.unique_id for device in devices}
    found = []
    for part in parts:
        columns = part.columns
        for row in part.rows:
            if has_alarm(attributes := columns.attributes[row]):
                pk = int(columns.device_pks[columns.device[row]])
                sent_at = EPOCH + timedelta(microseconds=int(columns.times_us[row]))
                received_at = EPOCH + timedelta(microseconds=int(columns.received_us[row]))
                found.append((alarm_from(unique_ids[pk], sent_at, attributes), received_at))
    return found


def count_by_reason(parts: Sequence[FilteredPart]) -> dict[int, dict[str, int]]:
    """How many fixes of each job each filter kept out; by the job's number, where there are any."""
    found: Counter[tuple[int, int]] = Counter()
    for part in parts:
        out = part.reasons != KEEP
        found.update(zip(part.columns.jobs[out].tolist(), part.reasons[out].tolist(), strict=True))
    counts: dict[int, dict[str, int]] = {}
    for (job, number), count in sorted(found.items()):
        counts.setdefault(job, {})[REASONS[number].value] = count
    return counts


def _rows(part: FilteredPart) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each filtered fix as a row, with the number of its job."""
    columns = part.columns
    for row in part.rows:
        sent = {
            "altitude_meters": columns.altitudes[row],
            "speed_kph": columns.speeds[row],
            "course_degrees": columns.courses[row],
            "accuracy_meters": columns.accuracies[row],
        }
        data: dict[str, Any] = {name: float(value) for name, value in sent.items() if not np.isnan(value)}
        if columns.attributes[row]:
            data["attributes"] = columns.attributes[row]
        yield (
            int(columns.jobs[row]),
            {
                "device_id": int(columns.device_pks[columns.device[row]]),
                "fix_time": EPOCH + timedelta(microseconds=int(columns.times_us[row])),
                "reason": REASONS[part.reasons[row]].value,
                "received_at": EPOCH + timedelta(microseconds=int(columns.received_us[row])),
                "latitude": float(columns.latitudes[row]),
                "longitude": float(columns.longitudes[row]),
                "data": data,
            },
        )


def _counts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    def key(row: dict[str, Any]) -> tuple[int, datetime, FilterReason]:
        return row["device_id"], row["received_at"].astimezone(UTC).date(), row["reason"]

    counts = sorted(Counter(map(key, rows)).items())
    return [
        {"device_id": device_id, "day": day, "reason": reason, "count": count}
        for (device_id, day, reason), count in counts
    ]
