"""Top speeds and peaks: what a receiver says once, by mistake, is neither."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.geo.figures import Columns, figures_of_parts
from tasks_app.geo.motion import detect_trips, driven_speeds_kph
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.steps import read_steps
from tasks_app.models.devices import DeviceKind

NAN = float("nan")


def drive(kph, every=1.0, minutes=20, sent=False):
    """A way north at one speed; seconds, meters and the speeds sent."""
    seconds = np.arange(0.0, minutes * 60.0 + 1.0, every)
    return seconds, seconds * kph / 3.6, np.full(len(seconds), float(kph) if sent else NAN)


def tops(track, kind):
    """The top speed of the trip, of the part of a day and of the route."""
    seconds, meters, speeds = track
    places = (1.78e9 + seconds, -23.5 + meters / METERS_PER_DEGREE, np.full(len(seconds), -46.6), speeds)
    rules = motion_rules(kind)
    steps = read_steps(*places, rules=rules)
    figures = figures_of_parts(Columns(*places, speeds), steps, [places[0][0], places[0][-1] + 1])
    trips = detect_trips(*places, rules=rules)
    return max(trip.max_speed_kph for trip in trips), figures[0].max_speed_kph, float(driven_speeds_kph(steps).max())


@pytest.mark.parametrize("kind", DeviceKind.values)
@pytest.mark.parametrize(
    ("every", "glitch_kph"),
    # In half a minute a vehicle may brake from 330 to 60 km/h, but not from 900.
    [*product([1.0, 2.0, 5.0, 10.0], [330.0, 900.0, 1150.0]), *product([30.0, 60.0], [900.0, 1150.0])],
)
def test_one_glitch_of_a_sent_speed_is_no_top(kind, every, glitch_kph):
    track = drive(60, every=every, sent=True)
    track[2][len(track[2]) // 2] = glitch_kph
    assert tops(track, kind) == pytest.approx((60, 60, 60), rel=0.01)


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0, 30.0, 60.0])
@pytest.mark.parametrize(
    ("kind", "kph", "glitch_kph"),
    [
        *[("truck", 60, 190), ("van", 60, 240), ("car", 60, 255), ("car", 130, 255), ("motorcycle", 90, 290)],
        *[("other", 60, 200), ("phone", 60, 255), ("phone", 310, 900), ("phone", 310, 500)],
    ],
)
def test_one_glitch_that_the_kind_could_reach_is_no_top(kind, kph, glitch_kph, every):
    track = drive(kph, every=every, sent=True)
    track[2][len(track[2]) // 2] = glitch_kph
    assert tops(track, kind) == pytest.approx((kph,) * 3, rel=0.01)


@pytest.mark.parametrize("every", [1, 10, 20])
def test_a_short_burst_is_believed(every):
    # 10 s at 250 km/h, 35 s from 120 km/h and 25 s back to it.
    speeds = np.concatenate([np.full(300, 120.0), np.linspace(120, 250, 35), np.full(10, 250.0)])
    speeds = np.concatenate([speeds, np.linspace(250, 120, 25), np.full(300, 120.0)])
    meters = np.cumsum(speeds / 3.6)
    for first in range(0, every, 3):
        track = tuple(each[first::every] for each in (np.arange(len(speeds), dtype=float), meters, speeds))
        assert tops(track, "car") == (track[2].max(),) * 3


@pytest.mark.parametrize(
    ("kind", "kph"), [("car", 180), ("phone", 310), ("phone", 900), ("motorcycle", 250), ("truck", 100)]
)
@pytest.mark.parametrize("every", [1.0, 10.0, 60.0])
@pytest.mark.parametrize("sent", [True, False])
def test_what_a_vehicle_drives_is_its_top(kind, kph, every, sent):
    assert tops(drive(kph, every=every, sent=sent), kind) == pytest.approx((kph,) * 3, rel=0.01)


@pytest.mark.parametrize("every", [1.0, 2.0, 5.0, 10.0])
def test_a_receiver_that_stuck_and_catches_up_makes_no_top(every):
    # A train at 120 km/h; its position stays for 25 s, then is 0.8 km on.
    seconds, meters, speeds = drive(120, every=every)
    stuck = (seconds > 600) & (seconds < 625)
    meters[stuck] = meters[seconds <= 600][-1]
    assert tops((seconds, meters, speeds), "phone") == pytest.approx((120, 120, 120), rel=0.02)


@pytest.mark.parametrize("every", [1.0, 2.0, 5.0, 10.0])
def test_a_fix_that_strays_makes_no_top(every):
    seconds, meters, speeds = drive(120, every=every)
    meters[len(meters) // 2] += 310.0
    assert tops((seconds, meters, speeds), "phone") == pytest.approx((120, 120, 120), rel=0.02)


def test_hard_braking_and_acceleration_are_believed():
    # From 0 to 100 km/h in 4 s and back in 3 s, a fix a second, every minute.
    profile = np.concatenate([np.zeros(20), [25, 50, 75], np.full(34, 100.0), [67, 33, 0]])
    speeds = np.tile(profile, 20)
    meters = np.cumsum(speeds / 3.6)
    assert tops((np.arange(len(speeds), dtype=float), meters, speeds), "motorcycle") == (100, 100, 100)


def test_a_moment_between_two_silences_tells_no_top():
    # Ten minutes of walking, two hours of silence, two fixes a second apart after it, another minute, and on.
    seconds, meters, _unsent = drive(5, every=5)
    again = seconds[-1] + 7200
    seconds = np.concatenate([seconds, again + np.array([0, 1]), again + 60 + seconds])
    meters = np.concatenate([meters, meters[-1] + np.array([400, 462]), meters[-1] + 480 + meters])
    assert tops((seconds, meters, np.full(len(seconds), NAN)), "phone")[0] == pytest.approx(5, abs=1)
