"""Computing the roll-ups of dirty days: claimed, computed under a lock of their device, written, and clean again.

1. Claim: `claimed_at` of some dirty days is set, and committed, so that a fix stored meanwhile can take the claim away
   without waiting for us (see DirtyDay).
2. Under an advisory lock of the device, so that of two computations the one that read later also writes later: read the
   fixes around the days, write the roll-ups, delete the dirty days that are still ours.

A neighbouring day is computed too where its figures may differ now: the way over midnight belongs to both days.
The odometer and the engine hours of the device move by what those of the days changed by, in the same transaction.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from tasks_app.geo.days import day_range, day_start
from tasks_app.geo.figures import FIGURE_NAMES, Figures, total
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.models import Device, DeviceDay, DirtyDay, Event, Position
from tasks_app.queries.device_days import most
from tasks_app.queries.drives import Drive, datetime_of, read_drive
from tasks_app.queries.positions import Track, single_fix
from tasks_app.queries.replica import PRIMARY, await_replica, reads_from
from tasks_app.services.devices.kept_days import LAST_FIX_NAMES, add_to_kept, free_spans, kept_rows, rows_around
from tasks_app.services.devices.odometer_moves import move_counters

logger = logging.getLogger(__name__)

# A day is computed this long after it became dirty, but not again for a while: today's gets dirty with every fix.
SETTLE = timedelta(minutes=1)
COMPUTE_EVERY = timedelta(minutes=10)
# Who claimed days and did not compute them for so long is dead.
CLAIM_LASTS = timedelta(minutes=15)
BATCH_DAYS = 500
# How many days of fixes are in memory at once.
DAYS_AT_ONCE = 8
_LOCK_SPACE = 0x44617973  # advisory locks of this module: "Days"


class _Change(NamedTuple):
    """By how much the roll-up of a day changed."""

    meters: float = 0.0
    engine_seconds: float = 0.0


_CLAIM = """
    UPDATE tasks_app_dirtyday SET claimed_at = clock_timestamp()
    WHERE id IN (SELECT id FROM tasks_app_dirtyday WHERE id = ANY(%s) ORDER BY device_id, day FOR UPDATE)
    RETURNING id
"""
_OTHERS = [
    "time_zone",
    "trip_count",
    "stop_count",
    "first_fix_at",
    *LAST_FIX_NAMES,
    "event_counts",
    "previous_fix_at",
    "next_fix_at",
    "is_settled",
    "computed_at",
]


def refresh_due_days(*, now: datetime, limit: int = BATCH_DAYS) -> dict[str, int]:
    """Compute the days that have been dirty for SETTLE, the oldest first; return {"days", "devices", "left"}.

    A day that was computed less than COMPUTE_EVERY before it became dirty waits that long, so that a device sending every
    second has its day computed once per COMPUTE_EVERY.
    """
    lately = DeviceDay.objects.filter(
        device=OuterRef("device"), day=OuterRef("day"), computed_at__gt=OuterRef("marked_at") - COMPUTE_EVERY
    )
    due = DirtyDay.objects.filter(~Exists(lately) | Q(marked_at__lte=now - COMPUTE_EVERY), marked_at__lte=now - SETTLE)
    free = due.filter(Q(claimed_at__isnull=True) | Q(claimed_at__lte=now - CLAIM_LASTS))
    ids = list(free.order_by("marked_at", "id").values_list("id", flat=True)[:limit])
    counts = {"days": 0, "devices": 0, "failed": 0}
    for device, dirty_days in _claim(ids):
        try:
            counts["days"] += _compute_device(device, dirty_days, now)
            counts["devices"] += 1
        except Exception:  # one device must not keep the others' days from being computed; its claim ends later
            logger.exception("The days of device %s could not be computed", device.pk)
            counts["failed"] += 1
    return {**counts, "left": due.count()}


def refresh_days(devices: Iterable[Device], first: date, last: date, *, now: datetime) -> int:
    """Compute dirty days of these devices from the day before `first` to the one after `last`; return their number.

    Call it before reading roll-ups of a range, so that they contain every fix stored by now, in the replica too where it
    is read.
    """
    near = Q(day__gte=first - timedelta(days=1), day__lte=last + timedelta(days=1))
    with reads_from(PRIMARY):
        dirty = DirtyDay.objects.filter(near, device__in=[device.pk for device in devices])
        claimed = _claim(list(dirty.values_list("id", flat=True)))
        count = sum(_compute_device(device, dirty_days, now) for device, dirty_days in claimed)
    # Also where nothing was dirty: another process may have computed them just now.
    await_replica()
    return count


def mark_all_days(devices: QuerySet[Device]) -> None:
    """Make every rolled-up day of these devices dirty whose fixes are all still stored: their zone or rules changed.

    The days beside them too, since another zone's midnight moves fixes from one day to the next.
    """
    for device in devices:
        oldest = Position.objects.filter(device=device).order_by("fix_time").values_list("fix_time", flat=True).first()
        if oldest is None:
            continue
        whole = set(DeviceDay.objects.filter(device=device, first_fix_at__gte=oldest).values_list("day", flat=True))
        days = {day + timedelta(days=offset) for day in whole for offset in (-1, 0, 1)}
        DirtyDay.objects.bulk_create([DirtyDay(device=device, day=day) for day in sorted(days)], ignore_conflicts=True)
        DirtyDay.objects.filter(device=device, day__in=days).update(claimed_at=None)


def _claim(dirty_ids: Sequence[int]) -> list[tuple[Device, list[DirtyDay]]]:
    """Claim these dirty days, also from other claims; by device."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [list(dirty_ids)])
        claimed = [row[0] for row in cursor.fetchall()]
    by_device: defaultdict[int, list[DirtyDay]] = defaultdict(list)
    for dirty in DirtyDay.objects.filter(pk__in=claimed, claimed_at__isnull=False):
        by_device[dirty.device_id].append(dirty)
    devices = Device.objects.select_related("fleet").in_bulk(by_device)
    return [(devices[pk], dirty_days) for pk, dirty_days in sorted(by_device.items()) if pk in devices]


def _compute_device(device: Device, dirty_days: Sequence[DirtyDay], now: datetime) -> int:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, device.pk % 2**31])
        days = sorted(dirty.day for dirty in dirty_days)
        changes = [change for part in _stretches(days) for change in _compute_days(device, part, now)]
        move_counters(
            device,
            meters=sum(change.meters for change in changes),
            engine_seconds=sum(change.engine_seconds for change in changes),
        )
        for dirty in dirty_days:
            DirtyDay.objects.filter(pk=dirty.pk, claimed_at=dirty.claimed_at).delete()
    return len(changes)


def _stretches(days: Sequence[date]) -> list[list[date]]:
    """Days in runs of at most DAYS_AT_ONCE that follow each other."""
    stretches: list[list[date]] = []
    for day in days:
        if stretches and day - stretches[-1][-1] == timedelta(days=1) and len(stretches[-1]) < DAYS_AT_ONCE:
            stretches[-1].append(day)
        else:
            stretches.append([day])
    return stretches


def _compute_days(device: Device, days: list[date], now: datetime) -> list[_Change]:
    """Compute consecutive days, and neighbours that change with them; return the change of each."""
    drive = _read(device, days)
    if len(days) > 1 and _lacks_fixes(device, days, drive):
        return [change for day in days for change in _compute_days(device, [day], now)]
    before, after = _fix_before(device, drive, drive.start), _fix_after(device, drive)
    changes = _write(device, days, drive, (before, after), now)
    for day in _stale_neighbours(device, days, drive, before, after):
        other = _read(device, [day])
        changes += _write(
            device, [day], other, (_fix_before(device, other, other.start), _fix_after(device, other)), now
        )
    return changes


def _read(device: Device, days: Sequence[date]) -> Drive:
    zone = device.fleet.zone
    start, end = day_start(days[0], zone), day_range(days[-1], zone)[1]
    drive = read_drive(device, start, end)
    row = _dropped_before(device, days[0], drive)
    return drive if row is None else read_drive(device, start, end, since=row.last_fix_at, led_by=_last_fix(row))


def _dropped_before(device: Device, first: date, drive: Drive) -> DeviceDay | None:
    """The roll-up of the day before `first` whose last fixes are stored no more. What is left before those (positions of
    events) leads nowhere: the way from there to here was driven in days that have their roll-ups."""
    row = DeviceDay.objects.filter(device=device, day__lt=first).order_by("-day").first()
    if row is None:
        return None
    before = _fix_before(device, drive, max(drive.start, row.last_fix_at + timedelta(microseconds=1)))
    is_left = before is not None and row.last_fix_at - before <= timedelta(seconds=MotionRules.max_gap_seconds)
    return None if is_left else row


def _last_fix(row: DeviceDay) -> Track | None:
    """The last fix of a day, from its roll-up; None where an earlier version wrote that."""
    if row.last_latitude is None or row.last_longitude is None:
        return None
    speed_kph, ignition = row.last_speed_kph, row.last_ignition
    return single_fix(
        row.last_fix_at.timestamp(),
        row.last_latitude,
        row.last_longitude,
        np.nan if speed_kph is None else speed_kph,
        np.nan if ignition is None else float(ignition),
    )


def _lacks_fixes(device: Device, days: Sequence[date], drive: Drive) -> bool:
    """Whether roll-ups of these days were made of more fixes than there are now."""
    spans = DeviceDay.objects.filter(device=device, day__in=days)
    known = list(spans.values_list("first_fix_at", "last_fix_at", "fix_count"))
    return any(len(_fixes_of(drive, first, last)) < count - 1 for first, last, count in known)


def _stale_neighbours(
    device: Device, days: Sequence[date], drive: Drive, before: datetime | None, after: datetime | None
) -> list[date]:
    """Neighbouring days whose roll-up was computed without the fixes of these days."""
    zone, stale = device.fleet.zone, []
    inside = _fixes_of(drive, drive.start, drive.end)
    known = DeviceDay.objects.filter(device=device)
    if before is not None and before.astimezone(zone).date() < days[0]:
        row = known.filter(day=before.astimezone(zone).date()).first()
        follows = datetime_of(inside[0]) if len(inside) else after
        if row is not None and (row.next_fix_at != follows or not row.is_settled):
            stale.append(row.day)
    if after is not None:
        row = known.filter(day=after.astimezone(zone).date()).first()
        precedes = datetime_of(inside[-1]) if len(inside) else before
        if row is not None and (row.previous_fix_at != precedes or _crosses(drive, drive.end)):
            stale.append(row.day)
    return stale


def _crosses(drive: Drive, at: datetime) -> bool:
    return any(trip.started_seconds < at.timestamp() < trip.ended_seconds for trip in drive.trips)


def _write(
    device: Device,
    days: Sequence[date],
    drive: Drive,
    around: tuple[datetime | None, datetime | None],
    now: datetime,
) -> list[_Change]:
    """Write the roll-ups of consecutive days; return the change of each."""
    zone = device.fleet.zone
    edges = [*(day_start(day, zone) for day in days), drive.end]
    known = rows_around(device, days)
    kept = kept_rows(device, known)
    rows, gone, changes = [], [], []
    for day, (start, end), found in zip(days, pairwise(edges), _figures(drive, edges, kept), strict=True):
        row, is_kept = known.get(day), day in kept
        in_same_zone = row is not None and row.time_zone == device.fleet.time_zone
        if row is not None and _stays(row, found, is_kept=is_kept, in_same_zone=in_same_zone):
            changes.append(_Change())
            continue
        counted = found if found.fix_count else Figures()
        changes.append(_change(Figures() if row is None or is_kept else row, counted))
        if found.fix_count:
            happened = _events(device, start, end)
            events = most(row.event_counts, happened) if row is not None and in_same_zone else happened
            spans = free_spans(start, end, kept.values())
            made = _row(device, day, drive, _Span(spans[0][0], spans[-1][1], *around), found, events, now)
            rows.append(add_to_kept(kept[day], made) if is_kept else made)
        elif row is not None:
            gone.append(day)
    DeviceDay.objects.filter(device=device, day__in=gone).delete()
    DeviceDay.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["device", "day"], update_fields=[*FIGURE_NAMES, *_OTHERS]
    )
    return changes


def _change(former: Figures | DeviceDay, found: Figures) -> _Change:
    return _Change(
        found.distance_meters - former.distance_meters,
        found.engine_seconds - former.engine_seconds,
    )


def _stays(row: DeviceDay, found: Figures, *, is_kept: bool, in_same_zone: bool) -> bool:
    """Whether a roll-up stays as it is: a kept one to which nothing is added, and one of more fixes than there are now, since
    positions were dropped, and what they said still holds."""
    if is_kept:
        return not found.fix_count
    return in_same_zone and found.fix_count < row.fix_count


def _figures(drive: Drive, edges: Sequence[datetime], kept: Mapping[date, DeviceDay]) -> list[Figures]:
    """The figures of each day, less the time that kept roll-ups hold."""
    if not kept:
        return drive.figures(edges)
    days = [free_spans(start, end, kept.values()) for start, end in pairwise(edges)]
    return [total(drive.figures(span)[0] for span in spans) for spans in days]


@dataclass(frozen=True, slots=True)
class _Span:
    """One day and the fixes known before and after the stretch of days it is in."""

    start: datetime
    end: datetime
    before: datetime | None
    after: datetime | None


def _row(
    device: Device, day: date, drive: Drive, span: _Span, figures: Figures, events: dict[str, int], now: datetime
) -> DeviceDay:
    fixes, times = drive.fixes, drive.fixes.times_seconds
    first, end = np.searchsorted(times, [span.start.timestamp(), span.end.timestamp()]).tolist()
    last, speed_kph, ignition = end - 1, float(fixes.speeds_kph[end - 1]), float(fixes.ignition[end - 1])
    return DeviceDay(
        device=device,
        day=day,
        time_zone=device.fleet.time_zone,
        **{name: getattr(figures, name) for name in FIGURE_NAMES},
        trip_count=drive.trips_started(span.start, span.end),
        stop_count=drive.stops_started(span.start, span.end),
        first_fix_at=datetime_of(times[first]),
        last_fix_at=datetime_of(times[last]),
        last_latitude=float(fixes.latitudes[last]),
        last_longitude=float(fixes.longitudes[last]),
        last_speed_kph=None if np.isnan(speed_kph) else speed_kph,
        last_ignition=None if np.isnan(ignition) else bool(ignition),
        previous_fix_at=datetime_of(times[first - 1]) if first else span.before,
        next_fix_at=datetime_of(times[end]) if end < len(times) else span.after,
        event_counts=events,
        is_settled=drive.is_settled,
        computed_at=now,
    )


def _events(device: Device, start: datetime, end: datetime) -> dict[str, int]:
    found = Event.objects.filter(device=device, occurred_at__gte=start, occurred_at__lt=end)
    return dict(Counter(found.values_list("kind", flat=True)))


def _fixes_of(drive: Drive, start: datetime, end: datetime) -> Any:
    times = drive.fixes.times_seconds
    return times[np.searchsorted(times, start.timestamp()) : np.searchsorted(times, end.timestamp())]


def _fix_before(device: Device, drive: Drive, at: datetime) -> datetime | None:
    """The last fix before the start of the drive's days, or a time in them."""
    times = drive.fixes.times_seconds
    if place := int(np.searchsorted(times, at.timestamp())):
        return datetime_of(times[place - 1])
    found = Position.objects.filter(device=device, fix_time__lt=at).order_by("-fix_time")
    return found.values_list("fix_time", flat=True).first()


def _fix_after(device: Device, drive: Drive) -> datetime | None:
    """The first fix after the drive's days."""
    times = drive.fixes.times_seconds
    place = int(np.searchsorted(times, drive.end.timestamp()))
    if place < len(times):
        return datetime_of(times[place])
    found = Position.objects.filter(device=device, fix_time__gte=drive.end).order_by("fix_time")
    return found.values_list("fix_time", flat=True).first()
