"""Whether a device gets away from where it was, fix by fix: driving told from the scatter of a standing receiver.

The error of a receiver is correlated: between two fixes it looks like a random walk, over minutes it returns. So neither
a fast step nor a fix far away proves anything; what was gained does. A speed that was sent is measured apart from the
places (by the Doppler effect) and needs little support from them, one derived from the places needs more:

* `gain_meters`: with an error of 30 m in each direction the distance of two fixes has the scale 30 * sqrt(2) m and is
  distributed after Rayleigh, so that it exceeds 250 m once in exp(250**2 / (2 * 1800)) = 35 million independent pairs.
* `BY_CHANCE`: of a random walk of n steps, normal in each direction, however long, the share of the squared displacement
  in n times the sum of the squared steps has the beta distribution (1, n - 1), so that it exceeds x with the probability
  (1 - x)**(n - 1). It is 1 where all steps are the same. A stretch of which that probability is less than this went
  somewhere; at a fix a second a standing receiver has some hundred thousand overlapping stretches in a day.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import METERS_PER_DEGREE, FloatArray, geodesic_meters, wrapped_longitude_delta
from tasks_app.geo.motion_rules import MotionRules

BoolArray = npt.NDArray[np.bool_]
IndexArray = npt.NDArray[np.intp]

BY_CHANCE = 1e-7
# Of fewer steps the rounding of coordinates can make all the same.
LEAST_STEPS = 4
WINDOWS_SECONDS = (20.0, 90.0, 180.0, MotionRules.gain_seconds)
# The part of a longer window next to the fix has to have this much of the gain that its length would have.
LEAST_SHARE = 0.5
# How far around a step its mean speed is measured, and the longest way of that stretch that the error makes longer.
AROUND_SECONDS = 4.5
SHORT_METERS = 20.0
# Who sends a speed above this, three times that way in that time, is not slow.
QUICK_KPH = 24.0


def gets_away(times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, rules: MotionRules) -> BoolArray:
    """Fixes that the device was, or will be, well away from within the lookaround, or at the next fix where fixes are
    rarer: the speeds of a standing receiver lead nowhere."""
    # Squares, and no cosine twice: every read of every track comes through here.
    shrink, away = np.cos(np.radians(latitudes)), np.zeros(len(times), dtype=np.bool_)
    for other in _ends(times, np.arange(len(times)), rules.lookaround_seconds, rules):
        north = latitudes[other] - latitudes
        east = wrapped_longitude_delta(longitudes[other], longitudes) * shrink
        away |= north**2 + east**2 >= (rules.standing_radius_meters / METERS_PER_DEGREE) ** 2
    return away


def gains_ground(times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, rules: MotionRules) -> BoolArray:
    """Fixes that get away in a manner that no scatter has: far, or straight on, and steadily so up to the fix itself."""
    places = np.arange(len(times))
    steps = _meters_between(places[:-1], places[1:], latitudes, longitudes)
    scatter = np.concatenate([[0.0], np.cumsum(steps**2)])
    gained = np.zeros(len(times), dtype=np.bool_)
    for window in sorted({*WINDOWS_SECONDS, rules.lookaround_seconds}):
        todo = np.flatnonzero(~gained)
        ends = _ends(times, todo, window, rules)
        nearest = _ends(times, todo, min(window, rules.lookaround_seconds), rules)
        for other, near in zip(ends, nearest, strict=True):
            meters = _meters_between(todo, other, latitudes, longitudes)
            near_meters = _meters_between(todo, near, latitudes, longitudes)
            seconds, near_seconds = np.abs(times[other] - times[todo]), np.abs(times[near] - times[todo])
            is_steady = near_meters * seconds >= LEAST_SHARE * meters * near_seconds
            is_directed = _is_directed(meters, np.abs(scatter[other] - scatter[todo]), np.abs(other - todo))
            is_far = (is_directed | (meters >= rules.gain_meters)) & (near_meters >= rules.standing_radius_meters)
            gained[todo] |= is_far & is_steady
    return gained


def _is_directed(meters: FloatArray, squared_steps: FloatArray, counts: IndexArray) -> BoolArray:
    """Stretches of `counts` steps with this displacement and sum of squares that no random walk makes."""
    most = counts * squared_steps
    share = np.minimum(meters**2 / np.where(most > 0.0, most, 1.0), 1.0 - 1e-12)
    return (counts >= LEAST_STEPS) & ((counts - 1) * np.log1p(-share) < np.log(BY_CHANCE))


def smoothed_meters(
    times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, meters: FloatArray, places: IndexArray
) -> FloatArray:
    """The ways of the steps; of these where fixes follow each other closely and slowly, their share of the way made in
    nine seconds.

    The error of a fix a second adds up to several times the way of a walk, and hardly anything to that of a car.
    """
    places = places[times[places + 1] - times[places] < 2.0 * AROUND_SECONDS]
    if not len(places):
        return meters
    first = np.searchsorted(times, times[places] - AROUND_SECONDS)
    last = np.searchsorted(times, times[places + 1] + AROUND_SECONDS, side="right") - 1
    around = geodesic_meters(latitudes[first], longitudes[first], latitudes[last], longitudes[last])
    seconds, own_seconds = times[last] - times[first], times[places + 1] - times[places]
    is_short = (seconds > own_seconds) & (around < SHORT_METERS)
    smoothed = meters.copy()
    smoothed[places[is_short]] = (around * own_seconds / np.maximum(seconds, 1e-6))[is_short]
    return smoothed


def _ends(
    times: FloatArray, places: IndexArray, window_seconds: float, rules: MotionRules
) -> tuple[IndexArray, IndexArray]:
    """The fixes at the ends of a window before and after each of these, or the next ones where fixes are rarer; the fix
    itself where those are beyond a gap."""
    picked_times = times[places]
    earlier = np.minimum(np.searchsorted(times, picked_times - window_seconds), np.maximum(places - 1, 0))
    later = np.searchsorted(times, picked_times + window_seconds, side="right") - 1
    later = np.maximum(later, np.minimum(places + 1, len(times) - 1))
    earlier = np.where(picked_times - times[earlier] > rules.max_gap_seconds, places, earlier)
    return earlier, np.where(times[later] - picked_times > rules.max_gap_seconds, places, later)


def _meters_between(
    places: IndexArray, others: IndexArray, latitudes: FloatArray, longitudes: FloatArray
) -> FloatArray:
    """Meters between two fixes, as on a plane: the ways are short."""
    north = latitudes[others] - latitudes[places]
    east = wrapped_longitude_delta(longitudes[others], longitudes[places]) * np.cos(np.radians(latitudes[places]))
    return np.hypot(north, east) * METERS_PER_DEGREE
