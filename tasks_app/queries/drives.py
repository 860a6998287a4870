"""Trips, stops and figures of a range, read widely enough not to depend on the range's borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasks_app.geo.figures import Columns, Figures, figures_of_parts
from tasks_app.geo.motion import Stop, Timeline, Trip, timeline
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.geo.steps import NEIGHBOURS, Steps, read_steps
from tasks_app.models import Device, Position
from tasks_app.queries.positions import Track, joined, track

# How far beyond a range is read at first, and how much farther each time that was not far enough.
FIRST_MARGIN = timedelta(days=1)
WIDER_FACTOR = 4
# No device was there before, and no fix comes from after.
BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Drive:
    """Fixes of a device around `[start, end)`, and its trips and stops that touch it, whole.

    `steps` are those of `fixes`, made with the rules of the device's kind; the places in trips and stops are of `fixes`.
    `is_settled` says that later fixes cannot change any of it, unless they come late.
    """

    start: datetime
    end: datetime
    fixes: Track
    steps: Steps
    trips: list[Trip]
    stops: list[Stop]
    is_settled: bool

    def figures(self, edges: Sequence[datetime]) -> list[Figures]:
        """Figures between each edge and the next."""
        seconds = [edge.timestamp() for edge in edges]
        return figures_of_parts(columns_of(self.fixes), self.steps, seconds)

    def trips_started(self, start: datetime, end: datetime) -> int:
        """How many trips started in `[start, end)`: each trip counts in one day only."""
        return sum(start.timestamp() <= trip.started_seconds < end.timestamp() for trip in self.trips)

    def stops_started(self, start: datetime, end: datetime) -> int:
        """How many stops started in `[start, end)`."""
        return sum(start.timestamp() <= stop.started_seconds < end.timestamp() for stop in self.stops)


def read_drive(
    device: Device, start: datetime, end: datetime, *, since: datetime = BEGINNING, led_by: Track | None = None
) -> Drive:
    """Read the device's fixes around `[start, end)`: as far to either side as it takes for the trips and stops that touch
    the range to be the same whatever range is asked (see `geo.motion.timeline`), however long they are. Fixes before
    `since` are as if they were not there; those of `led_by`, which are stored no more, as if they were."""
    before, after, is_first, is_last = FIRST_MARGIN, FIRST_MARGIN, False, False
    if led_by is not None:
        before = start - since
    while True:
        low, high = max(since, _minus(start, before)), _plus(end, after)
        stored = track(device.pk, low, high)
        fixes = stored if led_by is None else joined(led_by, stored)
        steps = steps_of(fixes, device)
        found = _timeline(steps, is_first, is_last)
        early, late = found.certain_from_seconds > start.timestamp(), found.certain_to_seconds < end.timestamp()
        is_first = is_first or (early and not _has_fix(device.pk, since, low))
        is_last = is_last or (late and not _has_fix(device.pk, high, END))
        if (is_first or not early) and (is_last or not late):
            break
        before *= WIDER_FACTOR if early and not is_first else 1
        after *= WIDER_FACTOR if late and not is_last else 1
    found = _timeline(steps, is_first, is_last)
    trips = [trip for trip in found.trips if _touches(trip, start, end)]
    stops = [stop for stop in found.stops if _touches(stop, start, end)]
    return Drive(start, end, fixes, steps, trips, stops, is_settled=not is_last)


def context_of(device_id: int, start: datetime, end: datetime, rules: MotionRules) -> tuple[datetime, datetime]:
    """A wider range, whose fixes suffice to tell of each step within `[start, end)` what the whole track tells."""
    around = timedelta(seconds=rules.reach_seconds)
    fixes = Position.objects.filter(device_id=device_id)
    before = fixes.filter(fix_time__lt=start - around).order_by("-fix_time").values_list("fix_time", flat=True)
    after = fixes.filter(fix_time__gt=end + around).order_by("fix_time").values_list("fix_time", flat=True)
    low = min([start - around, *before[:NEIGHBOURS]])
    return low, max([end + around, *after[:NEIGHBOURS]]) + timedelta(microseconds=1)


def steps_of(fixes: Track, device: Device) -> Steps:
    """The steps of a device's fixes, by the rules of its kind."""
    columns = (fixes.times_seconds, fixes.latitudes, fixes.longitudes, fixes.speeds_kph)
    return read_steps(*columns, rules=motion_rules(device.kind))


def columns_of(fixes: Track) -> Columns:
    """The columns that figures are made of."""
    return Columns(fixes.times_seconds, fixes.latitudes, fixes.longitudes, fixes.speeds_kph, fixes.ignition)


def datetime_of(seconds: float) -> datetime:
    """Epoch seconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _timeline(steps: Steps, is_first: bool, is_last: bool) -> Timeline:
    return timeline(steps.inner(is_first=is_first, is_last=is_last), is_first=is_first, is_last=is_last)


def _minus(at: datetime, margin: timedelta) -> datetime:
    return at - margin if at - BEGINNING > margin else BEGINNING


def _plus(at: datetime, margin: timedelta) -> datetime:
    return at + margin if END - at > margin else END


def _has_fix(device_id: int, start: datetime, end: datetime) -> bool:
    return Position.objects.filter(device_id=device_id, fix_time__gte=start, fix_time__lt=end).exists()


def _touches(found: Trip | Stop, start: datetime, end: datetime) -> bool:
    return found.started_seconds < end.timestamp() and found.ended_seconds > start.timestamp()
