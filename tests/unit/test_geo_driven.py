"""Of every step its way, its time and its speeds count together or not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.geo.figures import Columns, figures_of_parts, total
from tasks_app.geo.motion import detect_trips, timeline
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.steps import read_steps
from tests.support.drawn_tracks import KINDS, drawn_tracks
from tests.support.figures import whole_figures
from tests.support.noise import legs, noisy

CAR = motion_rules("car")


def figures_of(track: Any, kind: str, edges: list[float]) -> Any:
    columns = Columns(*track, np.full(len(track[0]), np.nan))
    return figures_of_parts(columns, read_steps(*track, rules=motion_rules(kind)), edges)


@settings(max_examples=300)
@given(drawn_tracks(), KINDS, st.lists(st.floats(0.0, 1.0), max_size=4))
def test_no_row_has_an_average_above_its_top_and_the_rows_add_up(track, kind, cuts):
    rules, span = motion_rules(kind), track[0][-1] - track[0][0]
    edges = [track[0][0], *sorted(track[0][0] + cut * span for cut in cuts), track[0][-1] + 1.0]
    whole, parts = whole_figures(*track, rules=rules), figures_of(track, kind, edges)
    trips = detect_trips(*track, rules=rules)
    for row in [whole, *parts, total(parts), *trips]:
        assert row.average_speed_kph <= row.max_speed_kph
        assert row.max_speed_kph <= rules.max_implied_kph * 1.001
    assert total(parts).distance_meters == pytest.approx(whole.distance_meters, abs=1e-3)
    assert total(parts).moving_seconds == pytest.approx(whole.moving_seconds, abs=1e-3)
    assert all((part.driven_meters > 1e-6) <= (part.moving_seconds > 0.0) for part in parts)


@settings(max_examples=100)
@given(drawn_tracks(), KINDS)
def test_the_trips_and_the_rest_are_the_way_of_the_whole(track, kind):
    steps = read_steps(*track, rules=motion_rules(kind))
    trips = timeline(steps).trips
    rest = np.ones(len(steps.seconds), dtype=bool)
    for trip in trips:
        first, last = np.searchsorted(steps.index, [trip.start_index, trip.end_index])
        rest[first:last] = False
    on_trips = sum(trip.distance_meters for trip in trips)
    line = steps.meters * (steps.moved_gap & ~steps.jump)
    whole = whole_figures(*track, rules=motion_rules(kind)).distance_meters
    assert on_trips + (steps.driven_meters + line)[rest].sum() == pytest.approx(whole, abs=1e-3)


def town(every_seconds: float, meters: float) -> Any:
    """A fix every few minutes, standing and driving in turn, then dense driving."""
    count = 20
    seconds = np.concatenate([np.arange(count + 1) * every_seconds, count * every_seconds + np.arange(1, 7) * 20.0])
    way = np.concatenate([np.arange(count + 1) * meters, count * meters + np.arange(1, 7) * 139.0])
    speeds = np.concatenate([np.arange(count + 1) % 2 * 25.0, np.full(6, 25.0)])
    longitudes = -46.6 + way / 111_195.08 / np.cos(np.radians(-23.5))
    return 1_780_000_000.0 + seconds, np.full(len(way), -23.5), longitudes, speeds


@pytest.mark.parametrize(("every", "meters"), [(600.0, 700.0), (300.0, 300.0), (1200.0, 1500.0)])
def test_a_way_between_standing_and_driving_takes_the_time_that_its_speed_needs(every, meters):
    metrics = whole_figures(*town(every, meters), rules=CAR)
    assert metrics.distance_meters == pytest.approx(20 * meters + 834, rel=0.005)
    assert metrics.average_speed_kph == pytest.approx(25, rel=0.01)
    assert metrics.max_speed_kph == pytest.approx(25, rel=0.01)
    assert metrics.moving_seconds + metrics.stopped_seconds == pytest.approx(20 * every + 120)


def test_the_speed_of_a_standing_device_is_not_its_top_speed():
    track = noisy(legs(10.0, (600,), (0, 2000, 36), (600,)), 0, 1)
    speeds = np.where((track[0] - track[0][0] > 600) & (track[0] - track[0][0] <= 800), 36.0, 0.0)
    speeds[10] = 120.0
    assert whole_figures(*track, speeds, rules=CAR).max_speed_kph == pytest.approx(36, rel=0.01)


def test_a_sent_speed_below_that_of_the_way_does_not_make_the_top_lower_than_the_average():
    track = noisy(legs(10.0, (0, 5000, 60)), 0, 1)
    metrics = whole_figures(*track, np.full(len(track[0]), 20.0), rules=CAR)
    assert metrics.max_speed_kph == metrics.average_speed_kph == pytest.approx(60, rel=0.01)


@pytest.mark.parametrize(("sent_kph", "average_kph"), [(59.8, 59.8), (60.0, 60.0), (60.3, 60.1)])
def test_a_sent_speed_that_is_right_within_its_error_is_the_top_and_the_average_no_higher(sent_kph, average_kph):
    # On the ellipsoid this is 60.1 km/h.
    track = noisy(legs(10.0, (90, 20_000, 60)), 0, 1)
    speeds = np.full(len(track[0]), sent_kph)
    whole, (trip,) = whole_figures(*track, speeds, rules=CAR), detect_trips(*track, speeds, rules=CAR)
    parts = figures_of((*track, speeds), "car", [track[0][0], track[0][50], track[0][-1] + 1.0])
    for row in [whole, trip, *parts, total(parts)]:
        assert (row.max_speed_kph, row.average_speed_kph) == (sent_kph, pytest.approx(average_kph, abs=0.02))
        assert row.average_speed_kph <= row.max_speed_kph
    assert total(parts).distance_meters == pytest.approx(whole.distance_meters) == pytest.approx(20_034, abs=5)
    assert total(parts).moving_seconds == whole.moving_seconds == 1200


@pytest.mark.parametrize("said", ["none", "all", "every other"])
def test_a_walk_with_a_fix_a_second_is_not_longer_because_its_speeds_are_sent(said):
    track = noisy(legs(1.0, (90, 4000, 4)), 3, 0)
    every = {"none": len(track[0]) + 1, "all": 1, "every other": 2}[said]
    is_sent = (np.arange(len(track[0])) + 1) % every == 0
    walk = (*track, np.where(is_sent, 4.0, np.nan))
    whole, parts = whole_figures(*walk, rules=motion_rules("phone")), figures_of(walk, "phone", [0.0, 2e9])
    for found in (whole, *parts):
        assert found.distance_meters == pytest.approx(4007, rel=0.15)
        assert found.max_speed_kph < (5 if said != "none" else 10)
