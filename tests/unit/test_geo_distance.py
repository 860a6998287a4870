import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import example, given
from hypothesis import strategies as st

from tasks_app.geo.distance import (
    EARTH_RADIUS_METERS,
    HALF_MERIDIAN_METERS,
    LEAST_METERS_PER_DEGREE,
    degree_meters,
    geodesic_meters,
    haversine_meters,
    initial_bearing_degrees,
    step_distances_meters,
    wrapped_longitude_delta,
)

LATITUDES = st.floats(-90, 90) | st.sampled_from([-90.0, -89.9999, 0.0, 1e-7, 89.9999, 90.0])
LONGITUDES = st.floats(-180, 180) | st.sampled_from([-180.0, -179.9999, 0.0, 179.9999, 180.0])
AZIMUTHS = st.floats(-180, 180) | st.sampled_from([0.0, 90.0, 180.0])


def exact_meters(*places):
    """The geodesic by Karney's algorithm, right to some nanometers."""
    return Geodesic.WGS84.Inverse(*places)["s12"]


@pytest.mark.parametrize(
    ("start", "end", "meters"),
    [
        ((0, 0), (0, 0), 0.0),
        ((0, 0), (1, 0), 110_574.389),
        ((0, 0), (0, 1), 111_319.491),
        ((60, 0), (60, 1), 55_799.470),
        ((0, 179.5), (0, -179.5), 111_319.491),
        ((90, 0), (-90, 0), HALF_MERIDIAN_METERS),
        ((0, 0), (0, 180), HALF_MERIDIAN_METERS),
        ((89.5, 0), (89.5, 180), 111_693.951),
        ((-23.5505, -46.6333), (-22.9068, -43.1729), exact_meters(-23.5505, -46.6333, -22.9068, -43.1729)),
    ],
)
def test_it_measures_the_geodesic_of_the_ellipsoid(start, end, meters):
    assert float(geodesic_meters(*start, *end)) == pytest.approx(meters, rel=5e-6, abs=1e-6)


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


@given(LATITUDES, LONGITUDES, AZIMUTHS, st.floats(-2, 5).map(lambda power: 10.0**power))
@example(90.0, 0.0, 180.0, 99_999.0)
@example(89.9, 10.0, 0.0, 99_999.0)
@example(-45.0, 179.9999, 90.0, 50_000.0)
def test_it_is_right_to_a_millionth_for_steps_of_any_vehicle(latitude, longitude, azimuth, meters):
    end = Geodesic.WGS84.Direct(latitude, longitude, azimuth, meters)
    places = latitude, longitude, end["lat2"], end["lon2"]
    assert float(geodesic_meters(*places)) == pytest.approx(exact_meters(*places), rel=1.5e-6, abs=1e-8)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
@example(0.0, 0.0, 0.0, 180.0)
@example(0.0, 0.0, 0.1, 179.6)
@example(30.0, 10.0, -30.0, -170.0)
@example(30.0, 10.0, -29.9, -170.1)
@example(-90.0, 5.0, 90.0, 120.0)
def test_it_is_within_the_stated_bounds_over_any_distance(latitude, longitude, to_latitude, to_longitude):
    places = latitude, longitude, to_latitude, to_longitude
    exact = exact_meters(*places)
    bound = 1e-5 if exact < 15_000_000 else 4e-5 if exact < 19_000_000 else 1e-3
    assert float(geodesic_meters(*places)) == pytest.approx(exact, rel=bound, abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_it_gives_the_same_of_a_track_as_of_its_pairs(seed):
    random = np.random.default_rng(seed)
    latitudes = np.clip(np.cumsum(random.normal(0, 10.0 ** -random.integers(0, 6, 500))), -90, 90)
    longitudes = wrapped_longitude_delta(np.cumsum(random.normal(0, 10.0 ** -random.integers(0, 5, 500))), 0)
    pairs = geodesic_meters(latitudes[:-1], longitudes[:-1], latitudes[1:], longitudes[1:])
    assert np.array_equal(step_distances_meters(latitudes, longitudes), pairs)


@pytest.mark.parametrize("latitude", [-90, -60, 0, 23.55, 89])
def test_it_knows_how_long_a_degree_is(latitude):
    north, east = degree_meters(latitude)
    side = 1e-3 if latitude < 0 else -1e-3
    assert north == pytest.approx(exact_meters(latitude, 0, latitude + side, 0) * 1e3, rel=1e-5)
    assert east == pytest.approx(exact_meters(latitude, 0, latitude, 1e-3) * 1e3, rel=1e-5, abs=1e-6)


def test_no_degree_of_arc_is_shorter_than_the_least():
    starts = np.linspace(-90, 89, 180)
    assert (geodesic_meters(starts, 0, starts + 1e-3, 0) >= LEAST_METERS_PER_DEGREE * 1e-3 * (1 - 1e-9)).all()


def test_it_measures_one_place_against_many():
    assert geodesic_meters(0, 0, [0, 1, 50], [0, 1, 50]).shape == (3,)
    assert geodesic_meters([0, 1], 0, 0, [0, 100]).shape == (2,)


def test_it_measures_a_few_meters_without_losing_precision():
    assert float(geodesic_meters(45, 7, 45 + 1e-5, 7)) == pytest.approx(1.11131778, rel=1e-6)


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
    assert steps[0] == pytest.approx(110_574.389, rel=2e-6)
    assert np.isnan(steps[2])


@pytest.mark.parametrize("count", [0, 1])
def test_it_has_no_step_for_fewer_than_two_fixes(count):
    assert step_distances_meters([0.0] * count, [0.0] * count).shape == (0,)


def test_it_takes_the_short_way_round():
    assert wrapped_longitude_delta([179, -179, 10], [-179, 179, 20]).tolist() == [-2, 2, -10]
