"""Made-up tracks whose right figures are known: ways of legs, and the correlated error of a receiver."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import METERS_PER_DEGREE

FloatArray = npt.NDArray[np.float64]
Columns = tuple[FloatArray, FloatArray, FloatArray]

START_SECONDS = 1_780_000_000.0
PLACE = (-23.5, -46.6)


def correlated(random: np.random.Generator, count: int, meters: float, seconds: float, every: float) -> FloatArray:
    """Errors of this standard deviation, whose correlation falls to 1 / e within `seconds`; white for 0 seconds."""
    keeps = np.exp(-every / seconds) if seconds else 0.0
    fresh = random.normal(0.0, meters * np.sqrt(1.0 - keeps**2), count)
    errors = np.empty(count)
    last = random.normal(0.0, meters)
    for number in range(count):
        last = errors[number] = keeps * last + fresh[number]
    return errors


def legs(every: float, *parts: Sequence[float]) -> Columns:
    """Seconds, and meters north and east, of a fix every so many seconds on legs of (heading, meters, km/h), or of
    (seconds of standing,)."""
    knots = [(0.0, 0.0, 0.0)]
    for part in parts:
        seconds, north, east = knots[-1]
        if len(part) == 1:
            knots.append((seconds + part[0], north, east))
            continue
        heading, meters, kph = np.radians(part[0]), part[1], part[2]
        knots.append((seconds + meters / kph * 3.6, north + meters * np.cos(heading), east + meters * np.sin(heading)))
    at = np.array(knots)
    times = np.arange(0.0, at[-1, 0] + every / 2, every)
    return times, np.interp(times, at[:, 0], at[:, 1]), np.interp(times, at[:, 0], at[:, 2])


def noisy(way: Columns, meters: float, seconds: float, seed: int = 1) -> Columns:
    """Epoch seconds and degrees of a way as a receiver with this error sees it."""
    times, north, east = way
    random, every = np.random.default_rng(seed), times[1] - times[0]
    north = north + correlated(random, len(times), meters, seconds, every)
    east = east + correlated(random, len(times), meters, seconds, every)
    longitudes = PLACE[1] + east / METERS_PER_DEGREE / np.cos(np.radians(PLACE[0]))
    return START_SECONDS + times, PLACE[0] + north / METERS_PER_DEGREE, longitudes
