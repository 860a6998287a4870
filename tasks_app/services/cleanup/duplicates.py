"""Clean-up of near duplicates, from two sources whose clocks or roundings differ, and optionally of fixes while standing.

Exactly equal ones cannot be stored (device and fix time are the key).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from tasks_app.engine import current_job
from tasks_app.models import Device, DeviceState, Event, Position
from tasks_app.queries.retention import retention_settings
from tasks_app.services.cleanup.near_duplicates import Neighbours, pick_near_duplicates
from tasks_app.services.cleanup.runs import BATCH_ROWS, InvalidLimit, Run, bytes_per_row, run_exclusively
from tasks_app.services.partitions import list_partitions

# What came in lately may still be in use (derivation, a report being written).
SETTLED_AFTER = timedelta(hours=1)
LOOK_BACK_DAYS = 3
# A receiver that stands still wanders about so far, and calls it no more than so fast.
STANDING_METERS = 25.0
STANDING_KPH = 2.0
_DEVICES_AT_ONCE = 20

_POSITIONS, _STATES, _EVENTS = Position._meta.db_table, DeviceState._meta.db_table, Event._meta.db_table
_IS_REFERENCED = f"""(
    EXISTS (SELECT FROM {_STATES} s WHERE s.device_id = p.device_id AND s.fix_time = p.fix_time)
    OR EXISTS (SELECT FROM {_EVENTS} e WHERE e.device_id = p.device_id AND e.occurred_at = p.fix_time)
)"""  # noqa: S608 - constant table names, here and below
# Where none was sent, as on a plane: the way is short.
_DERIVED_KPH = """400302 * sqrt((p.latitude - previous_latitude) ^ 2
        + (least(abs(p.longitude - previous_longitude), 360 - abs(p.longitude - previous_longitude)) * cosd(p.latitude)) ^ 2
    ) / extract(epoch FROM p.fix_time - previous_time)"""
_PAIRS = f"""
    SELECT p.device_id, previous_time, previous_latitude, previous_longitude, p.fix_time, p.latitude, p.longitude,
           {_IS_REFERENCED}
    FROM (
        SELECT device_id, fix_time, latitude, longitude, speed_kph, attributes ->> 'ignition' AS ignition,
               attributes ->> 'alarm' AS alarm, lag(fix_time) OVER earlier AS previous_time,
               lag(latitude) OVER earlier AS previous_latitude, lag(longitude) OVER earlier AS previous_longitude,
               lag(attributes ->> 'ignition') OVER earlier AS previous_ignition
        FROM {_POSITIONS}
        WHERE device_id = ANY(%(devices)s) AND fix_time >= %(start)s AND fix_time < %(end)s
          AND received_at < %(settled)s
        WINDOW earlier AS (PARTITION BY device_id ORDER BY fix_time)
    ) p
    WHERE p.fix_time - previous_time < %(within)s AND abs(p.latitude - previous_latitude) <= %(degrees)s
      AND (%(kph)s IS NULL OR (coalesce(p.speed_kph, {_DERIVED_KPH}) <= %(kph)s AND p.alarm IS NULL
                               AND p.ignition IS NOT DISTINCT FROM previous_ignition))
    ORDER BY p.device_id, p.fix_time
"""  # noqa: S608
_DELETE = f"""
    DELETE FROM {_POSITIONS} p USING unnest(%s::bigint[], %s::timestamptz[]) AS d (device_id, fix_time)
    WHERE p.device_id = d.device_id AND p.fix_time = d.fix_time AND p.fix_time >= %s AND p.fix_time < %s
      AND NOT {_IS_REFERENCED}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class DuplicateCriteria:
    """A position is a duplicate within so many meters and less than so long after one that stays."""

    meters: float
    within: timedelta
    # Of fixes no faster than this, whose ignition did not change; None: of all.
    standing_kph: float | None = None

    @property
    def degrees(self) -> float:
        """A degree of latitude is at least 110.5 km: nothing nearer than the meters is missed by this."""
        return self.meters / 110_500


def duplicate_criteria() -> list[DuplicateCriteria]:
    """The criteria of the settings: near duplicates and, where it is switched on, standing devices."""
    configured = retention_settings()
    meters, seconds = configured.duplicate_meters, configured.duplicate_seconds
    found = [
        DuplicateCriteria(
            settings.DUPLICATE_POSITION_METERS if meters is None else meters,
            timedelta(seconds=settings.DUPLICATE_POSITION_SECONDS if seconds is None else seconds),
        )
    ]
    if configured.thin_standing_seconds:
        found.append(
            DuplicateCriteria(STANDING_METERS, timedelta(seconds=configured.thin_standing_seconds), STANDING_KPH)
        )
    return found


def remove_duplicate_positions(
    *, now: datetime, device_id: int | None = None, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove positions of the last LOOK_BACK_DAYS days that repeat one just before at the same place.

    A device's last known position and those of events survive. Returns days and the figures of the run. Raises
    InvalidLimit for an unknown device, JobCancelled.
    """
    device_ids = list(Device.objects.order_by("pk").values_list("pk", flat=True))
    if device_id is not None:
        if device_id not in device_ids:
            raise InvalidLimit(_("There is no device %(id)s.") % {"id": device_id})
        device_ids = [device_id]

    def work(run: Run) -> dict[str, Any]:
        return _remove(run, now, device_ids)

    return run_exclusively("duplicate_positions", work, dry_run=dry_run, max_seconds=max_seconds)


def _remove(run: Run, now: datetime, device_ids: list[int]) -> dict[str, Any]:
    first_day = (now - timedelta(days=LOOK_BACK_DAYS)).astimezone(UTC).date()
    days = [(name, day) for name, day in list_partitions() if first_day <= day <= now.astimezone(UTC).date()]
    chunks = [device_ids[start : start + _DEVICES_AT_ONCE] for start in range(0, len(device_ids), _DEVICES_AT_ONCE)]
    configured = duplicate_criteria()
    work = [(name, day, chunk, criteria) for name, day in days for chunk in chunks for criteria in configured]
    run.add(_POSITIONS, 0)
    for number, (name, day, chunk, criteria) in enumerate(work, start=1):
        if not run.has_time():
            break
        rows = _remove_of_day(day, chunk, now, criteria, run)
        run.add(_POSITIONS, rows, int(rows * bytes_per_row(name)) if rows else 0)
        current_job().progress(number, len(work), str(day))
    return {"days": len(days)}


def _remove_of_day(day: date, device_ids: list[int], now: datetime, criteria: DuplicateCriteria, run: Run) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    until = start + timedelta(days=1)
    values: dict[str, Any] = {
        "devices": device_ids,
        # From a little earlier, so that the first fix of the day meets the last of the day before.
        "start": start - criteria.within,
        "end": until,
        "settled": now - SETTLED_AFTER,
        "within": criteria.within,
        "degrees": criteria.degrees,
        "kph": criteria.standing_kph,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, values)
        pairs = [Neighbours(*row) for row in cursor.fetchall()]
    found = pick_near_duplicates(
        pairs, tolerance_meters=criteria.meters, within=criteria.within, keeps_last=criteria.standing_kph is not None
    )
    if run.dry_run:
        return len(found)
    batches = [found[first : first + BATCH_ROWS] for first in range(0, len(found), BATCH_ROWS)]
    return sum(_delete(batch, start - criteria.within, until) for batch in batches if run.has_time())


def _delete(batch: list[tuple[int, datetime]], start: datetime, until: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, [[key[0] for key in batch], [key[1] for key in batch], start, until])
        return int(cursor.rowcount)
