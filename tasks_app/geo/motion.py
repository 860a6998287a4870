"""Trips, stops and speeds of one device from its fixes in time order.

All arrays have shape (n,): times in epoch seconds (ascending), degrees, km/h with NaN where the device sent no speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.antimeridian import median_longitude
from tasks_app.geo.believable import held_speeds_mps
from tasks_app.geo.distance import FloatArray, geodesic_meters
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.speed import MPS_TO_KPH, derive_speeds_kph
from tasks_app.geo.steps import Steps, read_steps

__all__ = [
    "MotionRules",
    "Stop",
    "Timeline",
    "Trip",
    "derive_speeds_kph",
    "detect_stops",
    "detect_trips",
    "mean_kph",
    "timeline",
    "tops_kph",
]

# How far sent speeds and ways may differ: devices send whole km/h or knots, and a way high up is longer than at sea level.
SPEED_ERROR = 0.01


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
class Timeline:
    """Trips and stops of a part of a track, in time order, and how much of it is certain (see `timeline`).

    What lies within `[certain_from_seconds, certain_to_seconds]` is what the whole track says, whatever comes before and
    after the part; where the two are in the wrong order, nothing is. `open_from_seconds` is where a later read has to
    begin to find every trip that is not certain yet. `open_trip` is one that certainly began, and may go on.
    """

    trips: list[Trip]
    stops: list[Stop]
    certain_from_seconds: float
    certain_to_seconds: float
    open_from_seconds: float
    open_trip: Trip | None = None


def detect_trips(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules,
) -> list[Trip]:
    """Trips in time order: from where the vehicle left to where it came to rest, not to where that was noticed.

    A stop shorter than `min_stop_seconds` is part of the trip; a silence longer than `max_gap_seconds` ends it at the
    last fix before. Shorter drives than the rules ask for, or ones that stay within half that distance of their start
    (the scatter of a parked receiver), are none.
    """
    return timeline(read_steps(times_seconds, latitudes, longitudes, speeds_kph, rules=rules)).trips


def detect_stops(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules,
) -> list[Stop]:
    """Stops in time order: what lies between the trips, cut where the vehicle was moved during a silence."""
    return timeline(read_steps(times_seconds, latitudes, longitudes, speeds_kph, rules=rules)).stops


def timeline(steps: Steps, *, is_first: bool = True, is_last: bool = True) -> Timeline:
    """Trips and stops of `steps`, and what of them would still be the same with more fixes before and after.

    `is_first` says that nothing before these fixes can matter: there are none, or the device stood there for a stop's
    length. `is_last` the same for what comes after.

    Why it works: drives are cut at gaps and by long enough standing only, both of which fixes elsewhere cannot undo.
    So every drive is certain but the first, unless it follows such a cut, and the last, unless one follows it. A stop
    lies between the ends of two trips, or of a silence in which the vehicle was moved.
    """
    runs = _merged_runs(steps)
    found = [(run, _trip(steps, *run)) for run in runs]
    trips = [(run, trip) for run, trip in found if _is_trip(trip, steps, *run)]
    begins_certain = is_first or not runs or _rests(steps, 0, runs[0][0])
    ends_certain = is_last or not runs or _rests(steps, runs[-1][1], len(steps) - 1)
    is_open = bool(trips) and not ends_certain and trips[-1][0] == runs[-1]
    certain = trips if begins_certain else [pair for pair in trips if pair[0] != runs[0]]
    closed = certain[:-1] if is_open else certain
    moved = np.flatnonzero(steps.moved_gap)
    begins = [steps.times[run[1]] for run, _ in closed[:1]] + steps.times[moved[:1] + 1].tolist()
    ends = [steps.times[run[0]] for run, _ in certain[-1:]] + [steps.times[run[1]] for run, _ in closed[-1:]]
    ends += steps.times[moved[-1:]].tolist()
    return Timeline(
        trips=[trip for _, trip in trips],
        stops=_stops(steps, [run for run, _ in trips]),
        certain_from_seconds=-np.inf if is_first else float(min(begins, default=np.inf)),
        certain_to_seconds=np.inf if is_last else float(max(ends, default=-np.inf)),
        open_from_seconds=_open_from(steps, runs, ends_certain),
        open_trip=certain[-1][1] if is_open and certain else None,
    )


def tops_kph(highest_kph: npt.ArrayLike, driven_meters: npt.ArrayLike, driven_seconds: npt.ArrayLike) -> FloatArray:
    """The top speeds of drives: the highest speeds in them, or the averages where these are above by more than the
    error of a speed, since a vehicle was at some moment as fast as its average."""
    meters, seconds = np.asarray(driven_meters, dtype=np.float64), np.asarray(driven_seconds, dtype=np.float64)
    averages = np.where(seconds > 0.0, meters / np.where(seconds > 0.0, seconds, 1.0) * MPS_TO_KPH, 0.0)
    return np.where(averages > np.multiply(highest_kph, 1.0 + SPEED_ERROR), averages, highest_kph)


def mean_kph(meters: float, seconds: float, top_kph: float) -> float:
    """The average speed, which is no higher than the top speed (`tops_kph`) even where that is lower within its error."""
    return min(meters / seconds * MPS_TO_KPH, top_kph) if seconds else 0.0


def driven_tops_kph(steps: Steps) -> FloatArray:
    """The highest speed sent at an end of each step, or that of its way where none was; 0 if not driven."""
    speeds, is_known = np.where(steps.is_sent, steps.speeds_kph, 0.0), steps.is_sent[:-1] | steps.is_sent[1:]
    tops = np.maximum(speeds[:-1], speeds[1:])
    if not is_known.all():
        by_way = held_speeds_mps(steps.times, steps.latitudes, steps.longitudes) * MPS_TO_KPH
        tops = np.where(is_known, tops, np.minimum(by_way, steps.rules.max_implied_kph))
    return np.where(steps.driven_seconds > 0.0, tops, 0.0)


def driven_speeds_kph(steps: Steps) -> FloatArray:
    """The speed at each fix that a driven step begins or ends at, as it was sent or by the way; 0 elsewhere."""
    tops = driven_tops_kph(steps)
    by_way = np.maximum(np.concatenate([[0.0], tops]), np.concatenate([tops, [0.0]]))[: len(steps)]
    return np.where(steps.is_sent & (by_way > 0.0), steps.speeds_kph, by_way)


def _merged_runs(steps: Steps) -> list[tuple[int, int]]:
    """First and last fix of each drive, short stops bridged, gaps never."""
    if not len(steps.moving):
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steps.moving, [False]]).astype(np.int8)))
    firsts, lasts = edges[0::2], edges[1::2]
    if not len(firsts):
        return []
    gaps_before = np.concatenate([[0], np.cumsum(steps.gap)])
    long_stop = steps.times[firsts[1:]] - steps.times[lasts[:-1]] >= steps.rules.min_stop_seconds
    cut = long_stop | (gaps_before[firsts[1:]] != gaps_before[lasts[:-1]])
    kept_firsts, kept_lasts = firsts[np.concatenate([[True], cut])], lasts[np.concatenate([cut, [True]])]
    return list(zip(kept_firsts.tolist(), kept_lasts.tolist(), strict=True))


def _rests(steps: Steps, first: int, last: int) -> bool:
    """Do the fixes between two drives, or before or after one, cut them apart for good?"""
    is_long = steps.times[last] - steps.times[first] >= steps.rules.min_stop_seconds
    return bool(is_long or steps.gap[first:last].any())


def _open_from(steps: Steps, runs: list[tuple[int, int]], ends_certain: bool) -> float:
    if runs and not ends_certain:
        return float(steps.times[runs[-1][0]])
    return float(steps.times[-1]) if len(steps) else -np.inf


def _trip(steps: Steps, first: int, last: int) -> Trip:
    seconds = float(steps.times[last] - steps.times[first])
    meters = float(steps.driven_meters[first:last].sum())
    driven_seconds = float(steps.driven_seconds[first:last].sum())
    highest_kph = np.max(driven_tops_kph(steps.part(first, last + 1)), initial=0.0)
    top_kph = float(tops_kph(highest_kph, meters, driven_seconds))
    return Trip(
        start_index=int(steps.index[first]),
        end_index=int(steps.index[last]),
        started_seconds=float(steps.times[first]),
        ended_seconds=float(steps.times[last]),
        distance_meters=meters,
        max_speed_kph=top_kph,
        average_speed_kph=mean_kph(meters, seconds, top_kph),
    )


def _is_trip(trip: Trip, steps: Steps, first: int, last: int) -> bool:
    """A drive that began stays one however much longer it gets: none of what is asked for can shrink."""
    rules, part = steps.rules, slice(first, last + 1)
    if trip.distance_meters < rules.min_trip_meters or trip.duration_seconds < rules.min_trip_seconds:
        return False
    away = geodesic_meters(
        steps.latitudes[first], steps.longitudes[first], steps.latitudes[part], steps.longitudes[part]
    )
    return bool(away.max() >= rules.min_trip_meters / 2.0)


def _stops(steps: Steps, runs: list[tuple[int, int]]) -> list[Stop]:
    if not len(steps):
        return []
    begins = [0, *(last for _, last in runs)]
    ends = [*(first for first, _ in runs), len(steps) - 1]
    stops = [
        _stop(steps, first, last)
        for begin, end in zip(begins, ends, strict=True)
        for first, last in _unmoved(steps, begin, end)
    ]
    return [stop for stop in stops if stop.duration_seconds >= steps.rules.min_stop_seconds]


def _unmoved(steps: Steps, first: int, last: int) -> list[tuple[int, int]]:
    """The stretch from one fix to another, cut at gaps that moved the vehicle."""
    cuts = first + np.flatnonzero(steps.moved_gap[first:last])
    return list(zip([first, *(cuts + 1).tolist()], [*cuts.tolist(), last], strict=True))


def _stop(steps: Steps, first: int, last: int) -> Stop:
    part = slice(first, last + 1)
    return Stop(
        start_index=int(steps.index[first]),
        end_index=int(steps.index[last]),
        started_seconds=float(steps.times[first]),
        ended_seconds=float(steps.times[last]),
        latitude=float(np.median(steps.latitudes[part])),
        longitude=median_longitude(steps.longitudes[part]),
    )
