"""A day of a device: the trips, stops and silences of the reports, where it was at a moment, and what a replay needs."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tasks_app.geo.days import day_range
from tasks_app.ingest.fix import Fix
from tasks_app.models import Geofence
from tasks_app.queries.day_timeline import place_at, read_timeline
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ELEVEN, LATER, NEXT_DAY, build, drive, fixes, rows_of

pytestmark = pytest.mark.django_db


def test_its_entries_are_those_of_the_reports(device, fleet):
    drive(device)
    drive(device, start=ELEVEN + timedelta(hours=3))
    found = read_timeline(device, DAY, NEXT_DAY)
    trips = [entry for entry in found.entries if entry.kind == "trip"]
    stops = [entry for entry in found.entries if entry.kind == "stop"]
    asked = {"device": device, "range_end": NEXT_DAY}
    reported = [(row["started_at"], row["ended_at"]) for row in rows_of(build("trips", **asked), "trips")]
    assert [(trip.started_at, trip.ended_at) for trip in trips] == reported
    reported = [(row["started_at"], row["ended_at"]) for row in rows_of(build("stops", **asked), "stops")]
    assert [(stop.started_at, stop.ended_at) for stop in stops] == reported
    assert [entry.started_at for entry in found.entries] == sorted(entry.started_at for entry in found.entries)
    assert found.trip_count == 2


def test_places_have_the_names_of_geofences(device, fleet):
    area = {"type": "Circle", "coordinates": [-46.0, 0.0], "radius_meters": 200.0}
    Geofence.objects.create(fleet=fleet, name="Warehouse", area=area)
    drive(device)
    [trip] = [entry for entry in read_timeline(device, DAY, NEXT_DAY).entries if entry.kind == "trip"]
    assert (trip.place, trip.end_place) == ("Warehouse", "")


def test_a_silence_after_which_it_was_elsewhere_has_an_entry(device):
    store_fixes([*fixes(device), *fixes(device, ELEVEN + timedelta(hours=4), longitude=-45.0)], received_at=LATER)
    [silence] = [entry for entry in read_timeline(device, DAY, NEXT_DAY).entries if entry.kind == "silence"]
    assert silence.started_at == ELEVEN + timedelta(minutes=10)
    assert silence.duration_seconds == 4 * 3600 - 600


@pytest.mark.parametrize(
    ("minutes", "age_seconds", "is_between", "speed_kph"),
    [(0, 0, False, 66.792), (2.5, 30, True, 66.792), (10, 0, False, 66.792), (500, 29400, False, 66.792)],
)
def test_it_says_where_a_device_was(device, minutes, age_seconds, is_between, speed_kph):
    store_fixes(fixes(device), received_at=LATER)
    at = ELEVEN + timedelta(minutes=minutes)
    found = place_at(device, at)
    assert (found.found.age_seconds, found.found.is_between) == (age_seconds, is_between)
    assert found.before_at == ELEVEN + timedelta(minutes=min(int(minutes), 10))
    assert found.found.longitude == pytest.approx(-46.0 + min(minutes, 10) * 0.01)
    assert found.speed_kph == pytest.approx(speed_kph)


def test_a_single_fix_that_jumped_away_is_not_where_it_was(device):
    track = fixes(device)
    wrong = Fix(device.unique_id, ELEVEN + timedelta(minutes=5, seconds=30), 10.0, 10.0, speed_kph=60.0)
    store_fixes([*track, wrong], received_at=LATER)
    assert place_at(device, ELEVEN + timedelta(minutes=5, seconds=40)).found.longitude < -45.0


def test_of_a_device_without_positions_it_knows_nothing(device):
    assert place_at(device, ELEVEN) is None
    found = read_timeline(device, DAY, NEXT_DAY)
    assert (found.entries, found.fix_count) == ([], 0)
    replay = found.replay()
    assert (replay["times"], replay["fix_count"], replay["tolerance_meters"]) == ([], 0, 0.0)
    assert set(replay["speeds_kph"]) == {None}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_on_which_the_clocks_change_has_all_of_its_hours(device, day, hours):
    start, end = day_range(day, ZoneInfo("Europe/Berlin"))
    replay = read_timeline(device, start, end).replay()
    assert replay["end"] - replay["start"] == hours * 3600
    assert len(replay["speeds_kph"]) == hours * 120


def test_a_day_of_a_hundred_thousand_fixes_is_thinned_within_its_tolerance(device):
    random = np.random.default_rng(5)
    heading = np.cumsum(random.normal(0, 0.05, 100_000))
    latitudes = np.cumsum(np.cos(heading) * 7e-5) + random.normal(0, 1e-5, 100_000)
    longitudes = np.cumsum(np.sin(heading) * 7e-5) + random.normal(0, 1e-5, 100_000)
    start = datetime(2026, 3, 2, tzinfo=UTC)
    every = timedelta(seconds=0.86)
    track = [
        Fix(device.unique_id, start + number * every, latitude, longitude, speed_kph=33.0)
        for number, (latitude, longitude) in enumerate(zip(latitudes.tolist(), longitudes.tolist(), strict=True))
    ]
    for first in range(0, len(track), 10_000):
        store_fixes(track[first : first + 10_000], received_at=LATER, announce=False)
    began = time.perf_counter()
    found = read_timeline(device, start, start + timedelta(days=1))
    replay = found.replay()
    print(f"{len(track)} fixes: {time.perf_counter() - began:.2f} s, {len(replay['times'])} points")
    assert found.fix_count == 100_000
    assert len(replay["times"]) <= 4_000
    assert replay["tolerance_meters"] < 30.0
