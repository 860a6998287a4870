from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tasks_app.geo.distance import geodesic_meters, initial_bearing_degrees, step_distances_meters
from tasks_app.geo.geofence import GeofenceIndex, validate_area
from tasks_app.geo.motion import detect_trips
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.geo.overspeed import OverspeedEnd, overspeed_episodes
from tasks_app.geo.simulated_city import DEPOT, node_degrees, route, street_limit_kph
from tasks_app.geo.transitions import transitions
from tasks_app.ingest.json_batch import parse_batch
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.simulation import (
    DEVICE_LIMIT_KPH,
    day_of_fixes,
    device_ids,
    geofences,
    live_fixes,
    sent_fixes,
)

DAY = date(2026, 11, 22)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def fixes():
    return day_of_fixes(day=DAY)


@pytest.fixture(scope="module")
def tracks(fixes):
    """Per device (times, latitudes, longitudes, speeds, accuracies, was it late), distinct fixes in time order."""
    by_device = defaultdict(dict)
    newest = {}
    for fix in fixes:
        late = fix.fix_time < newest.get(fix.device_id, fix.fix_time)
        by_device[fix.device_id].setdefault(fix.fix_time, (fix, late))
        newest[fix.device_id] = max(newest.get(fix.device_id, fix.fix_time), fix.fix_time)
    return {device_id: columns(found) for device_id, found in by_device.items()}


def columns(found):
    rows = [
        (at.timestamp(), fix.latitude, fix.longitude, fix.speed_kph, fix.accuracy_meters, late)
        for at, (fix, late) in sorted(found.items())
    ]
    return np.array(rows, dtype=float).T


def test_it_makes_about_sixty_thousand_fixes_of_twenty_vehicles(fixes):
    assert 55_000 <= len(fixes) <= 65_000
    assert {fix.device_id for fix in fixes} == set(device_ids(20))
    assert all(MIDNIGHT <= fix.fix_time < MIDNIGHT + timedelta(days=1) for fix in fixes)


def test_it_doubles_some_fixes_and_sends_some_late(fixes, tracks):
    distinct = len({(fix.device_id, fix.fix_time) for fix in fixes})
    late = sum(track[5].sum() for track in tracks.values())
    assert 0.02 <= (len(fixes) - distinct) / distinct <= 0.04
    assert 0.01 <= late / distinct <= 0.03


def test_it_moves_as_vehicles_can(tracks):
    for times, latitudes, longitudes, speeds, _, late in tracks.values():
        assert speeds.min() == 0
        assert 50 < speeds.max() <= 130
        on_time = late == 0
        implied = step_distances_meters(latitudes[on_time], longitudes[on_time]) / np.diff(times[on_time]) * 3.6
        assert implied.max() < 180


def test_it_reports_every_ten_seconds_driving_and_every_minute_or_two_parked(tracks):
    for times, _, _, speeds, *_ in tracks.values():
        steps = np.diff(times)
        driving = (speeds[:-1] > 10) & (speeds[1:] > 10)
        assert 9 <= np.median(steps[driving]) <= 11
        night = times[1:] < MIDNIGHT.timestamp() + 5 * 3600
        assert steps[night].min() >= 60
        assert steps[night].max() <= 120


def test_it_starts_and_ends_every_day_at_the_depot(tracks):
    for _, latitudes, longitudes, *_ in tracks.values():
        away = geodesic_meters(*node_degrees(DEPOT), latitudes[[0, -1]], longitudes[[0, -1]])
        assert away.max() < 100


def test_it_makes_a_working_day_of_trips(tracks):
    counts = [len(detect_trips(*track[:4], rules=motion_rules("van"))) for track in tracks.values()]
    assert min(counts) > 10
    assert max(counts) < 70


def test_it_crosses_its_geofences_and_breaks_their_limits(tracks):
    areas = geofences()
    index = GeofenceIndex([(number, area.area) for number, area in enumerate(areas)])
    limits = np.array([area.speed_limit_kph or DEVICE_LIMIT_KPH for area in areas])
    crossed, minutes_too_fast = Counter(), 0
    for times, latitudes, longitudes, speeds, accuracies, _ in tracks.values():
        inside = index.inside(latitudes, longitudes)
        for column, area in enumerate(areas):
            crossed.update((area.name, kind) for _, kind in transitions(inside[:, column], accuracies))
        lowest = np.where(inside, limits, DEVICE_LIMIT_KPH).min(axis=1)
        ends = [event for event in overspeed_episodes(times, speeds, lowest).events if isinstance(event, OverspeedEnd)]
        minutes_too_fast += sum(event.duration_seconds >= 60 for event in ends)
    assert len(areas) == 6
    assert all(crossed[area.name, kind] >= 20 for area in areas for kind in ("enter", "exit"))
    assert minutes_too_fast >= 10


def test_it_sends_only_what_the_ingest_accepts(fixes):
    sample = fixes[::37]
    batch = parse_batch([fix_to_item(fix) for fix in sample], now=MIDNIGHT + timedelta(days=1))
    assert batch.rejected == []
    assert batch.fixes == sample
    assert {type(fix.attributes["ignition"]) for fix in sample} == {bool}


def test_it_is_decided_by_its_seed():
    first, second = day_of_fixes(2, DAY, seed=7), day_of_fixes(2, DAY, seed=7)
    assert first == second
    assert day_of_fixes(2, DAY, seed=8) != first
    assert [fix for fix in day_of_fixes(3, DAY, seed=7) if fix.device_id != "sim-003"] == first


def test_it_begins_the_day_at_midnight_of_the_zone():
    sent = sent_fixes(1, DAY, zone=ZoneInfo("America/Sao_Paulo"))
    assert min(fix.fix_time for _, fix in sent) == datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(sent))
    assert all(fix.fix_time < sent_at for sent_at, fix in sent)


def test_it_goes_on_live_from_the_given_moment_over_midnight():
    start_at = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    sent = list(islice(live_fixes(2, start_at=start_at), 9000))
    timestamps = [sent_at for sent_at, _ in sent]
    assert start_at <= timestamps[0] < start_at + timedelta(minutes=2)
    assert timestamps == sorted(timestamps)
    assert timestamps[-1] > start_at + timedelta(hours=15)
    assert any(fix.speed_kph > 20 for _, fix in sent[:200])


def test_it_drives_along_streets_from_block_to_block():
    random = np.random.default_rng(2)
    nodes = route((-3, 5), (17, -22), random)
    assert nodes[0].tolist() == [-3, 5]
    assert nodes[-1].tolist() == [17, -22]
    steps = np.abs(np.diff(nodes, axis=0))
    assert (steps.sum(axis=1) == 1).all()
    latitudes, longitudes = np.array([node_degrees(tuple(node)) for node in nodes.tolist()]).T
    assert np.allclose(step_distances_meters(latitudes, longitudes), 120, rtol=0.002)
    bearings = initial_bearing_degrees(latitudes[:-1], longitudes[:-1], latitudes[1:], longitudes[1:])
    assert np.allclose((bearings + 23) % 90, 0, atol=0.2) or np.allclose((bearings + 23 + 45) % 90, 45, atol=0.2)


def test_it_knows_the_limits_of_its_streets():
    assert street_limit_kph(np.array([0, 1, 4, 8, 24, -24])).tolist() == [60, 30, 50, 60, 90, 90]


def test_it_names_areas_a_geofence_can_be_made_of():
    for area in geofences():
        validate_area(area.area)
