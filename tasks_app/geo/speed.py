"""Speeds from positions: what a device that sends none drove, and which fixes cannot be where they say.

All arrays have shape (n,): times in epoch seconds (ascending), degrees, km/h with NaN where the device sent no speed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, haversine_meters, step_distances_meters

BoolArray = npt.NDArray[np.bool_]

MPS_TO_KPH = 3.6


@dataclass(frozen=True, slots=True)
class MotionRules:
    """What counts as moving, as a trip and as a stop."""

    moving_above_kph: float = 5.0
    min_trip_meters: float = 200.0
    min_trip_seconds: float = 120.0
    min_stop_seconds: float = 180.0
    max_gap_seconds: float = 1800.0
    max_implied_kph: float = 300.0


DEFAULT_RULES = MotionRules()


def derive_speeds_kph(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    speeds_kph: npt.ArrayLike | None = None,
    *,
    rules: MotionRules = DEFAULT_RULES,
) -> FloatArray:
    """The sent speeds, NaN ones replaced by the speed implied by the way from the last believable fix.

    The first fix takes the speed of the step after it. Over a gap, and at a single fix that jumped away, it is 0.
    """
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    sent = np.full(len(times), np.nan) if speeds_kph is None else floats(speeds_kph)
    missing = np.isnan(sent)
    if not missing.any():
        return sent
    keep = np.flatnonzero(~outliers(times, latitudes, longitudes, rules=rules))
    seconds = np.diff(times[keep])
    meters = step_distances_meters(latitudes[keep], longitudes[keep])
    usable = (seconds > 0) & (seconds <= rules.max_gap_seconds) & ~impossible(seconds, meters, rules)
    implied = np.where(usable, meters / np.where(usable, seconds, 1.0) * MPS_TO_KPH, 0.0)
    derived = np.zeros(len(times))
    derived[keep[1:]] = implied
    derived[keep[:1]] = implied[:1] if len(implied) else 0.0
    return np.where(missing, derived, sent)


def outliers(
    times_seconds: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    *,
    rules: MotionRules = DEFAULT_RULES,
) -> BoolArray:
    """Single fixes that jumped away: no vehicle can go there or back, yet it can go past them."""
    times, latitudes, longitudes = floats(times_seconds), floats(latitudes), floats(longitudes)
    result = np.zeros(len(times), dtype=np.bool_)
    if len(times) < 3:
        return result
    jump = impossible(np.diff(times), step_distances_meters(latitudes, longitudes), rules)
    past = haversine_meters(latitudes[:-2], longitudes[:-2], latitudes[2:], longitudes[2:])
    result[1:-1] = jump[:-1] & jump[1:] & ~impossible(times[2:] - times[:-2], past, rules)
    return result


def impossible(seconds: FloatArray, meters: FloatArray, rules: MotionRules) -> BoolArray:
    """Steps faster than any vehicle; two places at one instant too."""
    return meters * MPS_TO_KPH > rules.max_implied_kph * np.maximum(seconds, 0.0)


def floats(values: npt.ArrayLike) -> FloatArray:
    """Any sequence of numbers as a float64 array."""
    return np.asarray(values, dtype=np.float64)
