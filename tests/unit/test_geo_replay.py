"""Replays: where a vehicle was at a moment, and tracks thinned so that it is seen there."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.geo.simplify import simplified_in_time
from tasks_app.geo.whereabouts import where_at

TIMES = np.array([100.0, 160.0, 220.0, 2000.0])
LATITUDES, LONGITUDES = np.array([0.0, 0.0, 0.0, 1.0]), np.array([10.0, 10.1, 10.2, 11.0])


@pytest.mark.parametrize(
    ("at", "place", "between", "age"),
    [
        (100, (0.0, 10.0), (0, 1), 0),  # at a fix: its place
        (130, (0.0, 10.05), (0, 1), 30),  # half way between two
        (220, (0.0, 10.2), (2, 3), 0),
        (1000, (0.0, 10.2), (2, 3), 780),  # in a silence: where it was last
        (2000, (1.0, 11.0), (3, None), 0),
        (9000, (1.0, 11.0), (3, None), 7000),  # after the last fix
        (40, (0.0, 10.0), (None, 0), 60),  # before the first
    ],
)
def test_it_says_where_a_vehicle_was_and_between_which_fixes(at, place, between, age):
    found = where_at(TIMES, LATITUDES, LONGITUDES, at, max_gap_seconds=300)
    assert (found.latitude, found.longitude) == pytest.approx(place)
    assert (found.before, found.after, found.age_seconds) == (*between, age)
    assert found.is_between == (at == 130)


def test_without_fixes_it_says_nothing():
    assert where_at(np.array([]), np.array([]), np.array([]), 0, max_gap_seconds=300) is None


def test_between_two_sides_of_the_180th_meridian_it_is_beside_it():
    found = where_at(np.array([0.0, 10.0]), np.zeros(2), np.array([179.9, -179.9]), 7.5, max_gap_seconds=300)
    assert found.longitude == pytest.approx(-179.95)


def drive_with_a_wait() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A kilometre east, a wait of ten minutes, a kilometre east, a fix a second."""
    meters = np.concatenate([np.linspace(0, 1000, 100), np.full(600, 1000.0), np.linspace(1000, 2000, 100)])
    return np.arange(800.0), np.zeros(800), meters / METERS_PER_DEGREE


def test_a_wait_on_a_straight_road_is_kept():
    chosen, tolerance_meters = simplified_in_time(*drive_with_a_wait(), tolerance_meters=5.0, max_points=100)
    assert len(chosen) <= 6
    assert tolerance_meters <= 5.0
    assert {0, 799} <= set(chosen.tolist())
    assert any(95 <= each <= 104 for each in chosen)
    assert any(694 <= each <= 704 for each in chosen)


def test_the_tolerance_said_holds_at_every_fix_however_few_points_there_may_be():
    random = np.random.default_rng(3)
    times = np.arange(20_000.0)
    latitudes, longitudes = np.cumsum(random.normal(0, 1e-4, (2, 20_000)), axis=1)
    chosen, tolerance_meters = simplified_in_time(times, latitudes, longitudes, tolerance_meters=1.0, max_points=500)
    assert len(chosen) == 500
    away = np.hypot(
        latitudes - np.interp(times, times[chosen], latitudes[chosen]),
        longitudes - np.interp(times, times[chosen], longitudes[chosen]),
    )
    assert away.max() * METERS_PER_DEGREE == pytest.approx(tolerance_meters, rel=0.01)
    assert tolerance_meters > 1.0


def test_ends_of_silences_are_kept_though_the_way_goes_straight_on():
    times = np.array([0.0, 10.0, 4000.0, 4010.0])
    chosen, _ = simplified_in_time(
        times, np.zeros(4), times / 1e5, tolerance_meters=5.0, max_points=100, always=np.array([1, 2])
    )
    assert chosen.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_track_of_hardly_any_fixes_is_kept_whole(count):
    chosen, tolerance_meters = simplified_in_time(
        np.arange(count), np.zeros(count), np.zeros(count), tolerance_meters=5.0, max_points=10
    )
    assert (len(chosen), tolerance_meters) == (count, 0.0)
