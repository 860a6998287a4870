"""The order in which the processes of the whole suite take its files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePath

from trackerproject.dev.test_servers import BEGUN_WITHIN, mixed

ACCEPTANCE = [PurePath("tests/acceptance", f"test_{number}.py") for number in range(0, 30, 2)]
BROWSER = [PurePath("tests/browser", f"test_{number}.py") for number in range(1, 20, 2)]
INTEGRATION = [PurePath("tests/integration/jobs", f"test_{number}.py") for number in range(200)]
UNIT = [PurePath("tests/unit/trackers", f"test_{number}.py") for number in range(100)]
WAITING = {*ACCEPTANCE, *BROWSER}
ALL = [*ACCEPTANCE, *BROWSER, *INTEGRATION, *UNIT]


def test_each_file_is_taken_once():
    assert sorted(mixed([*ALL, *ALL])) == sorted(ALL)


def test_files_that_wait_are_spread_among_those_that_compute():
    order = mixed(ALL)
    places = [number for number, file in enumerate(order) if file in WAITING]
    distances = {after - before for before, after in pairwise(places)}
    assert places[0] <= 1
    assert max(distances) - min(distances) <= 1
    assert places[-1] < len(WAITING) + BEGUN_WITHIN * len(INTEGRATION)


def test_short_tests_are_last_and_others_in_their_own_order():
    order = mixed(ALL)
    assert order[-len(UNIT) :] == UNIT
    assert [file for file in order if file in INTEGRATION] == INTEGRATION


def test_it_takes_any_selection():
    assert mixed([]) == []
    assert mixed(UNIT) == UNIT
    assert mixed(INTEGRATION) == INTEGRATION
    assert set(mixed(ACCEPTANCE)) == set(ACCEPTANCE)
