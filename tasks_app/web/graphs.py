"""A line graph over time as numbers for an inline SVG: nothing is loaded, and its colours are the theme's."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.reduction import bridged, low_and_high

WIDTH, HEIGHT = 720, 160
# Ceilings of the scale are these times a power of ten.
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the graph that is marked, in the units of the drawing."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A band from the lowest to the highest value of each column of pixels, as the path of an SVG.

    `most` is the highest value and `ceiling` the top of the scale; `limit_y` is the height of a limit, "" without one.
    """

    band: str
    most: float
    ceiling: float
    limit_y: str = ""
    spans: list[Span] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT


def graph_over_time(
    times: FloatArray,
    values: FloatArray,
    *,
    start: float,
    end: float,
    max_gap_seconds: float,
    limit: float | None = None,
    spans: list[tuple[float, float, str]] | None = None,
) -> Graph | None:
    """Return the graph of values at times (epoch seconds) over the whole of `[start, end)`; None without any value.

    Values more than `max_gap_seconds` apart are not joined. `spans` are marked stretches: their start, end and title.
    """
    lows, highs = low_and_high(times, values, start=start, end=end, columns=WIDTH)
    return graph_of_columns(
        lows, highs, start=start, end=end, max_gap_seconds=max_gap_seconds, limit=limit, spans=spans
    )


def graph_of_columns(
    lows: FloatArray,
    highs: FloatArray,
    *,
    start: float,
    end: float,
    max_gap_seconds: float,
    limit: float | None = None,
    spans: list[tuple[float, float, str]] | None = None,
) -> Graph | None:
    """Return the same graph from the lowest and highest values of equal parts of `[start, end)`, NaN for none."""
    if np.isnan(highs).all():
        return None
    most = float(np.nanmax(highs))
    ceiling = round_ceiling(max(most, limit or 0.0))
    most_columns = max_gap_seconds / (end - start) * len(highs)
    band = _band(bridged(lows, most_columns), bridged(highs, most_columns), ceiling)
    limit_y = "" if limit is None else f"{_y(limit, ceiling):.1f}"
    return Graph(band, most, ceiling, limit_y, [_span(span, start, end) for span in spans or []])


def round_ceiling(most: float) -> float:
    """Return the first round number that is not below `most`: 77.2 gives 80."""
    if most <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(most))
    return float(next(each * power for each in _ROUND if each * power >= most * (1.0 - 1e-9)))


def _span(span: tuple[float, float, str], start: float, end: float) -> Span:
    first, last = (min(max((at - start) / (end - start), 0.0), 1.0) * WIDTH for at in span[:2])
    return Span(f"{first:.1f}", f"{max(last - first, 1.0):.1f}", span[2])


def _band(lows: FloatArray, highs: FloatArray, ceiling: float) -> str:
    """Return one closed line for each run of columns with values: along the tops, and back along the bottoms."""
    known = np.flatnonzero(~np.isnan(highs))
    edges = [0, *(np.flatnonzero(np.diff(known) > 1) + 1).tolist(), len(known)]
    return "".join(_run(known[first:last], lows, highs, ceiling) for first, last in pairwise(edges))


def _run(columns: np.ndarray, lows: FloatArray, highs: FloatArray, ceiling: float) -> str:
    share = WIDTH / len(highs)
    there = [f"{(column + 0.5) * share:.1f},{_y(highs[column], ceiling):.1f}" for column in columns.tolist()]
    back = [f"{(column + 0.5) * share:.1f},{_y(lows[column], ceiling):.1f}" for column in reversed(columns.tolist())]
    return f"M{' '.join([*there, *back])}Z"


def _y(value: float, ceiling: float) -> float:
    return float(HEIGHT - value / ceiling * HEIGHT)
