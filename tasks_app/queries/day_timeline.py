"""One day of one device: its trips, stops and silences from the code that reports use, and what a replay of it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.figures import Figures
from tasks_app.geo.motion import driven_speeds_kph
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.geo.reduction import bridged, low_and_high
from tasks_app.geo.simplify import simplified_in_time
from tasks_app.geo.whereabouts import Whereabouts, where_at
from tasks_app.models import Device, Event, EventKind
from tasks_app.queries.drives import Drive, context_of, datetime_of, read_drive, steps_of
from tasks_app.queries.fleet_geofences import names_at
from tasks_app.queries.positions import track

# A replay is within so many meters of every fix, unless that takes more points than a page should draw.
REPLAY_TOLERANCE_METERS, REPLAY_POINTS = 10.0, 4_000
REPLAY_SPEED_SECONDS = 30
MOST_EVENTS = 500
# The timeline has its own entries for trips.
TOLD_BY_ENTRIES = (EventKind.TRIP_START, EventKind.TRIP_END)


class EntryKind(StrEnum):
    TRIP = "trip"
    STOP = "stop"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Entry:
    """A trip, a stop, or a silence after which the vehicle was elsewhere; whole, though it may begin or end on another day.

    `place` and `end_place` name the geofences there. Distance and speeds are those of a trip.
    """

    kind: EntryKind
    started_at: datetime
    ended_at: datetime
    latitude: float
    longitude: float
    end_latitude: float
    end_longitude: float
    distance_meters: float = 0.0
    average_speed_kph: float = 0.0
    max_speed_kph: float = 0.0
    place: str = ""
    end_place: str = ""

    @property
    def duration_seconds(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class DayTimeline:
    """The entries and figures of a device in `[start, end)`."""

    device: Device
    start: datetime
    end: datetime
    drive: Drive
    entries: list[Entry]
    figures: Figures
    trip_count: int

    @property
    def fix_count(self) -> int:
        """The number of stored fixes, those that cannot be right included."""
        return self.figures.fix_count

    def speeds_kph(self) -> tuple[FloatArray, FloatArray]:
        """Return the times (epoch seconds) and speeds of the believable fixes; 0 where the vehicle stood."""
        part = self._part()
        return self.drive.steps.times[part], driven_speeds_kph(self.drive.steps)[part]

    def replay(self) -> dict[str, Any]:
        """Return the thinned track as lists, JSON-ready: times in seconds since `start`, places in degrees, the points
        after which nothing was heard for long, the highest speed of each REPLAY_SPEED_SECONDS (None in a silence), and
        how far a replay is from any fix at most."""
        part, steps, start = self._part(), self.drive.steps, self.start.timestamp()
        times, latitudes, longitudes = steps.times[part], steps.latitudes[part], steps.longitudes[part]
        silent = np.flatnonzero(np.diff(times) > MotionRules.max_gap_seconds)
        kept, tolerance_meters = simplified_in_time(
            times,
            latitudes,
            longitudes,
            tolerance_meters=REPLAY_TOLERANCE_METERS,
            max_points=REPLAY_POINTS,
            always=np.concatenate([silent, silent + 1]),
        )
        columns = round((self.end - self.start).total_seconds() / REPLAY_SPEED_SECONDS)
        fix_times, speeds = self.speeds_kph()
        _lows, highs = low_and_high(fix_times, speeds, start=start, end=self.end.timestamp(), columns=columns)
        highs = bridged(highs, MotionRules.max_gap_seconds / REPLAY_SPEED_SECONDS)
        return {
            "start": start,
            "end": self.end.timestamp(),
            "times": np.round(times[kept] - start, 1).tolist(),
            "latitudes": np.round(latitudes[kept], 6).tolist(),
            "longitudes": np.round(longitudes[kept], 6).tolist(),
            "silences": np.searchsorted(kept, silent).tolist(),
            "speed_seconds": REPLAY_SPEED_SECONDS,
            "speeds_kph": [None if speed != speed else round(speed, 1) for speed in highs.tolist()],
            "fix_count": self.fix_count,
            "tolerance_meters": round(tolerance_meters, 1),
        }

    def _part(self) -> slice:
        edges = [self.start.timestamp(), self.end.timestamp()]
        return slice(*np.searchsorted(self.drive.steps.times, edges).tolist())


@dataclass(frozen=True, slots=True)
class PlaceAt:
    """Where a device was at `at`; `before_at` and `after_at` are the times of the fixes around it, None without one."""

    at: datetime
    found: Whereabouts
    before_at: datetime | None
    after_at: datetime | None
    speed_kph: float | None


def read_timeline(device: Device, start: datetime, end: datetime) -> DayTimeline:
    """Return the timeline of a device (with its fleet loaded) over `[start, end)`, its entries in time order."""
    drive = read_drive(device, start, end)
    entries = _named(device, sorted(_entries(drive), key=lambda entry: entry.started_at))
    return DayTimeline(
        device, start, end, drive, entries, drive.figures([start, end])[0], drive.trips_started(start, end)
    )


def events_between(device: Device, start: datetime, end: datetime) -> list[Event]:
    """Return the events of a device in `[start, end)` in time order, without those of trips; the first MOST_EVENTS."""
    events = Event.objects.filter(device=device, occurred_at__gte=start, occurred_at__lt=end)
    events = events.exclude(kind__in=TOLD_BY_ENTRIES).select_related("geofence")
    return list(events.order_by("occurred_at", "pk")[:MOST_EVENTS])


def last_event(device: Device) -> Event | None:
    """Return the last event of a device, None if there is none."""
    events = Event.objects.filter(device=device).select_related("geofence")
    return events.order_by("-occurred_at", "-pk").first()


def place_at(device: Device, at: datetime) -> PlaceAt | None:
    """Return where a device was at a moment, by its believable fixes around it; None if there are none at all."""
    rules = motion_rules(device.kind)
    fixes = track(device.pk, *context_of(device.pk, at, at, rules))
    steps = steps_of(fixes, device)
    found = where_at(
        steps.times, steps.latitudes, steps.longitudes, at.timestamp(), max_gap_seconds=MotionRules.max_gap_seconds
    )
    if found is None:
        return None
    before_at, after_at = (
        None if place is None else datetime_of(steps.times[place]) for place in (found.before, found.after)
    )
    speed_kph = None if found.before is None else float(driven_speeds_kph(steps)[found.before])
    return PlaceAt(at, found, before_at, after_at, speed_kph)


def _entries(drive: Drive) -> list[Entry]:
    fixes, steps = drive.fixes, drive.steps
    trips = [
        Entry(
            EntryKind.TRIP,
            datetime_of(trip.started_seconds),
            datetime_of(trip.ended_seconds),
            float(fixes.latitudes[trip.start_index]),
            float(fixes.longitudes[trip.start_index]),
            float(fixes.latitudes[trip.end_index]),
            float(fixes.longitudes[trip.end_index]),
            trip.distance_meters,
            trip.average_speed_kph,
            trip.max_speed_kph,
        )
        for trip in drive.trips
    ]
    stops = [
        Entry(
            EntryKind.STOP,
            datetime_of(stop.started_seconds),
            datetime_of(stop.ended_seconds),
            *(stop.latitude, stop.longitude),
            *(stop.latitude, stop.longitude),
        )
        for stop in drive.stops
    ]
    within = (steps.times[:-1] < drive.end.timestamp()) & (steps.times[1:] > drive.start.timestamp())
    silences = [
        Entry(
            EntryKind.SILENCE,
            datetime_of(steps.times[step]),
            datetime_of(steps.times[step + 1]),
            float(steps.latitudes[step]),
            float(steps.longitudes[step]),
            float(steps.latitudes[step + 1]),
            float(steps.longitudes[step + 1]),
        )
        for step in np.flatnonzero(steps.moved_gap & within).tolist()
    ]
    return trips + stops + silences


def _named(device: Device, entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with the names of the geofences in which they begin and end."""
    latitudes = [place for entry in entries for place in (entry.latitude, entry.end_latitude)]
    longitudes = [place for entry in entries for place in (entry.longitude, entry.end_longitude)]
    names = names_at(device.fleet_id, latitudes, longitudes)
    return [
        replace(entry, place=names[2 * number], end_place=names[2 * number + 1]) for number, entry in enumerate(entries)
    ]
