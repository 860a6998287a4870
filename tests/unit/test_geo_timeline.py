"""A part of a track tells the same trips and stops as the whole one, as far as it says that it is certain."""

from __future__ import annotations

import numpy as np
import pytest

from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.geo.motion import timeline
from tasks_app.geo.motion_rules import RULES_BY_KIND, motion_rules
from tasks_app.geo.steps import read_steps

START = 1_700_000_000.0
CAR = motion_rules("car")


def random_track(seed: int) -> tuple:
    """Hours of driving, jams, stops, silences, jumps and scatter at changing rates, some speeds sent and some not."""
    random = np.random.default_rng(seed)
    seconds, speeds = [], []
    for _phase in range(40):
        every = random.choice([1.0, 5.0, 10.0, 30.0, 60.0])
        count = int(random.integers(1, 60))
        kph = random.choice([0.0, 0.0, 3.0, 8.0, 40.0, 100.0])
        seconds += [every] * count
        speeds += [kph] * count
        if random.random() < 0.2:
            seconds.append(float(random.choice([170, 200, 1500, 1900, 7200])))
            speeds.append(float(random.choice([0.0, 40.0])))
    times = START + np.cumsum(seconds)
    meters = np.cumsum(np.array(seconds) * np.array(speeds) / 3.6)
    heading = np.cumsum(random.normal(0, 0.1, len(times)))
    north = np.cumsum(np.diff(meters, prepend=0) * np.cos(heading)) + random.normal(0, 3, len(times))
    east = np.cumsum(np.diff(meters, prepend=0) * np.sin(heading)) + random.normal(0, 3, len(times))
    jumped = random.random(len(times)) < 0.01
    north[jumped] += 50_000
    sent = np.where(random.random(len(times)) < 0.5, np.array(speeds), np.nan)
    return times, -23.5 + north / METERS_PER_DEGREE, -46.6 + east / METERS_PER_DEGREE, sent


def whole_timeline(track, rules):
    return timeline(read_steps(*track, rules=rules))


def part_timeline(track, first, end, rules):
    is_first, is_last = first == 0, end == len(track[0])
    part = tuple(values[first:end] for values in track)
    steps = read_steps(*part, rules=rules).inner(is_first=is_first, is_last=is_last)
    return timeline(steps, is_first=is_first, is_last=is_last)


def spans_within(found, low, high):
    """Return trips and stops within a stretch of time, without their places in the arrays."""
    return [
        (type(one).__name__, one.started_seconds, one.ended_seconds, round(getattr(one, "distance_meters", 0.0), 3))
        for one in [*found.trips, *found.stops]
        if one.started_seconds >= low and one.ended_seconds <= high
    ]


@pytest.mark.parametrize("kind", ["car", *RULES_BY_KIND])
@pytest.mark.parametrize("seed", range(6))
def test_a_part_says_what_the_whole_says_where_it_is_certain(seed, kind):
    track, rules = random_track(seed), motion_rules(kind)
    whole, random = whole_timeline(track, rules), np.random.default_rng(seed)
    compared = 0
    for _try in range(25):
        first, end = sorted(random.integers(0, len(track[0]) + 1, 2).tolist())
        part = part_timeline(track, first, end, rules)
        low, high = part.certain_from_seconds, part.certain_to_seconds
        compared += len(spans_within(part, low, high))
        assert spans_within(part, low, high) == spans_within(whole, low, high)
    assert compared


@pytest.mark.parametrize("seed", range(4))
def test_reading_on_from_where_it_is_open_finds_every_trip_once(seed):
    track, rules = random_track(seed), motion_rules("car")
    whole, found, open_from = whole_timeline(track, rules), [], -np.inf
    for end in range(20, len(track[0]) + 20, 20):
        now = tuple(values[:end] for values in track)
        is_last = end >= len(track[0])
        steps = read_steps(*now, rules=rules).inner(is_first=True, is_last=is_last)
        steps = steps.part(int(np.searchsorted(steps.times, open_from)), len(steps))
        part = timeline(steps, is_last=is_last)
        found += [trip for trip in part.trips if trip != part.open_trip]
        open_from = max(open_from, part.open_from_seconds)
    assert [trip.started_seconds for trip in found] == [trip.started_seconds for trip in whole.trips]
    assert [trip.distance_meters for trip in found] == [trip.distance_meters for trip in whole.trips]


def test_a_trip_that_began_and_is_not_over_is_open():
    times, meters = START + np.arange(60) * 10.0, np.arange(60) * 150.0
    latitudes, longitudes = -23.5 + meters / METERS_PER_DEGREE, np.full(60, -46.6)
    going = timeline(
        read_steps(times, latitudes, longitudes, rules=CAR).inner(is_first=True, is_last=False), is_last=False
    )
    assert going.open_trip is not None
    assert going.open_trip.started_seconds == times[0]
    assert going.open_from_seconds == times[0]
    over = timeline(read_steps(times, latitudes, longitudes, rules=CAR))
    assert over.open_trip is None
    assert len(over.trips) == 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_fixes_say_nothing(count):
    times = START + np.arange(count) * 10.0
    for ends in (True, False):
        steps = read_steps(times, np.zeros(count), np.zeros(count), rules=CAR).inner(is_first=ends, is_last=ends)
        found = timeline(steps, is_first=ends, is_last=ends)
        assert (found.trips, found.stops, found.open_trip) == ([], [], None)
