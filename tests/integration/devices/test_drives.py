"""The same trip whatever range is asked, out of the database."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tasks_app.geo.motion import timeline
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.steps import read_steps
from tasks_app.ingest.fix import Fix
from tasks_app.queries.drives import read_drive
from tasks_app.services.positions.store import store_fixes

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
# On the equator, a degree of longitude is 111.319 km.
KM = 1 / 111.319


def store(device, *phases: tuple[timedelta, timedelta, float]) -> None:
    """Fixes of phases (how long, how often, how fast in km/h) one after the other, driving east."""
    at, longitude, fixes = START, -46.0, []
    for length, every, kph in phases:
        for _step in range(int(length / every)):
            fixes.append(Fix(device.unique_id, at, 0.1, longitude, speed_kph=kph))
            at += every
            longitude += kph * (every / timedelta(hours=1)) * KM
    store_fixes(fixes, at, announce=False)


def spans(found) -> list[tuple[float, float]]:
    return [(one.started_seconds, one.ended_seconds) for one in found]


MINUTES, HOURS, DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def day_of_trips(device):
    driving, standing, quiet = (40 * MINUTES, MINUTES, 60.0), (20 * MINUTES, MINUTES, 0.0), (26 * HOURS, HOURS / 4, 0.0)
    store(device, standing, *[driving, standing] * 6, quiet, driving, standing, quiet, driving, standing)
    return device


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [1, 3, 7, 24])
def test_a_trip_is_the_same_whatever_range_is_asked(day_of_trips, hours):
    whole = read_drive(day_of_trips, START - DAYS, START + 7 * DAYS)
    assert (len(whole.trips), len(whole.stops)) == (8, 9)
    for number in range(0, 80, hours):
        start = START + number * HOURS + 7 * MINUTES
        part = read_drive(day_of_trips, start, start + hours * HOURS)
        low, high = start.timestamp(), (start + hours * HOURS).timestamp()
        for name in ("trips", "stops"):
            touching = [span for span in spans(getattr(whole, name)) if span[0] < high and span[1] > low]
            assert spans(getattr(part, name)) == touching


@pytest.mark.django_db
def test_a_trip_of_three_months_is_one_trip(device):
    every = 29 * MINUTES
    store(device, (HOURS, 10 * MINUTES, 0.0), (90 * DAYS, every, 8.0), (10 * HOURS, every, 0.0))
    whole = read_drive(device, START, START + 92 * DAYS)
    assert len(whole.trips) == 1
    assert whole.trips[0].duration_seconds > 89 * 86_400
    for day in (3, 45, 88):
        part = read_drive(device, START + day * DAYS, START + day * DAYS + HOURS)
        assert spans(part.trips) == spans(whole.trips)


@pytest.mark.django_db
def test_a_stop_of_three_months_is_one_stop(device):
    store(device, (HOURS, MINUTES, 60.0), (90 * DAYS, 6 * HOURS, 0.0), (HOURS, MINUTES, 60.0))
    whole = read_drive(device, START, START + 92 * DAYS)
    assert [stop.duration_seconds // 86_400 for stop in whole.stops] == [90]
    for day in (1, 45, 89):
        part = read_drive(device, START + day * DAYS, START + day * DAYS + MINUTES)
        assert spans(part.stops) == spans(whole.stops)


@pytest.mark.django_db
def test_a_range_without_fixes_has_no_trips(device):
    drive = read_drive(device, START, START + DAYS)
    assert (drive.trips, drive.stops, len(drive.fixes)) == ([], [], 0)


def geolife_tracks(traces_dir) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per person: times, latitudes, longitudes, each moment once."""
    rows: dict[str, dict[float, tuple[float, float]]] = {}
    with gzip.open(traces_dir / "geolife_sample.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["timestamp"]).timestamp()
            rows.setdefault(row["device_id"], {})[at] = (float(row["latitude"]), float(row["longitude"]))
    tracks = []
    for fixes in rows.values():
        times = np.array(sorted(fixes))
        places = np.array([fixes[at] for at in times.tolist()])
        tracks.append((times, places[:, 0], places[:, 1]))
    return tracks


def test_real_trips_are_the_same_whatever_part_is_read(traces_dir):
    random, rules, compared = np.random.default_rng(4), motion_rules("phone"), 0
    for track in geolife_tracks(traces_dir):
        whole = timeline(read_steps(*track, rules=rules))
        for _try in range(20):
            first, end = sorted(random.integers(0, len(track[0]) + 1, 2).tolist())
            steps = read_steps(*(values[first:end] for values in track), rules=rules)
            part = timeline(steps.inner(is_first=False, is_last=False), is_first=False, is_last=False)
            low, high = part.certain_from_seconds, part.certain_to_seconds
            for name in ("trips", "stops"):
                expected = [span for span in spans(getattr(whole, name)) if span[0] >= low and span[1] <= high]
                found = [span for span in spans(getattr(part, name)) if span[0] >= low and span[1] <= high]
                assert found == expected
                compared += len(found)
    assert compared > 1000


@pytest.mark.parametrize(
    ("person", "begin", "end"),
    [
        # half an hour within 56 m of its first fix, whose fixes lie up to 40 m apart within a minute
        (8, "2008-10-29T08:20:00Z", "2008-10-29T08:40:00Z"),
        (5, "2008-10-29T02:40:00Z", "2008-10-29T03:00:00Z"),
    ],
)
def test_the_wandering_position_of_a_phone_indoors_is_a_stop(traces_dir, person, begin, end):
    times, *places = geolife_tracks(traces_dir)[person]
    drive = timeline(read_steps(times, *places, rules=motion_rules("phone")))
    low, high = (datetime.fromisoformat(at).timestamp() for at in (begin, end))
    assert any(stop.started_seconds <= low and stop.ended_seconds >= high for stop in drive.stops)
    assert not any(trip.started_seconds < high and trip.ended_seconds > low for trip in drive.trips)
