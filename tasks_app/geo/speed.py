"""Speeds from positions: what a device that sends none drove, and which fixes cannot be where they say.

All arrays have shape (n,): times in epoch seconds (ascending), degrees, km/h with NaN where the device sent no speed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, geodesic_meters, step_distances_meters
from tasks_app.geo.motion_rules import MotionRules

__all__ = [
    "MPS_TO_KPH",
    "MotionRules",
    "derive_speeds_kph",
    "floats",
    "impossible",
    "outliers",
]

BoolArray = npt.NDArray[np.bool_]

MPS_TO_KPH = 3.6


def derive_speeds_kph(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules,
) -> FloatArray:
    """The sent speeds, NaN ones replaced by the speed implied by the way from the last believable fix.

    The first fix, and the first after a gap, takes the speed of the step after it. A single fix that jumped away has 0.
    """
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    sent = np.full(len(times), np.nan) if speeds_kph is None else floats(speeds_kph)
    missing = np.isnan(sent)
    if not missing.any():
        return sent
    keep = np.flatnonzero(~outliers(times, latitudes, longitudes, rules=rules))
    seconds = np.diff(times[keep])
    meters = step_distances_meters(latitudes[keep], longitudes[keep])
    is_gap = seconds > rules.max_gap_seconds
    usable = (seconds > 0) & ~is_gap & ~impossible(seconds, meters, rules)
    implied = np.where(usable, meters / np.where(usable, seconds, 1.0) * MPS_TO_KPH, 0.0)
    before, after = np.concatenate([[0.0], implied]), np.concatenate([implied, [0.0]])
    is_first = np.concatenate([[True], is_gap])
    derived = np.zeros(len(times))
    derived[keep] = np.where(is_first, after, before)[: len(keep)]
    return np.where(missing, derived, sent)


def outliers(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    *,
    rules: MotionRules,
) -> BoolArray:
    """Single fixes that jumped away: no vehicle can go there or back, yet it can go past them.

    Whether a fix is one depends on the two fixes before and after it only, and on none beyond a gap.
    """
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    result = np.zeros(len(times), dtype=np.bool_)
    if len(times) < 3:
        return result
    seconds = np.diff(times)
    jump = impossible(seconds, step_distances_meters(latitudes, longitudes), rules)
    jump &= seconds <= rules.max_gap_seconds
    middles = np.flatnonzero(jump[:-1] & jump[1:]) + 1
    past = geodesic_meters(
        latitudes[middles - 1], longitudes[middles - 1], latitudes[middles + 1], longitudes[middles + 1]
    )
    result[middles] = ~impossible(times[middles + 1] - times[middles - 1], past, rules)
    # Two places in turn, as of two devices with one id: neither is the wrong one.
    result[1:-1] &= ~(result[:-2] | result[2:])
    return result


def impossible(seconds: FloatArray, meters: FloatArray, rules: MotionRules) -> BoolArray:
    """Steps faster than any vehicle; two places at one instant too."""
    return meters * MPS_TO_KPH > rules.max_implied_kph * np.maximum(seconds, 0.0)


def floats(values: npt.ArrayLike) -> FloatArray:
    """Any sequence of numbers as a float64 array."""
    return np.asarray(values, dtype=np.float64)
