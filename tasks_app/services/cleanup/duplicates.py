"""The same fix told twice: by two sources whose clocks or roundings differ a little.

Exactly equal ones cannot be stored (device and fix time are the key).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from tasks_app.engine import current_job
from tasks_app.models import Device, DeviceState, Position
from tasks_app.services.cleanup.near_duplicates import Neighbours, pick_near_duplicates
from tasks_app.services.cleanup.runs import BATCH_ROWS, run_exclusively
from tasks_app.services.partitions import list_partitions

TOLERANCE_METERS = 1.0
WITHIN = timedelta(seconds=1)
# What came in lately may still be in somebody's hands (derivation, a report being written).
SETTLED_AFTER = timedelta(hours=1)
LOOK_BACK_DAYS = 3
_DEVICES_AT_ONCE = 50
# A degree of latitude is at least 110.5 km: nothing nearer than the tolerance is missed by this.
_TOLERANCE_DEGREES = TOLERANCE_METERS / 110_500

_POSITIONS, _STATES = Position._meta.db_table, DeviceState._meta.db_table
_PAIRS = f"""
    SELECT f.device_id, previous_time, previous_latitude, previous_longitude, f.fix_time, f.latitude, f.longitude,
           EXISTS (SELECT FROM {_STATES} s WHERE s.device_id = f.device_id AND s.fix_time = f.fix_time)
    FROM (
        SELECT device_id, fix_time, latitude, longitude, lag(fix_time) OVER earlier AS previous_time,
               lag(latitude) OVER earlier AS previous_latitude, lag(longitude) OVER earlier AS previous_longitude
        FROM {_POSITIONS}
        WHERE device_id = ANY(%s) AND fix_time >= %s AND fix_time < %s AND received_at < %s
        WINDOW earlier AS (PARTITION BY device_id ORDER BY fix_time)
    ) f
    WHERE f.fix_time - previous_time < %s AND abs(f.latitude - previous_latitude) <= %s
    ORDER BY f.device_id, f.fix_time
"""  # noqa: S608 - constant table names
_DELETE = f"""
    DELETE FROM {_POSITIONS} p USING unnest(%s::bigint[], %s::timestamptz[]) AS d (device_id, fix_time)
    WHERE p.device_id = d.device_id AND p.fix_time = d.fix_time AND p.fix_time >= %s AND p.fix_time < %s
      AND NOT EXISTS (SELECT FROM {_STATES} s WHERE s.device_id = p.device_id AND s.fix_time = p.fix_time)
"""  # noqa: S608 - constant table names


def remove_duplicate_positions(*, now: datetime, dry_run: bool = False) -> dict[str, Any]:
    """Remove positions of the last LOOK_BACK_DAYS days that repeat one less than a second before, within a meter.

    A device's last known position survives. Returns rows, days, seconds. Raises JobCancelled.
    """
    return run_exclusively("duplicate_positions", lambda: _remove(now, dry_run))


def _remove(now: datetime, dry_run: bool) -> dict[str, Any]:
    first_day = (now - timedelta(days=LOOK_BACK_DAYS)).astimezone(UTC).date()
    days = [day for _name, day in list_partitions() if first_day <= day <= now.astimezone(UTC).date()]
    device_ids = list(Device.objects.order_by("pk").values_list("pk", flat=True))
    chunks = [device_ids[start : start + _DEVICES_AT_ONCE] for start in range(0, len(device_ids), _DEVICES_AT_ONCE)]
    work = [(day, chunk) for day in days for chunk in chunks]
    rows = 0
    for number, (day, chunk) in enumerate(work, start=1):
        current_job().raise_if_cancelled()
        rows += _remove_of_day(day, chunk, now, dry_run)
        current_job().progress(number, len(work), str(day))
    return {"dry_run": dry_run, "rows": rows, "days": len(days)}


def _remove_of_day(day: date, device_ids: list[int], now: datetime, dry_run: bool) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    until = start + timedelta(days=1)
    # From a second earlier, so that the first fix of the day meets the last of the day before.
    bounds: list[Any] = [device_ids, start - WITHIN, until, now - SETTLED_AFTER, WITHIN, _TOLERANCE_DEGREES]
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, bounds)
        pairs = [Neighbours(*row) for row in cursor.fetchall()]
    found = pick_near_duplicates(pairs, tolerance_meters=TOLERANCE_METERS, within=WITHIN)
    if dry_run:
        return len(found)
    batches = [found[first : first + BATCH_ROWS] for first in range(0, len(found), BATCH_ROWS)]
    return sum(_delete(batch, start - WITHIN, until) for batch in batches)


def _delete(batch: list[tuple[int, datetime]], start: datetime, until: datetime) -> int:
    current_job().raise_if_cancelled()
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [[key[0] for key in batch], [key[1] for key in batch], start, until])
        return int(cursor.rowcount)
