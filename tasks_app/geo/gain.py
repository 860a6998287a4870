"""Whether a device gets away from where it was, fix by fix: driving or the scatter of a standing receiver.

The error of a receiver is correlated: between two fixes it looks like a random walk, over minutes it returns. So neither
a fast step nor a fix far away proves anything; what was gained does. A speed that was sent is measured apart from the
places (by the Doppler effect) and needs little support from them, unless a standing receiver may have sent it; one derived
from the places needs more:

* `gain_meters`: with an error of 30 m in each direction the distance of two fixes has the scale 30 * sqrt(2) m and is
  distributed after Rayleigh, so that it exceeds 250 m once in exp(250**2 / (2 * 1800)) = 35 million independent pairs.
  Of errors without correlation a displacement is as long as a step, and four times their root mean square once in
  exp(4**2) = 9 million: so long steps ask for more, up to `FARTHEST_METERS`.
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
# The error of a speed by the Doppler effect in poor reception, as a standing receiver sends it, is about 3 km/h: none is five
# times that, and of `MANY` the mean, whose expectation is 3 * sqrt(2 / pi) = 2.4 km/h, is not above `DRIVE_KPH`.
SURE_KPH = 15.0
DRIVE_KPH, MANY = 5.3, 9
WALK_KPH = 3.0
# As far as `gain_meters` is for an error of 30 m, this is for one of 50 m.
FARTHEST_METERS = 420.0
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


def sent_evidence(
    times: FloatArray, speeds_kph: FloatArray, is_sent: BoolArray, is_away: BoolArray, rules: MotionRules
) -> tuple[BoolArray, FloatArray]:
    """Those of the fixes `is_away` that drive by the speeds sent there, and how far each other one has to get away.

    A fix drives whose speed no standing receiver sends, or that is beside such a one, or around which the speeds that
    were sent are too high on average. Where they are too low on average for a walk, the way is likely to be scatter.
    """
    by_speed, far_meters = is_away & is_sent, np.full(len(times), rules.gain_meters)
    places = np.flatnonzero(by_speed & (speeds_kph <= SURE_KPH))
    is_beside = np.zeros(len(places), dtype=np.bool_)
    for other in _ends(times, places, 0.0, rules):
        is_beside |= by_speed[other] & (speeds_kph[other] > SURE_KPH)
    places = places[~is_beside]
    if not len(places):
        return by_speed, far_meters
    first = np.searchsorted(times, times[places] - rules.lookaround_seconds)
    end = np.searchsorted(times, times[places] + rules.lookaround_seconds, side="right")
    kph = np.concatenate([[0.0], np.cumsum(np.where(is_sent, speeds_kph, 0.0))])
    counts = np.concatenate([[0], np.cumsum(is_sent)])
    means, counts = (kph[end] - kph[first]) / (counts[end] - counts[first]), counts[end] - counts[first]
    far_meters[places[means < WALK_KPH]] = FARTHEST_METERS
    by_speed[places] = (counts >= MANY) & (means > DRIVE_KPH)
    return by_speed, far_meters


def gains_ground(
    times: FloatArray,
    latitudes: FloatArray,
    longitudes: FloatArray,
    meters: FloatArray,
    places: IndexArray,
    far_meters: FloatArray,
    rules: MotionRules,
) -> BoolArray:
    """Those of these fixes that get away in a manner that no scatter has: far, or straight on, and steadily so up to the
    fix itself. `meters` are the ways of the steps, `far_meters` how far each fix has to get away at least."""
    scatter = np.concatenate([[0.0], np.cumsum(meters**2)])
    rare = _have_rare_fixes(times, places, rules)
    gained, is_open = (np.zeros(len(times), dtype=np.bool_) for _ in range(2))
    is_open[places] = True
    for window in sorted({*WINDOWS_SECONDS, rules.lookaround_seconds}):
        todo = np.flatnonzero(is_open & ~gained)
        ends = _ends(times, todo, window, rules)
        nearest = _ends(times, todo, min(window, rules.lookaround_seconds), rules)
        for other, near, is_rare in zip(ends, nearest, rare, strict=True):
            away = _meters_between(todo, other, latitudes, longitudes)
            near_meters = _meters_between(todo, near, latitudes, longitudes)
            seconds, near_seconds = np.abs(times[other] - times[todo]), np.abs(times[near] - times[todo])
            is_steady = near_meters * seconds >= LEAST_SHARE * away * near_seconds
            counts, squared_steps = np.abs(other - todo), np.abs(scatter[other] - scatter[todo])
            may_gain = is_steady & (near_meters >= rules.standing_radius_meters)
            is_far = _is_directed(away, squared_steps, counts)
            rest = np.flatnonzero(may_gain & ~is_far & (away >= far_meters[todo]))
            far = _far_meters(squared_steps[rest], counts[rest], far_meters[todo[rest]])
            is_far[rest] = is_rare[todo[rest]] | (away[rest] >= far)
            gained[todo] |= is_far & may_gain
    return gained


def _have_rare_fixes(times: FloatArray, places: IndexArray, rules: MotionRules) -> tuple[BoolArray, BoolArray]:
    """Which of these fixes have fewer than `LEAST_STEPS` steps within `gain_seconds` before, and after."""
    before, after = (np.zeros(len(times), dtype=np.bool_) for _ in range(2))
    earlier, later = np.maximum(places - LEAST_STEPS, 0), np.minimum(places + LEAST_STEPS, len(times) - 1)
    before[places] = (places < LEAST_STEPS) | (times[places] - times[earlier] > rules.gain_seconds)
    after[places] = (places >= len(times) - LEAST_STEPS) | (times[later] - times[places] > rules.gain_seconds)
    return before, after


def _far_meters(squared_steps: FloatArray, counts: IndexArray, least_meters: FloatArray) -> FloatArray:
    """How far a stretch of `counts` steps with this sum of squares has to get away: farther where its steps are long, since
    of white errors a displacement is as long as a step."""
    mean_step = np.sqrt(squared_steps / np.maximum(counts, 1))
    return np.where(counts >= LEAST_STEPS, np.clip(4.0 * mean_step, least_meters, FARTHEST_METERS), FARTHEST_METERS)


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
