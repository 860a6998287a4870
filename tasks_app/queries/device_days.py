"""Figures of devices per local day, from roll-ups wherever a whole day is asked for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Sum

from tasks_app.geo.days import DayPart, day_range, day_start, is_whole_day
from tasks_app.geo.figures import FIGURE_NAMES, Figures
from tasks_app.models import Device, DeviceDay, DeviceState, Event
from tasks_app.queries.drives import datetime_of, read_drive
from tasks_app.queries.replica import reading_connection
from tasks_app.queries.streaming import streamed

_FIELDS = (
    "device_id",
    "day",
    *FIGURE_NAMES,
    "trip_count",
    "stop_count",
    "first_fix_at",
    "last_fix_at",
    "event_counts",
    "time_zone",
)
_FIGURES = slice(2, 2 + len(FIGURE_NAMES))
# By the edges of the days: PostgreSQL takes the name of a zone like CET for that of its winter time.
_EVENTS = """
    SELECT device_id, width_bucket(occurred_at, %s::timestamptz[]) - 1, kind, count(*)
    FROM tasks_app_event
    WHERE device_id = ANY(%s) AND occurred_at >= %s AND occurred_at < %s
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class DayTotals:
    """Figures of a device for one day, or a part of it. Trips and stops count where they started."""

    figures: Figures = field(default_factory=Figures)
    trips: int = 0
    stops: int = 0
    first_fix_at: datetime | None = None
    last_fix_at: datetime | None = None
    events: Mapping[str, int] = field(default_factory=dict)


NOTHING = DayTotals()


def day_totals(
    devices: Sequence[Device], days: Sequence[DayPart], *, now: datetime
) -> Iterator[tuple[Device, list[DayTotals]]]:
    """The totals of each device (with its fleet loaded) for each of the consecutive day parts; zeros where it was silent.

    A part that is a whole day of the device's zone, or today so far, comes from its roll-up, others from positions.
    Roll-ups are only as fresh as `services.devices.days.refresh_days` left them: call it before. Events are counted anew
    where that finds more than the roll-up knows: old ones are dropped, new ones need no new fix.
    """
    rows = _rolled_up(devices, days)
    events = _event_counts(devices, days)
    whole_by_zone: dict[str, list[bool]] = {}
    for device in devices:
        name = device.fleet.time_zone
        if name not in whole_by_zone:
            whole_by_zone[name] = [is_whole_day(part, device.fleet.zone, now) for part in days]
        found = [
            _of_day(rows.get((device.pk, part[0])), events.get((device.pk, part[0])), name)
            if is_whole
            else part_totals(device, part)
            for part, is_whole in zip(days, whole_by_zone[name], strict=True)
        ]
        yield device, found


def part_totals(device: Device, part: DayPart) -> DayTotals:
    """The totals of any stretch of time, from positions and events."""
    _day, start, end = part
    drive = read_drive(device, start, end)
    times = drive.fixes.times_seconds
    times = times[(times >= start.timestamp()) & (times < end.timestamp())]
    kinds = Event.objects.filter(device=device, occurred_at__gte=start, occurred_at__lt=end).values_list("kind")
    return DayTotals(
        figures=drive.figures([start, end])[0],
        trips=drive.trips_started(start, end),
        stops=drive.stops_started(start, end),
        first_fix_at=datetime_of(times[0]) if len(times) else None,
        last_fix_at=datetime_of(times[-1]) if len(times) else None,
        events=Counter(kind for (kind,) in kinds),
    )


def most(*counts: Mapping[str, int]) -> dict[str, int]:
    """By key, the highest of several counts."""
    return {
        kind: max(each.get(kind, 0) for each in counts) for kind in sorted({kind for each in counts for kind in each})
    }


def odometer_at(device: Device, at: datetime) -> float | None:
    """The odometer in meters at `at`: its newest reading less the way made since, by the roll-ups of whole days.

    None for a device never seen.
    """
    state = DeviceState.objects.filter(device=device, fix_time__isnull=False).first()
    if state is None or state.fix_time is None:
        return None
    if state.fix_time <= at:
        return state.odometer_meters
    day = at.astimezone(device.fleet.zone).date()
    start, end = day_range(day, device.fleet.zone)
    # A whole day has a roll-up, also where its positions are gone.
    is_cut = start < at < end
    days = DeviceDay.objects.filter(device=device, **{"day__gt" if is_cut else "day__gte": day})
    later = days.aggregate(meters=Sum("distance_meters"))["meters"] or 0.0
    rest = read_drive(device, at, end).figures([at, end])[0].distance_meters if is_cut else 0.0
    return max(0.0, state.odometer_meters - later - rest)


def _rolled_up(devices: Iterable[Device], days: Sequence[DayPart]) -> dict[tuple[int, date], tuple[Any, ...]]:
    rows = DeviceDay.objects.filter(device__in=[device.pk for device in devices])
    rows = rows.filter(day__gte=days[0][0], day__lte=days[-1][0]).order_by()
    return {(row[0], row[1]): row for row in streamed(rows.values_list(*_FIELDS), chunk_rows=10_000)}


def _event_counts(devices: Iterable[Device], days: Sequence[DayPart]) -> dict[tuple[int, date], dict[str, int]]:
    """Events by (device, local day of its fleet) and kind."""
    by_zone: defaultdict[ZoneInfo, list[int]] = defaultdict(list)
    for device in devices:
        by_zone[device.fleet.zone].append(device.pk)
    found: dict[tuple[int, date], dict[str, int]] = {}
    for zone, device_ids in by_zone.items():
        edges = [*(day_start(day, zone) for day, _start, _end in days), day_range(days[-1][0], zone)[1]]
        with reading_connection().cursor() as cursor:
            cursor.execute(_EVENTS, [edges[:-1], device_ids, edges[0], edges[-1]])
            rows = cursor.fetchall()
        groups = groupby(rows, key=lambda row: (row[0], days[row[1]][0]))
        found |= {key: {row[2]: row[3] for row in group} for key, group in groups}
    return found


def _of_day(row: tuple[Any, ...] | None, counted: dict[str, int] | None, zone_name: str) -> DayTotals:
    if row is None:
        return NOTHING if counted is None else DayTotals(events=counted)
    *_, trips, stops, first_fix_at, last_fix_at, stored, zone_of_row = row
    # The count of a roll-up that was kept in another zone is that of other midnights: it would be added to that of these.
    events = stored if counted is None else counted if zone_of_row != zone_name else most(stored, counted)
    return DayTotals(Figures(*row[_FIGURES]), trips, stops, first_fix_at, last_fix_at, events)
