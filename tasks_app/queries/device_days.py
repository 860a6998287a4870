"""Figures of devices per local day, from roll-ups wherever a whole day is asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Sum

from tasks_app.geo.days import DayPart, day_range, day_start, is_whole_day
from tasks_app.geo.figures import FIGURE_NAMES, Figures
from tasks_app.models import Device, DeviceDay, DeviceState, Event, Position
from tasks_app.queries.drives import Drive, datetime_of, read_drive
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
# How many days of positions are in memory at once.
PARTS_AT_ONCE = 8
# One on which the clocks go forward.
_SHORTEST_DAY = timedelta(hours=23)


def day_totals(
    devices: Sequence[Device], days: Sequence[DayPart], *, now: datetime
) -> Iterator[tuple[Device, list[DayTotals]]]:
    """The totals of each device (with its fleet loaded) for each of the consecutive day parts; zeros where it was silent.

    A part that is a whole day of the device's zone, or today so far, comes from its roll-up, others from positions; of a
    whole day of another zone whose positions are gone, from the roll-up of that date, too.
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
        found: list[DayTotals] = []
        for is_whole, group in groupby(zip(whole_by_zone[name], days, strict=True), key=itemgetter(0)):
            parts = [part for _is_whole, part in group]
            if is_whole:
                keys = [(device.pk, part[0]) for part in parts]
                found += [_of_day(rows.get(key), events.get(key), name) for key in keys]
            else:
                for first in range(0, len(parts), PARTS_AT_ONCE):
                    few = parts[first : first + PARTS_AT_ONCE]
                    computed = zip(few, parts_totals(device, few), strict=True)
                    found += [_or_kept(device, part, each, rows.get((device.pk, part[0]))) for part, each in computed]
        yield device, found


def part_totals(device: Device, part: DayPart) -> DayTotals:
    """The totals of any stretch of time, from positions and events."""
    return parts_totals(device, [part])[0]


def parts_totals(device: Device, parts: Sequence[DayPart]) -> list[DayTotals]:
    """The same of consecutive stretches, in one read of the positions."""
    edges = [parts[0][1], *(end for _day, _start, end in parts)]
    drive = read_drive(device, edges[0], edges[-1])
    events = [Counter[str]() for _ in parts]
    happened = Event.objects.filter(device=device, occurred_at__gte=edges[0], occurred_at__lt=edges[-1])
    for kind, at in happened.values_list("kind", "occurred_at"):
        events[bisect_right(edges, at) - 1][kind] += 1
    spans = zip(pairwise(edges), drive.figures(edges), events, strict=True)
    return [_of_part(drive, start, end, figures, counted) for (start, end), figures, counted in spans]


def _of_part(drive: Drive, start: datetime, end: datetime, figures: Figures, events: Mapping[str, int]) -> DayTotals:
    times = drive.fixes.times_seconds
    times = times[(times >= start.timestamp()) & (times < end.timestamp())]
    return DayTotals(
        figures=figures,
        trips=drive.trips_started(start, end),
        stops=drive.stops_started(start, end),
        first_fix_at=datetime_of(times[0]) if len(times) else None,
        last_fix_at=datetime_of(times[-1]) if len(times) else None,
        events=events,
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


def _or_kept(device: Device, part: DayPart, computed: DayTotals, row: tuple[Any, ...] | None) -> DayTotals:
    """The totals of a part, but of a day of another zone whose positions are gone its roll-up, by the device's own
    midnights: all that is known of it."""
    day, start, end = part
    if row is None or computed.first_fix_at is not None or end - start < _SHORTEST_DAY:
        return computed
    kept = _of_day(row, None, device.fleet.time_zone)
    own_start, own_end = day_range(day, device.fleet.zone)
    if (
        not kept.figures.fix_count
        or Position.objects.filter(device=device, fix_time__gte=own_start, fix_time__lt=own_end).exists()
    ):
        return computed
    return replace(kept, events=computed.events or kept.events)


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
