import numpy as np
import pytest

from tasks_app.geo.distance import (
    EARTH_RADIUS_METERS,
    haversine_meters,
    initial_bearing_degrees,
    step_distances_meters,
    wrapped_longitude_delta,
)

ONE_DEGREE_METERS = EARTH_RADIUS_METERS * np.pi / 180  # 111 195.08 m


@pytest.mark.parametrize(
    ("start", "end", "meters"),
    [
        ((0, 0), (0, 0), 0.0),
        ((0, 0), (1, 0), 111_195.08),
        ((0, 0), (0, 1), 111_195.08),
        ((60, 0), (60, 1), 55_595.42),  # cos 60 degrees = 1/2, less the great circle's short cut
        ((0, 179.5), (0, -179.5), 111_195.08),
        ((90, 0), (-90, 0), np.pi * EARTH_RADIUS_METERS),
        ((0, 0), (0, 180), np.pi * EARTH_RADIUS_METERS),
        ((89.5, 0), (89.5, 180), 111_195.08),
        ((-23.5505, -46.6333), (-22.9068, -43.1729), 360_749.0),  # Sao Paulo to Rio de Janeiro
    ],
)
def test_it_measures_great_circle_distances(start, end, meters):
    assert float(haversine_meters(*start, *end)) == pytest.approx(meters, rel=1e-4, abs=0.01)


def test_it_measures_a_few_meters_without_losing_precision():
    assert float(haversine_meters(45, 7, 45 + 1e-5, 7)) == pytest.approx(ONE_DEGREE_METERS * 1e-5, rel=1e-6)


@pytest.mark.parametrize(
    ("end", "degrees"),
    [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270), ((0, 0), 0), ((1, -1e-300), 0)],
)
def test_it_gives_the_bearing_clockwise_from_north(end, degrees):
    assert float(initial_bearing_degrees(0, 0, *end)) == pytest.approx(degrees, abs=1e-9)


def test_it_leaves_a_parallel_towards_the_pole():
    assert float(initial_bearing_degrees(45, 0, 45, 90)) == pytest.approx(54.7356, abs=1e-4)


def test_it_steps_from_fix_to_fix_and_keeps_nan_as_nan():
    steps = step_distances_meters([0, 1, 1, np.nan], [0, 0, 1, 1])
    assert steps.shape == (3,)
    assert steps[0] == pytest.approx(ONE_DEGREE_METERS)
    assert np.isnan(steps[2])


@pytest.mark.parametrize("count", [0, 1])
def test_it_has_no_step_for_fewer_than_two_fixes(count):
    assert step_distances_meters([0.0] * count, [0.0] * count).shape == (0,)


def test_it_takes_the_short_way_round():
    assert wrapped_longitude_delta([179, -179, 10], [-179, 179, 20]).tolist() == [-2, 2, -10]
