"""Quantities derived from fixes: steps, speed, course, ignition. Pure: arrays in, arrays out.

Rows are sorted by (device, time), as in `columns.FixColumns`; `device` maps each row to its device's number,
`starts` is the first row of each device. Times are epoch seconds, NaN means unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import geodesic_meters, initial_bearing_degrees
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.geo.speed import MPS_TO_KPH

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]
SignArray = npt.NDArray[np.int8]

# Below this the noise of two fixes (some meters each) outweighs the way between them.
MIN_STEP_SECONDS = 1.0
# A shorter way points anywhere: the receiver's own noise is about as long.
MIN_COURSE_METERS = 5.0
# What drives counts as moving until it is slower than this share of the speed that says so: creeping in a jam is no stop.
STANDING_BELOW_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class KindRules:
    """The `MotionRules` of each device's kind; arrays of shape (k,)."""

    moving_above_kph: FloatArray
    max_implied_kph: FloatArray
    standing_radius_meters: FloatArray

    def select(self, numbers: IndexArray) -> KindRules:
        """The rules of these devices."""
        return KindRules(
            self.moving_above_kph[numbers], self.max_implied_kph[numbers], self.standing_radius_meters[numbers]
        )


def rules_of(kinds: Sequence[str]) -> KindRules:
    """The rules of devices of these kinds."""
    rules = [motion_rules(kind) for kind in kinds]
    return KindRules(
        np.array([one.moving_above_kph for one in rules], dtype=np.float64),
        np.array([one.max_implied_kph for one in rules], dtype=np.float64),
        np.array([one.standing_radius_meters for one in rules], dtype=np.float64),
    )


@dataclass(frozen=True, slots=True)
class Before:
    """Time and place of each device before the batch; arrays of shape (k,), NaN for a device never seen."""

    times: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray

    def select(self, numbers: IndexArray) -> Before:
        """Time and place of these devices."""
        return Before(self.times[numbers], self.latitudes[numbers], self.longitudes[numbers])


@dataclass(frozen=True, slots=True)
class BatchSteps:
    """The way from the fix before (of the batch or known before it) to each of some rows; NaN for the first one ever.

    `meters` is 0 for a way no vehicle can have made, `speeds_kph` NaN then, over a gap and over too short a time. The
    way began at `from_latitudes`, `from_longitudes`.
    """

    seconds: FloatArray
    meters: FloatArray
    speeds_kph: FloatArray
    from_latitudes: FloatArray
    from_longitudes: FloatArray


def steps(
    times: FloatArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
    device: IndexArray,
    starts: IndexArray,
    before: Before,
    rules: KindRules,
    rows: IndexArray,
) -> BatchSteps:
    """Time, way and mean speed to these rows from their predecessors: the newest older fix, in the batch or known before."""
    numbers, ends = device[rows], times[rows]
    known_times, previous_times = before.times[numbers], _shifted(times, starts)[rows]
    use_known = (known_times < ends) & ~(previous_times > known_times)
    seconds = ends - np.where(use_known, known_times, previous_times)
    previous_latitudes = np.where(use_known, before.latitudes[numbers], _shifted(latitudes, starts)[rows])
    previous_longitudes = np.where(use_known, before.longitudes[numbers], _shifted(longitudes, starts)[rows])
    meters = geodesic_meters(previous_latitudes, previous_longitudes, latitudes[rows], longitudes[rows])
    speeds_kph = np.full(len(rows), np.nan)
    np.divide(meters * MPS_TO_KPH, seconds, out=speeds_kph, where=seconds > 0)
    implausible = speeds_kph > rules.max_implied_kph[numbers]
    usable = ~implausible & (seconds >= MIN_STEP_SECONDS) & (seconds <= MotionRules.max_gap_seconds)
    return BatchSteps(
        seconds,
        np.where(implausible, 0.0, meters),
        np.where(usable, speeds_kph, np.nan),
        previous_latitudes,
        previous_longitudes,
    )


def filled_speeds(sent_kph: FloatArray, derived_kph: FloatArray) -> FloatArray:
    """The speed a device sent, else the mean speed since its fix before."""
    return np.where(np.isnan(sent_kph), derived_kph, sent_kph)


def filled_courses(
    sent_degrees: FloatArray, steps: BatchSteps, latitudes: FloatArray, longitudes: FloatArray
) -> FloatArray:
    """The course a device sent, else the direction from its fix before where that is at least 5 m and no gap away."""
    rows = np.flatnonzero(
        np.isnan(sent_degrees)
        & (steps.meters >= MIN_COURSE_METERS)
        & (steps.seconds > 0)
        & (steps.seconds <= MotionRules.max_gap_seconds)
    )
    if not len(rows):
        return sent_degrees
    filled = sent_degrees.copy()
    filled[rows] = initial_bearing_degrees(
        steps.from_latitudes[rows], steps.from_longitudes[rows], latitudes[rows], longitudes[rows]
    )
    return filled


def said_moving(speeds_kph: FloatArray, device: IndexArray, rules: KindRules) -> SignArray:
    """1 where a speed says that the vehicle drives, 0 where it says that it stands, -1 between and where unknown."""
    said = np.full(len(speeds_kph), -1, dtype=np.int8)
    moving_above_kph = rules.moving_above_kph[device]
    said[speeds_kph > moving_above_kph] = 1
    said[speeds_kph < moving_above_kph * STANDING_BELOW_SHARE] = 0
    return said


@dataclass(frozen=True, slots=True)
class Carried:
    """A yes or no at each fix, `now` (n,), and at the fix before it, `earlier` (n,): 1, 0, or -1 for unknown.

    `switches` are the rows at which it changes; the first known value is no change.
    """

    now: SignArray
    earlier: SignArray
    switches: IndexArray


def carried(sent: SignArray, device: IndexArray, starts: IndexArray, before: SignArray) -> Carried:
    """The values sent (-1 for not said), carried forward where a fix has none; `before` (k,) is from earlier batches."""
    rows = np.arange(len(sent))
    last = np.maximum.accumulate(np.where(sent >= 0, rows, -1))
    in_batch = last >= starts[device] if len(starts) else np.zeros(0, np.bool_)
    now = np.where(in_batch, sent[np.maximum(last, 0)], before[device])
    earlier = np.empty_like(now)
    earlier[1:] = now[:-1]
    earlier[starts] = before
    return Carried(now, earlier, np.flatnonzero((earlier >= 0) & (now >= 0) & (earlier != now)))


def _shifted(values: FloatArray, starts: IndexArray) -> FloatArray:
    """The value of the row before, NaN at the first row of a device."""
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[starts] = np.nan
    return shifted
