"""Fuel of a tank: fuel used, refuels and drains, out of levels that slosh.

1. The levels are smoothed by a running median, which a wave of a few fixes does not pass.
2. Their turning points are found: a rise or fall counts only once it is at least `min_change_liters` high.
3. A rise is a refuel, or several, where it drove between them and used less than that. What falls is used, but for what
   is gone while the vehicle stood with its engine off: a drain.

So a refuel never makes the consumption smaller, let alone negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from tasks_app.geo.distance import FloatArray

SMOOTHED_FIXES = 5
# Refuels and drains smaller than this, or than 4 % of the tank, may be sloshing.
MIN_CHANGE_LITERS = 4.0
MIN_CHANGE_SHARE = 0.04


@dataclass(frozen=True, slots=True)
class FuelChange:
    """A refuel (`liters` > 0) or a drain (< 0) between the fixes at `started_seconds` and `ended_seconds` (epoch)."""

    index: int
    started_seconds: float
    ended_seconds: float
    liters: float
    level_before_liters: float
    level_after_liters: float


@dataclass(frozen=True, slots=True)
class FuelUse:
    """Fuel used, refuels and drains by the levels of a tank.

    Arrays have shape (k,), one entry for each fix with a level: its time, the smoothed level, and the liters used since
    the first one, which only grow.
    """

    times_seconds: FloatArray
    levels_liters: FloatArray
    used_so_far_liters: FloatArray
    changes: list[FuelChange]

    @property
    def used_liters(self) -> float:
        return float(self.used_so_far_liters[-1])


def min_change_liters(tank_liters: float | None) -> float:
    """Return the least change of level that is no sloshing, for a tank of this size."""
    return MIN_CHANGE_LITERS if tank_liters is None else max(MIN_CHANGE_LITERS, MIN_CHANGE_SHARE * tank_liters)


def fuel_use(
    times_seconds: npt.ArrayLike,
    levels_liters: npt.ArrayLike,
    running: npt.ArrayLike,
    *,
    min_change: float = MIN_CHANGE_LITERS,
) -> FuelUse | None:
    """The use of fuel of a track: arrays of shape (n,), epoch seconds, liters with NaN where none was sent, and whether
    the vehicle moved or its engine ran at each fix. None when no level is known."""
    times, levels = np.asarray(times_seconds, dtype=np.float64), np.asarray(levels_liters, dtype=np.float64)
    index = np.flatnonzero(np.isfinite(levels) & (levels >= 0.0))
    if not len(index):
        return None
    times, level, ran = times[index], _smoothed(levels[index]), np.asarray(running, dtype=np.bool_)[index]
    turns = _turning_points(level.tolist(), min_change)
    changes: list[FuelChange] = []
    used = np.zeros(len(level))
    for first, last in pairwise(turns):
        if level[last] > level[first]:
            rises = _rises(level, ran, first, last, min_change)
            changes += [_change(index, times, level, *_flanks(level, *rise)) for rise in rises]
            for (_first, top), (bottom, _last) in pairwise(rises):
                used[top + 1 : bottom + 1] = _fallen(level, top, bottom)
            continue
        used[first + 1 : last + 1] = _fallen(level, first, last)
        for begin, end in _standing(ran, first, last):
            if level[begin] - level[end] >= min_change:
                changes.append(_change(index, times, level, begin, end))
                used[begin + 1 : end + 1] = 0.0
    return FuelUse(times, level, np.cumsum(used), changes)


def counted_liters(totals_liters: npt.ArrayLike) -> FloatArray:
    """Fuel used since the fix before, shape (n,), by a counter that only grows (`fuelUsed`) but for being set back to
    zero now and then. Fixes without it (NaN) have 0."""
    totals = np.asarray(totals_liters, dtype=np.float64)
    index = np.flatnonzero(np.isfinite(totals) & (totals >= 0.0))
    grown = np.diff(totals[index])
    counted = np.zeros(len(totals))
    # After a reset the counter has counted from zero.
    counted[index[1:]] = np.where(grown >= 0, grown, totals[index][1:])
    return counted


def levels_in_liters(liters: FloatArray, percent: FloatArray, tank_liters: float | None) -> FloatArray:
    """The level at each fix: the liters sent, else the percentage of a tank of known size, else NaN."""
    if tank_liters is None:
        return liters
    believable = (percent >= 0.0) & (percent <= 100.0)
    return np.where(np.isnan(liters) & believable, percent / 100.0 * tank_liters, liters)


def _smoothed(levels: FloatArray) -> FloatArray:
    half = min(SMOOTHED_FIXES, len(levels)) // 2
    padded = np.pad(levels, half, mode="edge")
    return np.median(sliding_window_view(padded, 2 * half + 1), axis=1)


def _turning_points(levels: Sequence[float], min_change: float) -> list[int]:
    """The first and last place and those between at which the level turns by at least `min_change`."""
    turns, highest, lowest, rising = [0], 0, 0, None
    for place, level in enumerate(levels):
        if rising is not False and level > levels[highest]:
            highest = place
        if rising is not True and level < levels[lowest]:
            lowest = place
        if rising is not False and levels[highest] - level >= min_change:
            turns, rising, lowest = [*turns, highest], False, place
        elif rising is not True and level - levels[lowest] >= min_change:
            turns, rising, highest = [*turns, lowest], True, place
    extreme = [] if rising is None else [highest if rising else lowest]
    return list(dict.fromkeys([*turns, *extreme, len(levels) - 1]))


def _fallen(level: FloatArray, first: int, last: int) -> FloatArray:
    """By how much each level after the first is lower than all before it."""
    lowest = np.minimum.accumulate(level[first : last + 1])
    return lowest[:-1] - lowest[1:]


def _rises(
    level: FloatArray, ran: npt.NDArray[np.bool_], first: int, last: int, min_change: float
) -> list[tuple[int, int]]:
    """Return the refuels of a rise: none if it is too small, several if fuel was used on drives between them."""
    drives = [(begin, end) for begin, end in _stretches(ran[first : last + 1], first) if level[end] <= level[begin]]
    edges = [first, *(edge for drive in drives for edge in drive), last]
    parts = list(zip(edges[0::2], edges[1::2], strict=True))
    found = [(begin, end) for begin, end in parts if level[end] - level[begin] >= min_change]
    if len(found) > 1:
        return found
    return [(first, last)] if level[last] - level[first] >= min_change else []


def _flanks(level: FloatArray, first: int, last: int) -> tuple[int, int]:
    """Where a rise really happens: without the flat or falling parts at its ends."""
    part = level[first : last + 1]
    bottom = first + int(np.flatnonzero(part == part.min())[-1])
    top = first + int(np.flatnonzero(part == part.max())[0])
    return (bottom, top) if bottom < top else (first, last)


def _standing(ran: npt.NDArray[np.bool_], first: int, last: int) -> list[tuple[int, int]]:
    """Stretches within `first..last` between whose fixes the vehicle stood with its engine off."""
    still = ~(ran[first:last] | ran[first + 1 : last + 1])
    return [(begin, end + 1) for begin, end in _stretches(still, first)]


def _stretches(flags: npt.NDArray[np.bool_], offset: int) -> list[tuple[int, int]]:
    """The first and last place, counted from `offset`, of each row of flags that are set."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))) + offset
    return [(begin, end - 1) for begin, end in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True)]


def _change(index: npt.NDArray[np.intp], times: FloatArray, level: FloatArray, first: int, last: int) -> FuelChange:
    return FuelChange(
        index=int(index[last]),
        started_seconds=float(times[first]),
        ended_seconds=float(times[last]),
        liters=float(level[last] - level[first]),
        level_before_liters=float(level[first]),
        level_after_liters=float(level[last]),
    )
