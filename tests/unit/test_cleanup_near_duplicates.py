"""Which positions repeat the one before."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.services.cleanup.near_duplicates import Neighbours, pick_near_duplicates

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
METER = 1 / 111_195  # degrees of latitude


def pairs(*fixes: tuple[float, float], device_id: int = 1, must_stay: float = -1) -> list[Neighbours]:
    """Neighbours of (seconds, meters north) in order."""
    made = []
    for (before, before_meters), (second, meters) in itertools.pairwise(fixes):
        made.append(
            Neighbours(
                device_id,
                START + timedelta(seconds=before),
                -23.5 + before_meters * METER,
                -46.6,
                START + timedelta(seconds=second),
                -23.5 + meters * METER,
                -46.6,
                second == must_stay,
            )
        )
    return made


def picked(found: list[Neighbours]) -> list[float]:
    keys = pick_near_duplicates(found, tolerance_meters=1.0, within=timedelta(seconds=1))
    return [round((at - START).total_seconds(), 1) for _device, at in keys]


@pytest.mark.parametrize(
    ("fixes", "expected"),
    [
        ([(0, 0), (0.4, 0.5)], [0.4]),
        ([(0, 0), (0.4, 1.5)], []),
        ([(0, 0), (1.0, 0)], []),
        ([(0, 0), (0.9, 0), (1.5, 0)], [0.9]),
        ([(0, 0), (0.3, 0), (0.6, 0), (0.9, 0), (1.2, 0), (1.5, 0)], [0.3, 0.6, 0.9, 1.5]),
        ([(0, 0), (0.2, 0.8), (0.4, 1.6), (0.6, 2.4)], [0.2, 0.6]),
        ([], []),
    ],
)
def test_of_a_run_of_close_fixes_the_first_and_those_far_enough_from_it_stay(fixes, expected):
    assert picked(pairs(*fixes)) == expected


def test_two_devices_at_one_place_are_no_duplicates_of_each_other():
    found = pairs((0, 0), (0.4, 0)) + pairs((0.5, 0), (0.6, 0), device_id=2)
    assert picked(found) == [0.4, 0.6]


def test_a_protected_position_stays_and_what_follows_is_measured_from_it():
    assert picked(pairs((0, 0), (0.4, 0), (0.8, 0), must_stay=0.4)) == [0.8]


def test_a_gap_between_pairs_starts_anew():
    assert picked(pairs((0, 0), (0.4, 0)) + pairs((0.5, 0), (0.9, 0))) == [0.4, 0.9]
