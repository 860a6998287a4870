"""Events and states derived from fixes, with a real database between the batches."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import gpxpy
import gpxpy.gpx
import numpy as np
import pytest
from django.utils import timezone

from notifications_app.models import ChannelKind, Notification, Rule
from tasks_app.geo.distance import step_distances_meters
from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, DirtyDay, Event, EventKind, Fleet, Geofence, Position
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.devices.status import check_offline
from tasks_app.services.positions.store import store_fixes
from tests.support.cluster import ROOT, allowed, environment
from tests.support.notifications import match_outbox
from tests.support.tracks import START, circle, east, event_line, read_track


def track_of(device: Device, track: str, start: datetime = START) -> list[Fix]:
    names = [name for name in Fix.__struct_fields__ if name != "device_id"]
    return [Fix(device.unique_id, *(getattr(fix, name) for name in names)) for fix in read_track(track, start)]


def send(device: Device, track: str, start: datetime = START) -> None:
    """Store the fixes of a track, one batch each."""
    for fix in track_of(device, track, start):
        store_fixes([fix], start)


def events() -> list[str]:
    return [event_line(event) for event in Event.objects.order_by("occurred_at", "id")]


@pytest.fixture
def yard(fleet) -> Geofence:
    # No limit: the tracks are about geofences, and some meters in a second are fast.
    Fleet.objects.update(speed_limit_kph=None)
    return Geofence.objects.create(fleet=fleet, name="yard", area=circle(100))


def test_a_dwell_is_counted_over_batches_and_told_from_where_it_began(device, yard):
    Geofence.objects.filter(pk=yard.pk).update(dwell_seconds=60)
    send(device, "0:300 10:50 40:0")
    state = DeviceState.objects.get()
    assert (state.geofence_ids, list(state.pending_geofences), events()) == ([], [str(yard.pk)], [])
    send(device, "70:0 80:300 100:0 130:0")
    state = DeviceState.objects.get()
    assert (state.geofence_ids, state.pending_geofences, events()) == ([yard.pk], {}, ["enter yard 10"])
    assert Event.objects.get().longitude == pytest.approx(east(50))


def test_a_pending_crossing_of_a_geofence_that_is_gone_is_forgotten(device, yard):
    Geofence.objects.filter(pk=yard.pk).update(dwell_seconds=60)
    send(device, "0:0")
    Geofence.objects.all().delete()
    send(device, "70:0")
    assert (DeviceState.objects.get().pending_geofences, events()) == ({}, [])


@pytest.mark.django_db(transaction=True)
def test_the_fleets_tolerance_takes_effect_with_the_next_batch(device, fleet, yard):
    send(device, "0:0 10:110")
    Fleet.objects.filter(pk=fleet.pk).update(geofence_tolerance_meters=30)
    send(device, "20:0 30:110 40:140")
    assert events() == ["enter yard 0", "exit yard 10", "enter yard 20", "exit yard 40"]


def test_windows_hide_the_news_but_not_the_membership(device, yard):
    Geofence.objects.filter(pk=yard.pk).update(windows=[{"days": [5], "from": "00:00", "to": "24:00"}])
    send(device, "0:300 10:0")
    assert (events(), DeviceState.objects.get().geofence_ids) == ([], [yard.pk])


def test_overspeed_that_lasts_over_batches_is_told_once_and_completed(device, fleet):
    Fleet.objects.filter(pk=fleet.pk).update(overspeed_min_seconds=30)
    send(device, "0:0/v100 20:0/v120")
    assert (events(), DeviceState.objects.get().overspeed_since) == ([], START)
    send(device, "40:0/v110 60:0/v130")
    assert events() == ["overspeed 0-"]
    send(device, "70:0/v80")
    assert events() == ["overspeed 0-70 peak 130", "overspeed_end 70 after 70 peak 130"]
    send(device, "80:0/v100 90:0/v80")
    assert events() == ["overspeed 0-70 peak 130", "overspeed_end 70 after 70 peak 130"]


@pytest.mark.parametrize("batches", [["0:0/v100", "20:300/v110", "40:600/v100"], ["0:0/v100 20:300/v110 40:600/v100"]])
def test_an_overspeed_is_of_the_place_and_geofence_it_began_in_however_late_it_is_told(device, fleet, yard, batches):
    Fleet.objects.filter(pk=fleet.pk).update(overspeed_min_seconds=30, speed_limit_kph=80)
    Geofence.objects.filter(pk=yard.pk).update(speed_limit_kph=50)
    for batch in batches:
        store_fixes(track_of(device, batch), START)
    event = Event.objects.get(kind=EventKind.OVERSPEED)
    assert (event.occurred_at, event.longitude, event.geofence_id) == (START, pytest.approx(east(0)), yard.pk)
    assert (event.data["speed_limit_kph"], DeviceState.objects.get().overspeed_began) == (50, None)


def test_an_overspeed_is_told_though_the_geofence_it_began_in_was_deleted(device, fleet, yard):
    Fleet.objects.filter(pk=fleet.pk).update(overspeed_min_seconds=30, speed_limit_kph=80)
    Geofence.objects.filter(pk=yard.pk).update(speed_limit_kph=50)
    send(device, "0:0/v100")
    yard.delete()
    send(device, "40:600/v100")
    event = Event.objects.get(kind=EventKind.OVERSPEED)
    assert (event.occurred_at, event.longitude, event.geofence_id) == (START, pytest.approx(east(0)), None)


def test_a_device_that_falls_silent_while_speeding_was_speeding_until_then(device):
    send(device, "0:0/v100 10:0/v120 3610:0/v100 3620:0/v80")
    assert events() == [
        "overspeed 0-10 peak 120",
        "overspeed_end 10 after 10 peak 120",
        "overspeed 3610-3620 peak 100",
        "overspeed_end 3620 after 10 peak 100",
    ]


@pytest.mark.parametrize("batches", [["0:0/v100 10:50/v120", "3610:900/v80"], ["0:0/v100 10:50/v120 3610:900/v80"]])
def test_an_overspeed_that_ended_in_silence_ended_at_the_last_place_before_it(device, batches):
    for batch in batches:
        store_fixes(track_of(device, batch), START)
    end = Event.objects.get(kind=EventKind.OVERSPEED_END)
    assert (end.occurred_at, end.longitude) == (START + timedelta(seconds=10), pytest.approx(east(50)))


def test_an_overspeed_too_short_to_be_told_has_no_end_either(device, fleet):
    Fleet.objects.filter(pk=fleet.pk).update(overspeed_min_seconds=30)
    send(device, "0:0/v100 20:0/v80")
    assert events() == []


def test_the_overspeed_of_a_device_that_is_never_heard_of_again_ends_with_its_last_fix(device):
    send(device, "0:0/v100 10:0/v120 20:0/v110")
    check_offline(now=START + timedelta(minutes=29))
    assert events()[0] == "overspeed 0-"
    check_offline(now=START + timedelta(minutes=31))
    check_offline(now=START + timedelta(minutes=32))
    assert events()[:2] == ["overspeed 0-20 peak 120", "overspeed_end 20 after 20 peak 120"]
    assert Event.objects.filter(kind=EventKind.OVERSPEED_END).count() == 1
    state = DeviceState.objects.get()
    assert (state.overspeed_event_id, state.overspeed_since, state.overspeed_peak_kph) == (None, None, None)


def test_alarms_ignition_and_battery_are_events_told_once(device):
    send(device, "0:0/ign0/bat50 10:0/ign1/alarm=sos/bat15 20:0/ign1/alarm=sos/bat12 30:0/ign0/bat40 40:0/bat12")
    assert sorted(events()) == [
        "alarm sos 10",
        "battery_low 12.0 40",
        "battery_low 15.0 10",
        "ignition_off 30",
        "ignition_on 10",
    ]


def test_a_late_fix_raises_no_alarm(device):
    send(device, "10:0 5:0/alarm=sos/bat5/ign1")
    assert (events(), DeviceState.objects.get().alarms) == ([], [])


def test_a_rule_on_alarms_sends_a_message_that_names_it(device, fleet, operator):
    rule = Rule.objects.create(fleet=fleet, name="SOS", event_kinds=[EventKind.ALARM], channels=[ChannelKind.IN_APP])
    rule.users.add(operator)
    send(device, "0:0 10:0/alarm=hardBraking", timezone.now())
    match_outbox()
    assert Notification.objects.get().subject == "Van 1: alarm, hard braking"


@pytest.mark.parametrize(("track", "course_degrees"), [("0:0 10:100", 90), ("0:0 10:100 20:102", None)])
def test_a_course_that_is_not_sent_follows_from_the_way(device, track, course_degrees):
    send(device, track)
    device.state.refresh_from_db()
    assert device.state.course_degrees == (course_degrees and pytest.approx(course_degrees))
    assert set(Position.objects.values_list("course_degrees", flat=True)) == {None}


def test_every_local_day_with_new_fixes_is_marked_late_ones_too(device):
    # The fleet's day begins at 03:00 UTC; the track at 12:00 UTC of the 20th.
    send(device, f"0:0 {15 * 3600 - 1}:0 {15 * 3600}:0")
    send(device, f"-{9 * 3600 + 1}:0")
    assert list(DirtyDay.objects.order_by("day").values_list("day", flat=True)) == [
        date(2026, 11, 19),
        date(2026, 11, 20),
        date(2026, 11, 21),
    ]


def test_a_doubled_batch_marks_no_day_and_a_new_fix_takes_a_claim_away(device):
    send(device, "0:0")
    DirtyDay.objects.update(claimed_at=timezone.now())
    send(device, "0:0")
    assert DirtyDay.objects.get().claimed_at is not None
    send(device, "10:0")
    assert DirtyDay.objects.get().claimed_at is None


@contextmanager
def pipeline_process() -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.pipeline_child"],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.stdin.close()
        assert process.wait(timeout=allowed(20)) == 0


@pytest.mark.django_db(transaction=True)
def test_a_changed_geofence_takes_effect_at_once_in_a_process_that_knew_the_old_one(device, yard):
    with pipeline_process() as process:

        def store(seconds: int, meters: float) -> dict:
            at = (timezone.now() - timedelta(hours=1) + timedelta(seconds=seconds)).isoformat()
            item = {"device_id": "van-1", "timestamp": at, "latitude": 0.0, "longitude": east(meters)}
            process.stdin.write(json.dumps([item]) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        assert store(0, 0) == {"geofence_ids": [yard.pk], "events": 1}
        # The next batch already sees it: that is sooner than the two seconds asked for.
        Geofence.objects.filter(pk=yard.pk).update(area=circle(100, at=5000))
        assert store(10, 0) == {"geofence_ids": [], "events": 1}
        added = Geofence.objects.create(fleet=yard.fleet, name="bay", area=circle(50))
        assert store(20, 0) == {"geofence_ids": [added.pk], "events": 1}
        added.delete()
        assert store(30, 0) == {"geofence_ids": [], "events": 0}
        Fleet.objects.update(geofence_dwell_seconds=60)
        assert store(40, 5000) == {"geofence_ids": [], "events": 0}


def length_2d(points: list[tuple[float, float]]) -> float:
    return gpxpy.gpx.GPXTrackSegment([gpxpy.gpx.GPXTrackPoint(*point) for point in points]).length_2d()


def stored_meters(device: Device) -> float:
    places = list(Position.objects.filter(device=device).order_by("fix_time").values_list("latitude", "longitude"))
    latitudes, longitudes = np.array(places).T
    return float(step_distances_meters(latitudes, longitudes).sum())


def test_the_way_around_visnjan_is_as_long_as_gpxpy_says(device, traces_dir):
    track = gpxpy.parse((traces_dir / "around-visnjan-with-car.gpx").read_text())
    points = list(track.walk(only_points=True))
    fixes = [Fix("van-1", point.time.astimezone(UTC), point.latitude, point.longitude) for point in points]
    store_fixes(fixes, START, announce=False)
    expected = length_2d([(point.latitude, point.longitude) for point in points])
    assert stored_meters(device) == pytest.approx(expected, rel=0.005)
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    # Steps slower than 5 km/h, where the scatter of a standing receiver would count, are not driven: 56 m of them here.
    assert DeviceState.objects.get().odometer_meters == pytest.approx(expected - 56, rel=0.005)


def test_the_ways_of_the_geolife_sample_are_as_long_as_gpxpy_says(traces_dir):
    tracks: defaultdict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    with gzip.open(traces_dir / "geolife_sample.csv.gz", "rt") as rows:
        next(rows)
        for row in rows:
            name, at, latitude, longitude = row.split(",")[:4]
            tracks[name].setdefault(at, (float(latitude), float(longitude)))
    assert tracks
    for points in tracks.values():
        ordered = [points[at] for at in sorted(points)]
        latitudes, longitudes = np.array(ordered).T
        meters = float(step_distances_meters(latitudes, longitudes).sum())
        assert meters == pytest.approx(length_2d(ordered), rel=0.005)
