"""The believable fixes of a track and what each step between them is: driving, standing, a gap or a jump.

What is said of a fix depends on its neighbourhood only: on `NEIGHBOURS` fixes to either side and on those within twice
the rules' `lookaround_seconds`. So a part of a track says the same of a fix as the whole, but for its own ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import METERS_PER_DEGREE, FloatArray, step_distances_meters, wrapped_longitude_delta
from tasks_app.geo.speed import (
    MPS_TO_KPH,
    BoolArray,
    MotionRules,
    derive_speeds_kph,
    floats,
    impossible,
    outliers,
)

NEIGHBOURS = 8


@dataclass(frozen=True, slots=True)
class Steps:
    """Believable fixes, shape (k,), and the steps between them, shape (k - 1,).

    `index` is each fix's place in the original arrays. `driven_meters` is the way that counts as driven, 0 for the
    scatter of a standing receiver, for jumps and for gaps. `moved_gap` marks silences after which the vehicle was
    elsewhere. `rules` are those it was made with.
    """

    index: npt.NDArray[np.intp]
    times: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds_kph: FloatArray
    seconds: FloatArray
    meters: FloatArray
    driven_meters: FloatArray
    moving: BoolArray
    gap: BoolArray
    moved_gap: BoolArray
    jump: BoolArray
    rules: MotionRules

    def __len__(self) -> int:
        return len(self.times)

    def inner(self, *, is_first: bool, is_last: bool) -> Steps:
        """What other fixes before (unless `is_first`) and after (unless `is_last`) these could not change."""
        if not len(self):
            return self
        first, end = 0, len(self)
        around = self.rules.reach_seconds
        if not is_first:
            by_time = np.searchsorted(self.times, self.times[0] + around)
            first = int(max(np.searchsorted(self.index, NEIGHBOURS), by_time))
        if not is_last:
            by_time = np.searchsorted(self.times, self.times[-1] - around)
            end = int(min(np.searchsorted(self.index, self.index[-1] + 1 - NEIGHBOURS), by_time))
        return self.part(first, max(first, end))

    def part(self, first: int, end: int) -> Steps:
        """The fixes `first:end` and the steps between them."""
        fixes, steps = slice(first, end), slice(first, max(first, end - 1))
        return Steps(
            self.index[fixes],
            self.times[fixes],
            self.latitudes[fixes],
            self.longitudes[fixes],
            self.speeds_kph[fixes],
            self.seconds[steps],
            self.meters[steps],
            self.driven_meters[steps],
            self.moving[steps],
            self.gap[steps],
            self.moved_gap[steps],
            self.jump[steps],
            self.rules,
        )


def read_steps(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules,
) -> Steps:
    """The steps of a track: arrays of shape (n,), epoch seconds ascending, degrees, km/h with NaN where none was sent."""
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    speeds = derive_speeds_kph(times, latitudes, longitudes, speeds_kph, rules=rules)
    index = np.flatnonzero(~outliers(times, latitudes, longitudes, rules=rules))
    return _steps(index, times[index], latitudes[index], longitudes[index], speeds[index], rules)


def _steps(
    index: npt.NDArray[np.intp],
    times: FloatArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
    speeds_kph: FloatArray,
    rules: MotionRules,
) -> Steps:
    seconds, meters = np.diff(times), step_distances_meters(latitudes, longitudes)
    gap, jump = seconds > rules.max_gap_seconds, impossible(seconds, meters, rules)
    fast = (speeds_kph > rules.moving_above_kph) & _gets_away(times, latitudes, longitudes, rules)
    either, both = fast[:-1] | fast[1:], fast[:-1] & fast[1:]
    # A long step from standing to driving is standing time, unless the way itself shows the driving.
    gone = meters * MPS_TO_KPH > rules.moving_above_kph * seconds
    return Steps(
        index=index,
        times=times,
        latitudes=latitudes,
        longitudes=longitudes,
        speeds_kph=speeds_kph,
        seconds=seconds,
        meters=meters,
        driven_meters=np.where(either & ~gap & ~jump, meters, 0.0),
        moving=~gap & (both | (either & gone)),
        gap=gap,
        moved_gap=gap & (meters >= rules.min_trip_meters),
        jump=jump,
        rules=rules,
    )


def _gets_away(times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, rules: MotionRules) -> BoolArray:
    """Fixes that the device was, or will be, well away from within the lookaround, or at the next fix where fixes are
    rarer: the speeds of a standing receiver lead nowhere."""
    places = np.arange(len(times))
    earlier = np.minimum(np.searchsorted(times, times - rules.lookaround_seconds), np.maximum(places - 1, 0))
    later = np.searchsorted(times, times + rules.lookaround_seconds, side="right") - 1
    later = np.maximum(later, np.minimum(places + 1, len(times) - 1))
    earlier = np.where(times - times[earlier] > rules.max_gap_seconds, places, earlier)
    later = np.where(times[later] - times > rules.max_gap_seconds, places, later)
    shrink = np.cos(np.radians(latitudes))
    away = np.zeros(len(times), dtype=np.bool_)
    for other in (earlier, later):
        north = latitudes[other] - latitudes
        east = wrapped_longitude_delta(longitudes[other], longitudes) * shrink
        away |= north**2 + east**2 >= (rules.standing_radius_meters / METERS_PER_DEGREE) ** 2
    return away
