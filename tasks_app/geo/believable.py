"""Which speeds are believed as a top speed or a peak: one glitch of a receiver is neither.

A speed that was sent is believed unless the kind never reaches it, or the places to either side are nearer than the way
it takes to brake from it. No tyre brakes by more than about 1 g (friction near 1: J. Y. Wong, "Theory of Ground Vehicles",
4th ed., 2008, chapter 1.4), and trains, ships and aeroplanes by far less. Nor is one believed that stands alone, half as
fast again as the ways to either side and the speeds sent there: who is that fast comes from somewhere and gets somewhere.
One that follows from the places is believed as far as another stretch beside it, within half a minute, was as fast: a
receiver that stuck and catches up is not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, geodesic_meters
from tasks_app.geo.gain import AROUND_SECONDS
from tasks_app.geo.motion_rules import MotionRules
from tasks_app.geo.speed import MPS_TO_KPH, BoolArray

IndexArray = npt.NDArray[np.intp]

BRAKING_MPS2 = 10.0
# Over longer than this a vehicle may have gone anywhere and come back.
NEAR_SECONDS = 120.0
# The errors of two fixes a second apart are as long as what may be gone in that time.
APART_SECONDS = 5.0
# How many times farther than a standing receiver strays its positions may be wrong, or late, while its speed is right.
ERRORS = 4.0
# How many times faster than all that is beside it a speed is that stands alone.
LONELY_RATIO = 1.5
BESIDE_SECONDS = 30.0


def is_refuted(
    speeds_kph: FloatArray, seconds: FloatArray, meters: FloatArray, radius_meters: FloatArray | float
) -> BoolArray:
    """Speeds that nobody has who was, or will be, only so far away so much earlier or later; `radius_meters` is how far
    a standing receiver strays. False where nothing is known."""
    mps, braking_seconds = speeds_kph / MPS_TO_KPH, np.minimum(speeds_kph / MPS_TO_KPH / BRAKING_MPS2, seconds)
    least_meters = mps * braking_seconds - BRAKING_MPS2 * braking_seconds**2 / 2.0
    return (seconds > 0.0) & (seconds <= NEAR_SECONDS) & (meters + ERRORS * radius_meters < least_meters)


def believable_sent(
    times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, speeds_kph: FloatArray, rules: MotionRules
) -> BoolArray:
    """The sent speeds (NaN: none) that the kind can reach and that the places to either side allow."""
    # From a slower speed any vehicle comes to rest within the error of its position.
    slowest_kph = np.sqrt(2.0 * BRAKING_MPS2 * ERRORS * rules.standing_radius_meters) * MPS_TO_KPH
    fast = np.flatnonzero((speeds_kph >= slowest_kph) & (speeds_kph <= rules.max_implied_kph))
    picked_times = times[fast]
    earlier = np.maximum(np.searchsorted(times, picked_times - APART_SECONDS, side="right") - 1, 0)
    later = np.minimum(np.searchsorted(times, picked_times + APART_SECONDS), len(times) - 1)
    refuted, allowed = (np.zeros(len(fast), dtype=np.bool_) for _ in range(2))
    lonely = np.ones(len(fast), dtype=np.bool_)
    for other, beside in ((earlier, np.maximum(fast - 1, 0)), (later, np.minimum(fast + 1, len(times) - 1))):
        seconds = np.abs(times[other] - picked_times)
        meters = geodesic_meters(latitudes[fast], longitudes[fast], latitudes[other], longitudes[other])
        is_too_fast = is_refuted(speeds_kph[fast], seconds, meters, rules.standing_radius_meters)
        is_known = (seconds > 0.0) & (seconds <= NEAR_SECONDS)
        refuted |= is_too_fast
        allowed |= ~is_too_fast & is_known
        lonely &= is_known & _is_far_above(speeds_kph[fast], meters, seconds, speeds_kph[beside])
    believed = speeds_kph <= rules.max_implied_kph
    believed[fast] = ~(refuted & ~allowed) & ~lonely
    return believed


def _is_far_above(kph: FloatArray, meters: FloatArray, seconds: FloatArray, beside_kph: FloatArray) -> BoolArray:
    """Speeds that neither the way to one side nor the speed sent there (NaN: none) comes near."""
    least_kph = kph / LONELY_RATIO
    return (meters * MPS_TO_KPH < least_kph * seconds) & ~(beside_kph >= least_kph)


def held_speeds_mps(times: FloatArray, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
    """The speed of each step, straight over nine seconds where fixes follow each other more closely, but no faster than
    the faster of the stretches before and after it; 0 for a shorter time with none beside it."""
    first = np.searchsorted(times, times[:-1] - AROUND_SECONDS)
    last = np.searchsorted(times, times[1:] + AROUND_SECONDS, side="right") - 1
    seconds = times[last] - times[first]
    meters = geodesic_meters(latitudes[first], longitudes[first], latitudes[last], longitudes[last])
    speeds = np.where(seconds > 0.0, meters / np.maximum(seconds, 1e-6), 0.0)
    # Stretches share no fix, so that a single one that is wrong is in one of them only.
    before, after = np.searchsorted(last, first) - 1, np.searchsorted(first, last, side="right")
    has_before, has_after = before >= 0, after < len(first)
    before, after = np.maximum(before, 0), np.minimum(after, len(first) - 1)
    has_before &= times[first] - times[last[before]] <= BESIDE_SECONDS
    has_after &= times[first[after]] - times[last] <= BESIDE_SECONDS
    beside = np.maximum(np.where(has_before, speeds[before], 0.0), np.where(has_after, speeds[after], 0.0))
    alone = np.where(seconds >= 2.0 * AROUND_SECONDS, speeds, 0.0)
    return np.where(has_before | has_after, np.minimum(speeds, beside), alone)
