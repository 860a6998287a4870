"""Roll-ups of another time zone that hold fixes which are stored no more: their time cannot be computed anew.

They stay as they are, under the day they had. Of the time that they hold nothing is computed a second time; what a day of
the zone now has beyond it is computed, and added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from tasks_app.geo.days import day_range
from tasks_app.geo.figures import FIGURE_NAMES, Figures, total
from tasks_app.models import Device, DeviceDay, Position

Span = tuple[datetime, datetime]

LAST_FIX_NAMES = ("last_fix_at", "last_latitude", "last_longitude", "last_speed_kph", "last_ignition")
# Midnights of two zones are up to 26 hours apart.
_AROUND = timedelta(days=2)
_INSTANT = timedelta(microseconds=1)
# With fewer of its fixes stored a roll-up is kept. Near duplicates, which are removed, change none of its figures.
_PERCENT_STORED = 99


def rows_around(device: Device, days: Sequence[date]) -> dict[date, DeviceDay]:
    """Return the roll-ups of these consecutive days and of those beside them, by day."""
    rows = DeviceDay.objects.filter(device=device, day__gte=days[0] - _AROUND, day__lte=days[-1] + _AROUND)
    return {row.day: row for row in rows}


def kept_rows(device: Device, rows: Mapping[date, DeviceDay]) -> dict[date, DeviceDay]:
    """Return those of the roll-ups that are to be kept."""
    return {day: row for day, row in rows.items() if _is_of_another_zone(row, device) and _is_kept(row)}


def free_spans(start: datetime, end: datetime, kept: Iterable[DeviceDay]) -> list[Span]:
    """Return the parts of `[start, end)` that no kept roll-up holds."""
    spans: list[Span] = []
    for row in sorted(kept, key=lambda row: row.first_fix_at):
        if start < row.first_fix_at < end:
            spans.append((start, row.first_fix_at))
        start = max(start, row.last_fix_at + _INSTANT)
    return [*spans, (start, end)] if start < end else spans


def add_to_kept(kept: DeviceDay, more: DeviceDay) -> DeviceDay:
    """Add to a kept roll-up what is new of its day."""
    figures = total(Figures(**{name: getattr(row, name) for name in FIGURE_NAMES}) for row in (kept, more))
    for name in FIGURE_NAMES:
        setattr(kept, name, getattr(figures, name))
    kept.trip_count += more.trip_count
    kept.stop_count += more.stop_count
    kept.first_fix_at = min(kept.first_fix_at, more.first_fix_at)
    if more.last_fix_at > kept.last_fix_at:
        for name in LAST_FIX_NAMES:
            setattr(kept, name, getattr(more, name))
    kept.next_fix_at, kept.is_settled, kept.computed_at = more.next_fix_at, more.is_settled, more.computed_at
    return kept


def _is_of_another_zone(row: DeviceDay, device: Device) -> bool:
    """Whether the row was made in another zone, or added to in one."""
    start, end = day_range(row.day, device.fleet.zone)
    return row.time_zone != device.fleet.time_zone or not start <= row.first_fix_at <= row.last_fix_at < end


def _is_kept(row: DeviceDay) -> bool:
    stored = Position.objects.filter(device=row.device_id, fix_time__range=(row.first_fix_at, row.last_fix_at))
    return stored.count() * 100 < row.fix_count * _PERCENT_STORED
