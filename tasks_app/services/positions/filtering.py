"""Filters on a batch: the rules of its devices, which fixes they keep out, and a record of each of those."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import connection

from tasks_app.geo.motion_rules import motion_rules
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, alarm_from, has_alarm
from tasks_app.models import FilterReason
from tasks_app.services.positions.batch import Batch, FilteredPart
from tasks_app.services.positions.columns import FixColumns
from tasks_app.services.positions.filter_rules import (
    DEFAULT_FILTERS,
    KEEP,
    REASONS,
    FilterPoint,
    FilterRules,
    Reasons,
    TrackFilter,
    jumps_from,
    marks_of,
    memory_of,
    resolve_rules,
)
from tasks_app.services.positions.rows import StoredFix, fixes_before, stored_already
from tasks_app.services.positions.senders import KnownDevice
from tasks_app.services.positions.states import State, before_arrays, from_microseconds

_NAMES = tuple(field.name for field in fields(FilterRules))
_SETTINGS = f"""
    SELECT fleet_id, device_id, {", ".join(_NAMES)} FROM tasks_app_filtersettings
    WHERE fleet_id = ANY(%s) OR device_id = ANY(%s)
"""  # noqa: S608 - field names of the class above
_ATTRIBUTES = "SELECT device_id, attributes FROM tasks_app_devicestate WHERE device_id = ANY(%s)"
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


def filters_of(devices: Sequence[KnownDevice]) -> list[FilterRules]:
    """The filters of each device: its own settings, then its fleet's, then the default."""
    if not any(device.has_filters for device in devices):
        return [DEFAULT_FILTERS] * len(devices)
    with connection.cursor() as cursor:
        cursor.execute(_SETTINGS, [list({device.fleet_id for device in devices}), [device.pk for device in devices]])
        rows = cursor.fetchall()
    of_fleet = {row[0]: dict(zip(_NAMES, row[2:], strict=True)) for row in rows if row[0] is not None}
    of_device = {row[1]: dict(zip(_NAMES, row[2:], strict=True)) for row in rows if row[1] is not None}
    return [resolve_rules(of_device.get(device.pk), of_fleet.get(device.fleet_id)) for device in devices]


def compared_reasons(batch: Batch) -> Reasons:
    """Reasons to drop fixes by comparison with the one kept before; updates `filter_memory` of the states.

    A late first row is compared with the stored fix before it. What is stored already stays in, so that a batch that
    comes twice is filtered as before.
    """
    columns = batch.columns
    reasons = np.full(len(columns), KEEP, dtype=np.int8)
    comparing = [number for number, rule in enumerate(batch.filters) if rule.compares]
    if not comparing:
        return reasons
    known_seconds = before_arrays(batch.states).times
    is_stored = _late_and_stored(columns, known_seconds)
    is_late = columns.times_seconds[columns.starts] <= known_seconds
    earlier = fixes_before(columns, np.array([number for number in comparing if is_late[number]], dtype=np.intp))
    attributes = _attributes_of(columns.device_pks.tolist())
    for number in comparing:
        device, state = batch.devices[number], batch.states[number]
        before = earlier.get(device.pk)
        track_filter = TrackFilter(
            batch.filters[number], motion_rules(device.kind), _seen_stored(before) if before else None
        )
        reasons_of_device = _follow(columns, number, track_filter, state, attributes.get(device.pk), is_stored)
        reasons[columns.device == number] = reasons_of_device
    return reasons


def record_filtered(parts: Sequence[FilteredPart]) -> list[tuple[int, int]]:
    """Keep the filtered fixes with their reason and count them; return (device, arrival in microseconds) of the new ones.

    A fix that was recorded before is not counted again, as long as it is among the newest ones that are kept.
    """
    rows = [row for part in parts for row in _rows(part)]
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
                pk, at = int(columns.device_pks[columns.device[row]]), from_microseconds(int(columns.times_us[row]))
                unlocated = alarm_from(unique_ids[pk], at, attributes)
                found.append((unlocated, from_microseconds(int(columns.received_us[row]))))
    return found


def count_by_reason(parts: Sequence[FilteredPart]) -> dict[str, int]:
    """How many fixes each filter kept out."""
    found = Counter(number for part in parts for number in part.reasons[part.reasons != KEEP].tolist())
    return {REASONS[number].value: count for number, count in sorted(found.items())}


def _follow(
    columns: FixColumns,
    number: int,
    track_filter: TrackFilter,
    state: State,
    attributes: dict[str, Any] | None,
    is_stored: npt.NDArray[np.bool_],
) -> list[int]:
    """Decide one device's rows. Those newer than its state go on from there, and from the jumps it remembers."""
    known = _seen_state(state, attributes)
    goes_on = known is None
    reasons = []
    for row, fix in _fixes(columns, number):
        if not goes_on and known is not None and fix.time_seconds > known.time_seconds:
            goes_on = True
            if track_filter.last is None or track_filter.last.time_seconds < known.time_seconds:
                track_filter = TrackFilter(
                    track_filter.rules, track_filter.motion, known, jumps_from(state.filter_memory)
                )
        if is_stored[row]:
            track_filter.keep(fix)
            reasons.append(KEEP)
        else:
            reason = track_filter.decide(fix)
            reasons.append(KEEP if reason is None else REASONS.index(reason))
    if goes_on:
        state.filter_memory = memory_of(track_filter.jumps)
    return reasons


def _fixes(columns: FixColumns, number: int) -> Iterator[tuple[int, FilterPoint]]:
    rows = np.flatnonzero(columns.device == number)
    chosen = (columns.times_seconds, columns.latitudes, columns.longitudes, columns.speeds)
    for row, *values in zip(rows.tolist(), *(one[rows].tolist() for one in chosen), strict=True):
        time_seconds, latitude, longitude, speed = values
        attributes = columns.attributes[row]
        speed_kph = None if speed != speed else speed
        has_alarm = attributes.get("alarm") is not None
        yield row, FilterPoint(time_seconds, latitude, longitude, speed_kph, marks_of(attributes), has_alarm)


def _late_and_stored(columns: FixColumns, known_seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    rows = np.flatnonzero(columns.times_seconds <= known_seconds[columns.device])
    is_stored = np.zeros(len(columns), dtype=np.bool_)
    if len(rows):
        is_stored[rows] = stored_already(columns, rows)
    return is_stored


def _attributes_of(device_ids: list[int]) -> dict[int, dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(_ATTRIBUTES, [device_ids])
        return {device_id: msgspec.json.decode(text) for device_id, text in cursor.fetchall() if text}


def _seen_state(state: State, attributes: dict[str, Any] | None) -> FilterPoint | None:
    if state.fix_time is None or state.latitude is None or state.longitude is None:
        return None
    return FilterPoint(
        state.fix_time.timestamp(), state.latitude, state.longitude, state.speed_kph, marks_of(attributes)
    )


def _seen_stored(fix: StoredFix) -> FilterPoint:
    return FilterPoint(fix.time_seconds, fix.latitude, fix.longitude, fix.speed_kph, marks_of(fix.attributes))


def _rows(part: FilteredPart) -> Iterator[dict[str, Any]]:
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
        yield {
            "device_id": int(columns.device_pks[columns.device[row]]),
            "fix_time": from_microseconds(int(columns.times_us[row])),
            "reason": REASONS[part.reasons[row]].value,
            "received_at": from_microseconds(int(columns.received_us[row])),
            "latitude": float(columns.latitudes[row]),
            "longitude": float(columns.longitudes[row]),
            "data": data,
        }


def _counts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    def key(row: dict[str, Any]) -> tuple[int, datetime, FilterReason]:
        return row["device_id"], row["received_at"].astimezone(UTC).date(), row["reason"]

    counts = sorted(Counter(map(key, rows)).items())
    return [
        {"device_id": device_id, "day": day, "reason": reason, "count": count}
        for (device_id, day, reason), count in counts
    ]
