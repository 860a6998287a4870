"""Graphs of many measurements: no peak is lost, silences stay silent."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.reduction import bridged, column_of, extremes, low_and_high

NAN = float("nan")


@pytest.mark.parametrize(
    ("places", "values", "lows", "highs"),
    [
        ([], [], [NAN, NAN], [NAN, NAN]),
        ([0, 1, 2, 9.9], [5, 3, 8, 1], [3, 1], [8, 1]),  # the second half has one fix
        ([0, 5, 10], [1, 2, 3], [1, 2], [1, 3]),  # the border belongs to the right, the end to the last
        ([1, 2], [NAN, 4], [4, NAN], [4, NAN]),  # a fix without a speed is none
        ([1, 2], [NAN, NAN], [NAN, NAN], [NAN, NAN]),
    ],
)
def test_each_column_has_its_lowest_and_highest_value(places, values, lows, highs):
    found = low_and_high(places, values, start=0, end=10, columns=2)
    np.testing.assert_array_equal(found, [lows, highs])


def test_no_peak_of_a_hundred_thousand_values_is_lost():
    speeds = np.full(100_000, 20.0)
    speeds[77_777], speeds[3] = 141.5, 0.0
    lows, highs = low_and_high(np.arange(100_000), speeds, start=0, end=100_000, columns=720)
    assert (np.nanmin(lows), np.nanmax(highs)) == (0.0, 141.5)
    assert int(np.nanargmax(highs)) == 77_777 * 720 // 100_000


def test_of_equal_values_the_first_is_named():
    found, lowest, highest = extremes(column_of([0, 1, 2, 3], 0, 4, 1), np.array([7.0, 9.0, 9.0, 7.0]))
    assert (found.tolist(), lowest.tolist(), highest.tolist()) == ([0], [0], [1])


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([1, NAN, 3], [1, 2, 3]),
        ([1, NAN, NAN, 4], [1, NAN, NAN, 4]),  # too far apart: nothing is known between
        ([NAN, 1, NAN], [NAN, 1, NAN]),
        ([NAN], [NAN]),
    ],
)
def test_lines_cross_short_silences_only(values, shown):
    np.testing.assert_array_equal(bridged(np.array(values, dtype=float), 2), shown)
