"""Trips, stops and driving figures of one device from its fixes in time order.

All arrays have shape (n,): times in epoch seconds (ascending), degrees, km/h with NaN where the device sent no speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, haversine_meters, step_distances_meters
from tasks_app.geo.speed import (
    DEFAULT_RULES,
    MPS_TO_KPH,
    MotionRules,
    derive_speeds_kph,
    floats,
    impossible,
    outliers,
)

__all__ = [
    "MotionRules",
    "SegmentMetrics",
    "Stop",
    "Trip",
    "derive_speeds_kph",
    "detect_stops",
    "detect_trips",
    "segment_metrics",
]

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trip:
    """A drive from fix `start_index` to fix `end_index`, both included; times in epoch seconds."""

    start_index: int
    end_index: int
    started_seconds: float
    ended_seconds: float
    distance_meters: float
    max_speed_kph: float
    average_speed_kph: float

    @property
    def duration_seconds(self) -> float:
        return self.ended_seconds - self.started_seconds


@dataclass(frozen=True, slots=True)
class Stop:
    """Time at one place, from fix `start_index` to fix `end_index`; times in epoch seconds, the place in degrees."""

    start_index: int
    end_index: int
    started_seconds: float
    ended_seconds: float
    latitude: float
    longitude: float

    @property
    def duration_seconds(self) -> float:
        return self.ended_seconds - self.started_seconds


@dataclass(frozen=True, slots=True)
class SegmentMetrics:
    """Figures of a stretch of fixes. Idle is standing with the ignition on and is part of stopped."""

    distance_meters: float = 0.0
    moving_seconds: float = 0.0
    stopped_seconds: float = 0.0
    idle_seconds: float = 0.0
    gap_seconds: float = 0.0
    max_speed_kph: float = 0.0
    average_speed_kph: float = 0.0


def detect_trips(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules = DEFAULT_RULES,
) -> list[Trip]:
    """Trips in time order: from where the vehicle left to where it came to rest, not to where that was noticed.

    A stop shorter than `min_stop_seconds` is part of the trip; a silence longer than `max_gap_seconds` ends it at the
    last fix before. Shorter drives than the rules ask for, or ones that stay within half that distance of their start
    (the scatter of a parked receiver), are none.
    """
    drive = _drive(times_seconds, latitudes, longitudes, speeds_kph, rules)
    trips = [_trip(drive, first, last) for first, last in _merged_runs(drive, rules)]
    return [trip for trip in trips if _is_trip(trip, drive, rules)]


def detect_stops(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules = DEFAULT_RULES,
) -> list[Stop]:
    """Stops in time order: what lies between the trips, cut where the vehicle was moved during a silence."""
    drive = _drive(times_seconds, latitudes, longitudes, speeds_kph, rules)
    trips = [_trip(drive, first, last) for first, last in _merged_runs(drive, rules)]
    edges = [(trip.start_index, trip.end_index) for trip in trips if _is_trip(trip, drive, rules)]
    begins = [0, *(last for _, last in edges)]
    ends = [*(first for first, _ in edges), len(drive.times) - 1]
    stops = [
        _stop(drive, first, last)
        for begin, end in zip(begins, ends, strict=True)
        for first, last in _unmoved(drive, begin, end, rules)
    ]
    return [stop for stop in stops if stop.duration_seconds >= rules.min_stop_seconds]


def segment_metrics(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    ignition: npt.ArrayLike | None = None,
    *,
    rules: MotionRules = DEFAULT_RULES,
) -> SegmentMetrics:
    """Figures over all the fixes. `ignition` is 1, 0 or NaN (unknown) per fix.

    Steps no vehicle can make count for nothing, nor does the scatter of a standing receiver. A silence counts as
    standing when the vehicle is still where it was, else as a gap whose straight line is distance but no driving time.
    The average is distance driven per hour of moving.
    """
    drive = _drive(times_seconds, latitudes, longitudes, speeds_kph, rules)
    if not len(drive.seconds):
        return SegmentMetrics(max_speed_kph=_max_speed(drive.speeds, rules))
    moved_gap = drive.gap & (drive.meters >= rules.min_trip_meters)
    still = ~drive.moving & ~moved_gap
    distance_meters = float(drive.driven_meters.sum())
    moving_seconds = float(drive.seconds[drive.moving].sum())
    burning = np.zeros(len(drive.times)) if ignition is None else floats(ignition)[drive.index]
    return SegmentMetrics(
        distance_meters=distance_meters + float(drive.meters[moved_gap & ~drive.jump].sum()),
        moving_seconds=moving_seconds,
        stopped_seconds=float(drive.seconds[still].sum()),
        idle_seconds=float(drive.seconds[still & ~drive.gap & (burning[:-1] == 1.0)].sum()),
        gap_seconds=float(drive.seconds[moved_gap].sum()),
        max_speed_kph=_max_speed(drive.speeds, rules),
        average_speed_kph=distance_meters / moving_seconds * MPS_TO_KPH if moving_seconds else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Drive:
    """The believable fixes, shape (k,), and the steps between them, shape (k - 1,)."""

    index: npt.NDArray[np.intp]
    times: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds: FloatArray
    seconds: FloatArray
    meters: FloatArray
    driven_meters: FloatArray
    moving: BoolArray
    gap: BoolArray
    jump: BoolArray


def _drive(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None,
    rules: MotionRules,
) -> _Drive:
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    speeds = derive_speeds_kph(times, latitudes, longitudes, speeds_kph, rules=rules)
    index = np.flatnonzero(~outliers(times, latitudes, longitudes, rules=rules))
    times, latitudes, longitudes, speeds = times[index], latitudes[index], longitudes[index], speeds[index]
    seconds, meters = np.diff(times), step_distances_meters(latitudes, longitudes)
    gap, jump = seconds > rules.max_gap_seconds, impossible(seconds, meters, rules)
    fast = speeds > rules.moving_above_kph
    either, both = fast[:-1] | fast[1:], fast[:-1] & fast[1:]
    # A long step from standing to driving is standing time, unless the way itself shows the driving.
    gone = meters * MPS_TO_KPH > rules.moving_above_kph * seconds
    moving = ~gap & (both | (either & gone))
    driven_meters = np.where(either & ~gap & ~jump, meters, 0.0)
    return _Drive(index, times, latitudes, longitudes, speeds, seconds, meters, driven_meters, moving, gap, jump)


def _merged_runs(drive: _Drive, rules: MotionRules) -> list[tuple[int, int]]:
    """First and last fix of each drive, short stops bridged, gaps never."""
    if not len(drive.moving):
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], drive.moving, [False]]).astype(np.int8)))
    firsts, lasts = edges[0::2], edges[1::2]
    if not len(firsts):
        return []
    gaps_before = np.concatenate([[0], np.cumsum(drive.gap)])
    long_stop = drive.times[firsts[1:]] - drive.times[lasts[:-1]] >= rules.min_stop_seconds
    cut = long_stop | (gaps_before[firsts[1:]] != gaps_before[lasts[:-1]])
    kept_firsts, kept_lasts = firsts[np.concatenate([[True], cut])], lasts[np.concatenate([cut, [True]])]
    return list(zip(kept_firsts.tolist(), kept_lasts.tolist(), strict=True))


def _trip(drive: _Drive, first: int, last: int) -> Trip:
    seconds = float(drive.times[last] - drive.times[first])
    meters = float(drive.driven_meters[first:last].sum())
    return Trip(
        start_index=int(drive.index[first]),
        end_index=int(drive.index[last]),
        started_seconds=float(drive.times[first]),
        ended_seconds=float(drive.times[last]),
        distance_meters=meters,
        max_speed_kph=float(drive.speeds[first : last + 1].max()),
        average_speed_kph=meters / seconds * MPS_TO_KPH if seconds else 0.0,
    )


def _is_trip(trip: Trip, drive: _Drive, rules: MotionRules) -> bool:
    if trip.distance_meters < rules.min_trip_meters or trip.duration_seconds < rules.min_trip_seconds:
        return False
    first, last = np.searchsorted(drive.index, [trip.start_index, trip.end_index])
    part = slice(int(first), int(last) + 1)
    away = haversine_meters(
        drive.latitudes[first], drive.longitudes[first], drive.latitudes[part], drive.longitudes[part]
    )
    return bool(away.max() >= rules.min_trip_meters / 2.0)


def _unmoved(drive: _Drive, begin: int, end: int, rules: MotionRules) -> list[tuple[int, int]]:
    """The stretch between two original fix indices, as positions in the drive, cut at gaps that moved the vehicle."""
    if not len(drive.index):
        return []
    first, last = (int(place) for place in np.searchsorted(drive.index, [begin, end]))
    last = min(last, len(drive.index) - 1)
    cuts = first + np.flatnonzero(drive.gap[first:last] & (drive.meters[first:last] >= rules.min_trip_meters))
    return list(zip([first, *(cuts + 1).tolist()], [*cuts.tolist(), last], strict=True))


def _stop(drive: _Drive, first: int, last: int) -> Stop:
    part = slice(first, last + 1)
    return Stop(
        start_index=int(drive.index[first]),
        end_index=int(drive.index[last]),
        started_seconds=float(drive.times[first]),
        ended_seconds=float(drive.times[last]),
        latitude=float(np.median(drive.latitudes[part])),
        longitude=float(np.median(drive.longitudes[part])),
    )


def _max_speed(speeds_kph: FloatArray, rules: MotionRules) -> float:
    return float(np.max(speeds_kph, initial=0.0, where=speeds_kph <= rules.max_implied_kph))
