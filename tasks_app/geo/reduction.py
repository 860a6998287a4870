"""Graphs of any number of measurements: the lowest and the highest in each column of pixels, so that no peak is lost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray

IntArray = npt.NDArray[np.intp]


def column_of(places: npt.ArrayLike, start: float, end: float, columns: int) -> IntArray:
    """Return in which of `columns` equal parts of `[start, end)` each place lies; the end belongs to the last one."""
    shares = (np.asarray(places, dtype=np.float64) - start) / (end - start)
    return np.clip((shares * columns).astype(np.intp), 0, columns - 1)


def extremes(columns: IntArray, values: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return the columns that have a value, ascending, and the indexes of the lowest and the highest in each.

    Of equal ones the first is taken; NaN is no value.
    """
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.lexsort((values[known], columns[known]))]
    firsts = np.flatnonzero(np.diff(columns[order], prepend=-1))
    falling = known[np.lexsort((-values[known], columns[known]))]
    return columns[order[firsts]], order[firsts], falling[firsts]


def low_and_high(
    places: npt.ArrayLike, values: npt.ArrayLike, *, start: float, end: float, columns: int
) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and the highest value in each of `columns` equal parts of `[start, end)`, NaN where there is none."""
    numbers = np.asarray(values, dtype=np.float64)
    lows, highs = np.full(columns, np.nan), np.full(columns, np.nan)
    found, lowest, highest = extremes(column_of(places, start, end, columns), numbers)
    lows[found], highs[found] = numbers[lowest], numbers[highest]
    return lows, highs


def bridged(values: FloatArray, most_columns: float) -> FloatArray:
    """Return the values with straight lines across runs of NaN that join two values at most `most_columns` apart."""
    known = np.flatnonzero(~np.isnan(values))
    if len(known) < 2:
        return values
    filled = np.interp(np.arange(len(values)), known, values[known], left=np.nan, right=np.nan)
    for before, after in zip(known[:-1].tolist(), known[1:].tolist(), strict=True):
        if after - before > most_columns:
            filled[before + 1 : after] = np.nan
    return filled
