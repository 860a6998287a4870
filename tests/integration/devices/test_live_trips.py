"""Trips as they happen: the events of a replayed track are the rows of the trips report."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.ingest.fix import Fix
from tasks_app.models import Event, EventKind, TripState
from tasks_app.queries.drives import datetime_of, read_drive
from tasks_app.services.devices.live_trips import record_trips
from tasks_app.services.positions.store import store_fixes
from tasks_app.signals import events_recorded

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
KM = 1 / 111.319
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
KINDS = (EventKind.TRIP_START, EventKind.TRIP_END)


def track(device, *phases: tuple[float, float, float]) -> list[Fix]:
    """Phases of (minutes, seconds between fixes, km/h), driving east."""
    at, longitude, fixes = START, -46.0, []
    for minutes, every, kph in phases:
        for _step in range(int(minutes * 60 / every)):
            fixes.append(Fix(device.unique_id, at, 0.1, longitude, speed_kph=kph))
            at += every * SECOND
            longitude += kph * every / 3600 * KM
    return fixes


def replay(fixes, every) -> None:
    """The fixes in pieces of this many, each followed by a look; at last it is silent for an hour."""
    for first in range(0, len(fixes), every):
        part = fixes[first : first + every]
        store_fixes(part, part[-1].fix_time + SECOND)
        record_trips(now=part[-1].fix_time + SECOND)
    record_trips(now=fixes[-1].fix_time + HOUR)


def event_trips(device) -> list[tuple]:
    """(start, end, meters) of each trip by its events."""
    starts = Event.objects.filter(device=device, kind=EventKind.TRIP_START).order_by("occurred_at")
    ends = Event.objects.filter(device=device, kind=EventKind.TRIP_END).order_by("occurred_at")
    assert [start.occurred_at.isoformat() for start in starts] == [end.data["started_at"] for end in ends]
    return [
        (start.occurred_at, end.occurred_at, end.data["distance_meters"])
        for start, end in zip(starts, ends, strict=True)
    ]


def report_trips(device, start, end) -> list[tuple]:
    trips = read_drive(device, start, end).trips
    return [
        (datetime_of(trip.started_seconds), datetime_of(trip.ended_seconds), round(trip.distance_meters, 1))
        for trip in trips
    ]


DAY = [
    (10, 60, 0.0), (30, 10, 50.0), (2, 10, 0.0), (15, 10, 70.0), (40, 60, 0.0),
    (1, 5, 8.0), (20, 60, 0.0), (25, 5, 30.0), (70, 300, 0.0), (12, 10, 60.0),
]  # fmt: skip


@pytest.mark.parametrize("every", [1, 7, 50, 1000])
def test_the_events_of_a_replayed_track_are_the_trips_of_the_report(device, every):
    fixes = track(device, *DAY) if every > 1 else track(device, *DAY)[::6]
    replay(fixes, every)
    trips = report_trips(device, START - HOUR, START + 24 * HOUR)
    assert len(trips) == 3
    assert event_trips(device) == trips


def test_the_events_of_a_real_track_are_the_trips_of_the_report(device, traces_dir):
    device.kind = "phone"
    device.save()
    with gzip.open(traces_dir / "geolife_sample.csv.gz", "rt") as file:
        found = [row for row in csv.DictReader(file) if row["device_id"] == "geolife-000"]
    rows = {row["timestamp"]: row for row in found}
    fixes = [
        Fix(device.unique_id, datetime.fromisoformat(at), float(row["latitude"]), float(row["longitude"]))
        for at, row in sorted(rows.items())
    ]
    replay(fixes, 60)
    trips = report_trips(device, fixes[0].fix_time - HOUR, fixes[-1].fix_time + HOUR)
    assert len(trips) > 5
    assert event_trips(device) == trips


def test_a_start_is_told_while_the_trip_goes_on_and_its_end_once_it_is_over(device):
    fixes = track(device, (10, 60, 0.0), (20, 10, 50.0), (10, 10, 0.0))
    drive = fixes[: 10 + 60]
    store_fixes(drive, drive[-1].fix_time)
    assert record_trips(now=drive[-1].fix_time)["started"] == 1
    (start,) = Event.objects.filter(kind__in=KINDS)
    assert start.occurred_at == START + 10 * MINUTE
    store_fixes(fixes[70:], fixes[-1].fix_time)
    assert record_trips(now=fixes[-1].fix_time)["ended"] == 1
    end = Event.objects.get(kind=EventKind.TRIP_END)
    assert end.occurred_at == START + 30 * MINUTE
    assert end.data["duration_seconds"] == 20 * 60
    assert (end.data["start_latitude"], end.latitude) == (0.1, 0.1)


def test_looking_again_tells_nothing_twice(device):
    replay(track(device, *DAY), 1000)
    before = list(Event.objects.filter(kind__in=KINDS).values_list("pk", "occurred_at"))
    assert record_trips(now=START + 30 * HOUR) == {"devices": 0, "started": 0, "ended": 0}
    TripState.objects.update(seen_until=START)
    assert record_trips(now=START + 30 * HOUR)["devices"] == 1
    assert list(Event.objects.filter(kind__in=KINDS).values_list("pk", "occurred_at")) == before


def test_a_trip_of_a_device_that_fell_silent_ends_where_it_was_last_heard_of(device):
    fixes = track(device, (10, 60, 0.0), (20, 10, 50.0))
    replay(fixes, 1000)
    assert event_trips(device) == report_trips(device, START, START + 24 * HOUR)
    assert Event.objects.get(kind=EventKind.TRIP_END).occurred_at == fixes[-1].fix_time


def test_an_end_told_too_early_moves_when_the_fixes_of_the_silence_come_after_all(device):
    fixes = track(device, (10, 60, 0.0), (60, 10, 50.0), (10, 10, 0.0))
    replay(fixes[:100], 1000)  # then no network for an hour
    first = Event.objects.get(kind=EventKind.TRIP_END)
    store_fixes(fixes[100:], fixes[-1].fix_time + HOUR)
    record_trips(now=fixes[-1].fix_time + HOUR)
    (end,) = Event.objects.filter(kind=EventKind.TRIP_END)
    assert end.pk == first.pk
    assert end.occurred_at > first.occurred_at
    assert event_trips(device) == report_trips(device, START, START + 24 * HOUR)


def test_the_alerts_receive_the_events_with_them(device):
    heard = []

    def hear(events, **_signal):
        heard.extend(event.kind for event in events)

    events_recorded.connect(hear)
    replay(track(device, (10, 60, 0.0), (20, 10, 50.0), (10, 10, 0.0)), 1000)
    events_recorded.disconnect(hear)
    assert [kind for kind in heard if kind in KINDS] == ["trip_start", "trip_end"]


def test_several_devices_are_looked_at_with_the_same_number_of_queries(
    device, make_device, django_assert_max_num_queries
):
    devices = [device, *(make_device() for _ in range(20))]
    for one in devices:
        fixes = track(one, (10, 60, 0.0), (20, 10, 50.0), (10, 10, 0.0))
        store_fixes(fixes, fixes[-1].fix_time)
    with django_assert_max_num_queries(20):
        counts = record_trips(now=START + HOUR)
    assert counts == {"devices": 21, "started": 21, "ended": 21}


def test_a_parked_device_is_read_from_its_last_settled_moment_on(device):
    fixes = track(device, (20, 10, 50.0), (600, 60, 0.0))
    replay(fixes, 100)
    state = TripState.objects.get(device=device)
    assert fixes[-1].fix_time - state.context_from < 20 * MINUTE
