"""Tracks drawn by hypothesis: phases of driving, standing and silence at changing rates, speeds sent or not."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.models.devices import DeviceKind

KINDS = st.sampled_from(list(DeviceKind.values))
PLACE = (-23.5, -46.6)

_PHASE = st.tuples(
    st.sampled_from([1.0, 10.0, 30.0, 120.0, 600.0]),  # seconds between fixes
    st.integers(1, 20),  # fixes
    st.sampled_from([0.0, 0.0, 4.0, 8.0, 40.0, 90.0, 310.0]),  # km/h
    st.sampled_from(["right", "none", "none", "some", "zero", "too low", "every second", "glitch"]),  # speeds sent
    st.sampled_from([0.0, 3.0, 30.0]),  # meters of error
)


@st.composite
def drawn_tracks(draw: st.DrawFn, start_seconds: float = 1_780_000_000.0) -> Any:
    """Epoch seconds ascending, degrees, and km/h with NaN where none was sent."""
    phases = draw(st.lists(_PHASE, min_size=1, max_size=8))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    seconds, kph, sent, error = [0.0], [0.0], [0.0], [0.0]
    for every, count, speed, said, meters in phases:
        if random.random() < 0.2:
            every = float(random.choice([every, 900.0, 2000.0]))
        seconds += [every] * count
        kph += [speed] * count
        error += [meters] * count
        sent += [_said(said, speed, number, random) for number in range(count)]
    way = np.cumsum(np.array(seconds) * np.array(kph) / 3.6)
    heading = np.cumsum(random.normal(0.0, 0.2, len(way)))
    north = np.cumsum(np.diff(way, prepend=0.0) * np.cos(heading)) + random.normal(0.0, 1.0, len(way)) * error
    east = np.cumsum(np.diff(way, prepend=0.0) * np.sin(heading)) + random.normal(0.0, 1.0, len(way)) * error
    times = start_seconds + np.cumsum(seconds)
    return times, PLACE[0] + north / METERS_PER_DEGREE, PLACE[1] + east / METERS_PER_DEGREE, np.array(sent)


def _said(said: str, kph: float, number: int, random: np.random.Generator) -> float:
    match said:
        case "right":
            return kph
        case "none":
            return float("nan")
        case "some":
            return kph if random.random() < 0.5 else float("nan")
        case "zero":
            return 0.0
        case "too low":
            return kph / 3.0
        case "every second":
            return 25.0 * (number % 2)
        case _:
            return 900.0 if random.random() < 0.1 else kph
