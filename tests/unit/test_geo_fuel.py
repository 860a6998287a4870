"""Fuel: used, refueled and drained, out of levels that slosh."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.fuel import counted_liters, fuel_use, levels_in_liters, min_change_liters

NAN = float("nan")


def use(*phases, slosh=0.0, min_change=4.0):
    """Phases of (fixes, from liters, to liters, running), a fix a minute."""
    levels, running = [], []
    for count, begin, end, runs in phases:
        levels += np.linspace(begin, end, count).tolist()
        running += [runs] * count
    random = np.random.default_rng(7)
    levels = np.array(levels) + random.uniform(-slosh, slosh, len(levels))
    return fuel_use(np.arange(len(levels)) * 60.0, levels, running, min_change=min_change)


def rounded_fuel(result):
    return (
        round(result.used_liters),
        [round(change.liters) for change in result.changes],
    )


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        # Drives, and uses 20 l.
        ([(60, 80, 60, True)], (20, [])),
        # Stands all night.
        ([(60, 80, 80, False)], (0, [])),
        # Uses 30 l, refuels 50 l, uses 10 l: a refuel does not make what was used less.
        ([(60, 50, 20, True), (5, 20, 20, False), (3, 70, 70, False), (60, 70, 60, True)], (40, [50])),
        # Ends fuller than it began.
        ([(30, 20, 15, True), (10, 75, 75, False)], (5, [60])),
        # Two refuels with a drive between them.
        (
            [
                (20, 30, 20, True),
                (5, 20, 20, False),
                (9, 50, 50, False),
                (20, 50, 40, True),
                (5, 40, 40, False),
                (9, 60, 60, False),
            ],
            (20, [30, 20]),
        ),
        # Two refuels with a drive between them that uses 2 l, less than any change.
        (
            [
                (20, 30, 20, True),
                (9, 20, 20, False),
                (9, 40, 40, False),
                (20, 40, 38, True),
                (9, 38, 38, False),
                (9, 70, 70, False),
            ],
            (12, [20, 32]),
        ),
        # A trickle at each of three stops, none of which is a change: they are one.
        (
            [
                (9, 20, 20, False),
                (9, 23, 23, False),
                (9, 23, 22, True),
                (9, 26, 26, False),
                (9, 26, 25, True),
                (9, 29, 29, False),
                (9, 29, 25, True),
            ],
            (4, [9]),
        ),
        # 25 l go while it stands with the engine off.
        ([(30, 80, 75, True), (20, 75, 50, False), (30, 50, 45, True)], (10, [-25])),
        # The engine runs while it stands (a crane): used, not stolen.
        ([(30, 80, 75, True), (120, 75, 50, True)], (30, [])),
        # Evaporation, or a cold night: too little to count.
        ([(60, 80, 77.5, False)], (2, [])),
        # Refueled slowly, a little each minute.
        ([(30, 40, 35, True), (20, 35, 85, False), (10, 85, 84, True)], (6, [50])),
        # Drained and refueled in one stop.
        ([(10, 60, 59, True), (10, 59, 30, False), (5, 30, 30, False), (10, 30, 90, False)], (1, [-29, 60])),
    ],
)
def test_it_tells_use_refuels_and_drains(phases, expected):
    assert rounded_fuel(use(*phases)) == expected


@pytest.mark.parametrize("slosh", [1.0, 2.0, 3.0])
def test_sloshing_is_neither_a_refuel_nor_a_drain(slosh):
    result = use((300, 80, 50, True), (30, 50, 50, False), (200, 90, 70, True), slosh=slosh, min_change=6.0)
    assert [round(change.liters, -1) for change in result.changes] == [40]
    assert result.used_liters == pytest.approx(50, abs=2 * slosh)


def test_a_refuel_says_when_and_from_what_to_what():
    (change,) = use((10, 50, 41, True), (5, 41, 41, False), (10, 80, 80, False)).changes
    assert (change.level_before_liters, change.level_after_liters) == (41, 80)
    assert 13 * 60 <= change.started_seconds < change.ended_seconds <= 17 * 60


def test_levels_that_were_not_sent_or_make_no_sense_are_left_out():
    levels = [50, NAN, 49, -1, 48, NAN, 47]
    assert fuel_use(np.arange(7.0), levels, [True] * 7).used_liters == pytest.approx(3, abs=2)
    assert fuel_use([0.0, 1.0], [NAN, NAN], [True, True]) is None
    assert fuel_use([], [], []) is None
    assert fuel_use([0.0], [50.0], [True]).used_liters == 0


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ([10, 12, 15], [0, 2, 3]),
        ([10, 12, 0, 3], [0, 2, 0, 3]),
        ([NAN, 7, NAN, 9], [0, 0, 0, 2]),
        ([NAN], [0]),
        ([5], [0]),
        ([], []),
    ],
)
def test_a_counter_of_fuel_only_grows(totals, expected):
    assert counted_liters(totals).tolist() == expected


def test_what_was_used_so_far_only_grows_and_stands_still_at_a_refuel():
    result = use((60, 50, 20, True), (5, 20, 20, False), (3, 70, 70, False), (60, 70, 60, True), slosh=2.0)
    assert (np.diff(result.used_so_far_liters) >= 0).all()
    at_refuel = (result.times_seconds >= 61 * 60) & (result.times_seconds <= 66 * 60)
    assert np.ptp(result.used_so_far_liters[at_refuel]) < 2


def test_a_percentage_needs_the_size_of_the_tank():
    liters, percent = np.array([NAN, 30.0, NAN]), np.array([50.0, 50.0, 300.0])
    assert levels_in_liters(liters, percent, 80.0).tolist()[:2] == [40.0, 30.0]
    assert np.isnan(levels_in_liters(liters, percent, 80.0)[2])
    assert np.isnan(levels_in_liters(liters, percent, None)[0])


def test_a_large_tank_needs_a_larger_change():
    assert (min_change_liters(None), min_change_liters(50), min_change_liters(400)) == (4, 4, 16)
