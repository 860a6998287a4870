"""What a device did in a range, read widely enough that the answer does not depend on the range's borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reports_app.builders.figures import Columns, Figures, figures_of_parts
from tasks_app.geo.motion import Stop, Trip, detect_stops, detect_trips
from tasks_app.models import DeviceState, Position
from tasks_app.queries.positions import track

# How far beyond a range a trip or stop is followed to find where it really began and ended.
MARGINS = (timedelta(days=1), timedelta(days=8), timedelta(days=64))


@dataclass(frozen=True, slots=True)
class Drive:
    """Fixes of a device around `[start, end)`, and its trips and stops that touch it, whole."""

    start: datetime
    end: datetime
    columns: Columns
    trips: list[Trip]
    stops: list[Stop]

    def figures(self, edges: Sequence[datetime]) -> list[Figures]:
        """Figures between each edge and the next."""
        return figures_of_parts(self.columns, [edge.timestamp() for edge in edges])

    def trips_started(self, start: datetime, end: datetime) -> int:
        """How many trips started in `[start, end)`: each trip counts in one day only."""
        return sum(start.timestamp() <= trip.started_seconds < end.timestamp() for trip in self.trips)


def read_drive(device_id: int, start: datetime, end: datetime) -> Drive:
    """Read the device's fixes around `[start, end)`, a day to either side, and further while a trip or stop that
    touches the range might begin before or end after what was read."""
    for margin in MARGINS:
        drive, reaches_out = _read(device_id, start, end, margin)
        if not reaches_out or not _has_more(device_id, start, end, margin):
            break
    return drive


def odometer_at(device_id: int, moment: datetime) -> float | None:
    """The odometer in meters at `moment`: its newest reading less the way made since. None for a device never seen."""
    state = DeviceState.objects.filter(device_id=device_id, fix_time__isnull=False).first()
    if state is None or state.fix_time is None:
        return None
    if state.fix_time <= moment:
        return state.odometer_meters
    later = _columns(device_id, moment - MARGINS[0], state.fix_time + timedelta(microseconds=1))
    since = figures_of_parts(later, [moment.timestamp(), state.fix_time.timestamp()])
    return max(0.0, state.odometer_meters - since[0].distance_meters)


def moment_of(seconds: float) -> datetime:
    """Epoch seconds as an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def _read(device_id: int, start: datetime, end: datetime, margin: timedelta) -> tuple[Drive, bool]:
    columns = _columns(device_id, start - margin, end + margin)
    arrays = (columns.times, columns.latitudes, columns.longitudes, columns.speeds_kph)
    trips = [trip for trip in detect_trips(*arrays) if _touches(trip, start, end)]
    stops = [stop for stop in detect_stops(*arrays) if _touches(stop, start, end)]
    last = len(columns.times) - 1
    intervals: list[Trip | Stop] = [*trips, *stops]
    reaches_out = any(found.start_index == 0 or found.end_index == last for found in intervals)
    return Drive(start, end, columns, trips, stops), reaches_out


def _columns(device_id: int, start: datetime, end: datetime) -> Columns:
    found = track(device_id, start, end)
    return Columns(found.times_seconds, found.latitudes, found.longitudes, found.speeds_kph, found.ignition)


def _touches(found: Trip | Stop, start: datetime, end: datetime) -> bool:
    return found.started_seconds < end.timestamp() and found.ended_seconds > start.timestamp()


def _has_more(device_id: int, start: datetime, end: datetime, margin: timedelta) -> bool:
    """Whether fixes exist between this margin and the widest one."""
    positions = Position.objects.filter(device_id=device_id)
    before = positions.filter(fix_time__gte=start - MARGINS[-1], fix_time__lt=start - margin)
    after = positions.filter(fix_time__gte=end + margin, fix_time__lt=end + MARGINS[-1])
    return margin != MARGINS[-1] and (before.exists() or after.exists())
