"""Gained ground tells the driving of a device that sends no speed from the scatter of a standing receiver."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.motion import detect_trips
from tasks_app.geo.motion_rules import RULES_BY_KIND, motion_rules
from tests.support.figures import whole_figures
from tests.support.noise import legs, noisy

HOUR = 3600.0
STAND = (600.0,)
LOT = [(0, 80, 8), (90, 15, 8), (180, 80, 8), (90, 15, 8)] * 2
CITY = [(0, 90, 25), (20,), (90, 90, 25), (0, 60, 6), (10,)] * 15
COURIER = [(0, 400, 30), (90, 300, 30), (30,), (180, 400, 30), (270, 300, 30)]
BLOCKS = [(0, 120, 4), (90, 120, 4)] * 17


@pytest.mark.parametrize("kind", ["car", *RULES_BY_KIND])
@pytest.mark.parametrize("every", [1.0, 10.0, 60.0])
@pytest.mark.parametrize(("meters", "seconds"), [(5, 0), (30, 0), (5, 90), (15, 90), (30, 30), (30, 90), (30, 300)])
def test_a_parked_device_makes_no_trip_and_no_way_however_its_position_strays(kind, every, meters, seconds):
    track = noisy(legs(every, (12 * HOUR,)), meters, seconds, seed=meters + seconds)
    metrics = whole_figures(*track, rules=motion_rules(kind))
    assert detect_trips(*track, rules=motion_rules(kind)) == []
    assert (metrics.distance_meters, metrics.moving_seconds, metrics.max_speed_kph) == (0, 0, 0)
    assert metrics.stopped_seconds == 12 * HOUR


@pytest.mark.parametrize("kind", ["car", "phone"])
@pytest.mark.parametrize("every", [1.0, 5.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize(("meters", "seconds"), [(5, 90), (30, 0), (30, 30), (30, 300), (50, 0)])
@pytest.mark.parametrize("sent_kph", [0.0, 0.5, 1.5, 3.0])
def test_speeds_that_a_parked_device_sends_make_no_trip_of_its_scatter(kind, every, meters, seconds, sent_kph):
    track = noisy(legs(every, (6 * HOUR,)), meters, seconds, seed=meters + seconds)
    speeds = np.abs(np.random.default_rng(1).normal(0.0, sent_kph, len(track[0])))
    assert detect_trips(*track, speeds, rules=motion_rules(kind)) == []
    assert whole_figures(*track, speeds, rules=motion_rules(kind)).distance_meters < 20


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize("kind", ["car", "phone"])
def test_white_errors_of_50_meters_without_speeds_make_no_trip(kind, every):
    track = noisy(legs(every, (12 * HOUR,)), 50, 0)
    assert detect_trips(*track, rules=motion_rules(kind)) == []
    assert whole_figures(*track, rules=motion_rules(kind)).distance_meters < 50


@pytest.mark.parametrize("every", [1.0, 10.0, 30.0])
@pytest.mark.parametrize(("meters", "seconds"), [(0, 1), (3, 60)])
@pytest.mark.parametrize(
    ("kind", "kph", "way"),
    [
        ("phone", 4, [(0, 4000, 4)]),
        ("phone", 5, [(0, 4000, 5)]),
        ("phone", 18, [(0, 6000, 18)]),
        ("motorcycle", 60, [(0, 20_000, 60)]),
        ("other", 12, [(0, 6000, 12)]),
        ("other", 290, [(0, 100_000, 290)]),
    ],
)
def test_a_way_at_jittering_sent_speeds_is_as_long_as_it_is(kind, kph, way, every, meters, seconds):
    track = noisy(legs(every, STAND, *way, STAND), meters, seconds)
    since = track[0] - track[0][0] - STAND[0]
    jitter = np.random.default_rng(1).normal(0.0, 0.5, len(since))
    goes = (since > 0) & (since <= way[0][1] / kph * 3.6)
    speeds = np.abs(np.where(goes, kph, 0.0) + jitter)
    metrics = whole_figures(*track, speeds, rules=motion_rules(kind))
    assert metrics.distance_meters == pytest.approx(way[0][1], rel=0.03)
    assert metrics.average_speed_kph <= metrics.max_speed_kph < kph + 3
    assert len(detect_trips(*track, speeds, rules=motion_rules(kind))) == 1


def test_a_parked_device_heard_of_every_hour_makes_no_way():
    track = noisy(legs(HOUR, (1000 * HOUR,)), 30, 300)
    assert whole_figures(*track, rules=motion_rules("phone")).distance_meters == 0


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0])
@pytest.mark.parametrize(("meters", "seconds"), [(0, 1), (3, 60), (5, 90)])
@pytest.mark.parametrize(
    ("kind", "way", "kilometers"),
    [
        ("phone", [(0, 4000, 4)], 4.0),
        ("phone", BLOCKS, 4.08),
        ("car", COURIER, 1.4),
        ("car", CITY, 3.6),
    ],
    ids=["walk", "walk around blocks", "courier", "city"],
)
def test_a_slow_or_short_or_winding_way_counts(every, meters, seconds, kind, way, kilometers):
    track = noisy(legs(every, STAND, *way, STAND), meters, seconds)
    (trip,) = detect_trips(*track, rules=motion_rules(kind))
    metrics = whole_figures(*track, rules=motion_rules(kind))
    # a fix every ten seconds cuts the corners of the city
    assert 0.9 * kilometers < metrics.distance_meters / 1000 < 1.06 * kilometers
    assert trip.distance_meters == pytest.approx(metrics.distance_meters, rel=0.02)


@pytest.mark.parametrize("meters", [0, 3])
def test_crawling_in_a_parking_lot_counts_where_fixes_follow_each_other_closely(meters):
    metrics = whole_figures(*noisy(legs(1.0, STAND, *LOT, STAND), meters, 60), rules=motion_rules("car"))
    assert 330 < metrics.distance_meters < 400  # of 380


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0])
def test_crawling_in_a_parking_lot_counts_where_speeds_are_sent(every):
    way = legs(every, STAND, *LOT, STAND)
    speeds = [8.0 if 600 < seconds <= 770 else 0.0 for seconds in way[0]]
    metrics = whole_figures(*noisy(way, 3, 60), speeds, rules=motion_rules("car"))
    assert 300 < metrics.distance_meters < 480


def test_the_way_of_a_walk_is_not_the_sum_of_the_errors_of_a_fix_a_second():
    metrics = whole_figures(*noisy(legs(1.0, (0, 4000, 4)), 3, 0), rules=motion_rules("phone"))
    assert metrics.distance_meters < 4800  # of 20 km from fix to fix
    assert metrics.max_speed_kph < 12  # of 64 km/h
