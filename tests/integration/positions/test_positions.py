"""The position pipeline on a real database: stored once, forward only, events signalled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceState, DeviceStatus, Event, EventKind, Geofence, Position
from tasks_app.queries.devices import latest_position
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.positions.processing import process_batch
from tasks_app.services.positions.store import store_fixes
from tasks_app.signals import events_recorded
from tests.support.threads import in_threads

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
# A square of about 1 km around (-23.55, -46.63).
SQUARE = {
    "type": "Polygon",
    "coordinates": [
        [[-46.635, -23.555], [-46.625, -23.555], [-46.625, -23.545], [-46.635, -23.545], [-46.635, -23.555]]
    ],
}


def fix(device_id="van-1", seconds=0.0, latitude=-23.50, longitude=-46.63, **fields):
    return Fix(device_id, NOON + timedelta(seconds=seconds), latitude, longitude, **fields)


def item(device_id="van-1", seconds=0, latitude=-23.50, longitude=-46.63, **fields):
    timestamp = (NOON + timedelta(seconds=seconds)).isoformat()
    return {"device_id": device_id, "timestamp": timestamp, "latitude": latitude, "longitude": longitude, **fields}


@pytest.fixture
def signalled_events():
    """Events the signal carried, with whether the transaction was still open."""
    heard = []

    def hear(sender, events, **kwargs):
        heard.extend((event, connection.in_atomic_block) for event in events)

    events_recorded.connect(hear)
    yield heard
    events_recorded.disconnect(hear)


@pytest.fixture
def square(fleet):
    return Geofence.objects.create(fleet=fleet, name="Depot", area=SQUARE)


def state_of(device):
    return DeviceState.objects.get(device=device)


def test_it_stores_each_fix_once_and_moves_the_state_to_the_newest(device):
    result = process_batch(
        [
            item(seconds=10, latitude=-23.501, speed=40, course=180, altitude=760, accuracy=5),
            item(seconds=0, speed=30, attributes={"ignition": True}),
        ],
        received_at=NOON,
    )
    counts = {
        "received": 2,
        "stored": 2,
        "duplicates": 0,
        "filtered": {},
        "without_place": 0,
        "unknown_quantities": {},
        "rejected_count": 0,
        "events": 0,
    }
    assert result == {**counts, "rejected": []}
    assert [p.speed_kph for p in Position.objects.order_by("fix_time")] == [30, 40]
    assert Position.objects.order_by("fix_time").first().attributes == {"ignition": True}
    assert Position.objects.order_by("fix_time").last().attributes is None
    state = state_of(device)
    assert (state.fix_time, state.latitude, state.speed_kph) == (NOON + timedelta(seconds=10), -23.501, 40)
    assert (state.status, state.last_seen_at) == (DeviceStatus.ONLINE, NOON)
    assert state.is_moving
    assert state.ignition is True
    # the roll-up of the day moves them
    assert (state.odometer_meters, state.engine_seconds) == (0, 0)


def test_a_doubled_batch_has_no_second_effect(device, square, signalled_events):
    batch = [item(seconds=0, speed=30), item(seconds=10, latitude=-23.55, speed=95)]
    process_batch(batch, received_at=NOON)
    before, events = DeviceState.objects.values().get(), len(signalled_events)
    again = process_batch(batch, received_at=NOON + timedelta(hours=1))
    assert (again["stored"], again["duplicates"], again["events"]) == (0, 2, 0)
    assert DeviceState.objects.values().get() == before
    assert len(signalled_events) == events == Event.objects.count()


def test_a_fix_twice_in_one_batch_is_stored_once(device):
    result = process_batch([item(), item(), item(seconds=1)], received_at=NOON)
    assert (result["stored"], result["duplicates"]) == (2, 1)


def test_a_batch_that_is_partly_stored_stores_the_rest(device):
    process_batch([item(seconds=0), item(seconds=20)], received_at=NOON)
    result = process_batch([item(seconds=n * 10) for n in range(4)], received_at=NOON)
    assert (result["stored"], result["duplicates"]) == (2, 2)
    assert state_of(device).fix_time == NOON + timedelta(seconds=30)


def test_a_late_fix_is_stored_but_moves_nothing_and_tells_nothing(device, square, signalled_events):
    process_batch([item(seconds=100)], received_at=NOON)
    odometer = state_of(device).odometer_meters
    late = process_batch([item(seconds=50, latitude=-23.55, speed=200)], received_at=NOON + timedelta(minutes=2))
    assert (late["stored"], late["events"], signalled_events) == (1, 0, [])
    state = state_of(device)
    assert (state.fix_time, state.latitude) == (NOON + timedelta(seconds=100), -23.50)
    assert state.odometer_meters == odometer
    assert state.geofence_ids == []
    assert state.last_seen_at == NOON + timedelta(minutes=2)


def test_a_bad_fix_or_device_costs_only_itself(device, make_device):
    make_device(unique_id="parked", is_active=False)
    result = process_batch(
        [item(), item(latitude=91), "nonsense", item("nobody"), item("parked"), item(seconds=5)], received_at=NOON
    )
    assert result["stored"] == 2
    codes = [(one["index"], one["code"]) for one in result["rejected"]]
    assert codes == [
        (1, "invalid_latitude"),
        (2, "not_an_object"),
        (3, "unknown_device"),
        (4, "inactive_device"),
    ]
    assert all(one["detail"] for one in result["rejected"])


def test_an_empty_batch_stores_nothing(db):
    assert process_batch([], received_at=NOON)["stored"] == 0


def test_a_user_may_send_only_for_devices_they_operate(device, operator, charlie, staff, make_device):
    def sent_by(user, seconds):
        result = process_batch([item(seconds=seconds)], received_at=NOON, user_id=user.pk)
        return result["stored"], [one["code"] for one in result["rejected"]]

    assert sent_by(operator, 1) == (1, [])
    assert sent_by(staff, 2) == (1, [])
    assert sent_by(charlie, 3) == (0, ["unknown_device"])


@pytest.mark.parametrize(("seconds", "expected_kph"), [(10, 39.87), (10.2, None)])
def test_it_derives_the_speed_a_device_does_not_send(device, seconds, expected_kph):
    # 0.001 degrees of latitude are 110.75 m: in 10 s, 39.87 km/h; in 0.2 s it is the receiver's noise.
    process_batch([item(seconds=0), item(seconds=10, latitude=-23.501)], received_at=NOON)
    if seconds > 10:
        process_batch([item(seconds=seconds, latitude=-23.502)], received_at=NOON)
    state = state_of(device)
    assert (state.speed_kph, state.is_speed_derived) == (
        pytest.approx(expected_kph, abs=0.01),
        expected_kph is not None,
    )
    assert set(Position.objects.values_list("speed_kph", flat=True)) == {None}


def test_a_late_fix_without_a_near_one_before_it_has_no_speed(device, make_device):
    make_device(unique_id="van-2")
    process_batch([item(seconds=-4000), item("van-2", seconds=15), item(seconds=5000)], received_at=NOON)
    process_batch([item(seconds=20, latitude=-23.501)], received_at=NOON)
    assert Position.objects.get(fix_time=NOON + timedelta(seconds=20)).speed_kph is None


def test_a_jump_no_vehicle_can_make_adds_no_speed(device):
    fixes = [item(seconds=0), item(seconds=10, latitude=10.0), item(seconds=20)]
    process_batch(fixes, received_at=NOON)
    assert not Position.objects.filter(speed_kph__isnull=False).exists()


def test_entering_and_leaving_a_geofence_are_events_told_inside_the_transaction(device, square, signalled_events):
    process_batch([item(seconds=0), item(seconds=60, latitude=-23.55)], received_at=NOON)
    assert state_of(device).geofence_ids == [square.pk]
    process_batch([item(seconds=120, latitude=-23.551), item(seconds=180)], received_at=NOON)
    assert state_of(device).geofence_ids == []
    events = list(Event.objects.order_by("occurred_at"))
    assert [event.kind for event in events] == [EventKind.GEOFENCE_ENTER, EventKind.GEOFENCE_EXIT]
    assert [event.occurred_at for event in events] == [NOON + timedelta(seconds=s) for s in (60, 180)]
    assert (events[0].geofence, events[0].latitude, events[0].data["geofence"]) == (square, -23.55, "Depot")
    assert [(event.pk, in_transaction) for event, in_transaction in signalled_events] == [
        (event.pk, True) for event in events
    ]


def test_a_changed_geofence_takes_effect_with_the_next_batch(device, square):
    process_batch([item(seconds=0, latitude=-23.55)], received_at=NOON)
    Geofence.objects.filter(pk=square.pk).update(is_active=False)
    process_batch([item(seconds=10, latitude=-23.55)], received_at=NOON)
    assert state_of(device).geofence_ids == []
    around = {"type": "Circle", "coordinates": [-46.63, -23.50], "radius_meters": 300}
    Geofence.objects.filter(pk=square.pk).update(is_active=True, area=around)
    process_batch([item(seconds=20)], received_at=NOON)
    assert state_of(device).geofence_ids == [square.pk]


def test_another_fleets_geofence_does_not_count(device, square, make_device):
    other = type(device.fleet).objects.create(name="Depot South")
    make_device(unique_id="foreign", fleet=other)
    process_batch([item("foreign", latitude=-23.55), item("van-1", latitude=-23.55)], received_at=NOON)
    assert [event.device.unique_id for event in Event.objects.all()] == ["van-1"]


def test_overspeed_is_one_event_per_episode_completed_when_it_ends(device, signalled_events):
    process_batch(
        [item(seconds=n, latitude=-23.5 + n / 5000, speed=v) for n, v in enumerate((80, 100, 120))], received_at=NOON
    )
    event = Event.objects.get()
    assert (event.kind, event.occurred_at) == (EventKind.OVERSPEED, NOON + timedelta(seconds=1))
    assert event.data == {"speed_kph": 100, "speed_limit_kph": 90}
    assert state_of(device).overspeed_event_id == event.pk
    process_batch([item(seconds=3, speed=130), item(seconds=5, speed=85)], received_at=NOON)
    event = Event.objects.get(kind=EventKind.OVERSPEED)
    assert (event.data["peak_kph"], event.data["duration_seconds"]) == (130, 4)
    assert datetime.fromisoformat(event.data["ended_at"]) == NOON + timedelta(seconds=5)
    end = Event.objects.get(kind=EventKind.OVERSPEED_END)
    assert (end.occurred_at, end.latitude) == (NOON + timedelta(seconds=5), -23.5)
    assert end.data == {
        "speed_limit_kph": 90,
        "peak_kph": 130,
        "started_at": event.occurred_at.isoformat(),
        "duration_seconds": 4,
    }
    state = state_of(device)
    assert (state.overspeed_event_id, state.overspeed_since, state.overspeed_limit_kph) == (None, None, None)
    assert [(event.pk, in_transaction) for event, in_transaction in signalled_events] == [
        (event.pk, True),
        (end.pk, True),
    ]


def test_an_episode_inside_one_batch_is_complete_at_once(device):
    process_batch([item(seconds=n, speed=v) for n, v in enumerate((100, 110, 50, 120))], received_at=NOON)
    first, end, second = Event.objects.order_by("occurred_at")
    assert end.kind == EventKind.OVERSPEED_END
    assert (first.data["peak_kph"], first.data["duration_seconds"]) == (110, 2)
    assert "peak_kph" not in second.data
    assert state_of(device).overspeed_event_id == second.pk


@pytest.mark.parametrize(("device_limit", "fence_limit", "expected"), [(None, None, 90), (60, None, 60), (60, 40, 40)])
def test_the_limit_is_the_geofences_then_the_devices_then_the_fleets(
    make_device, square, device_limit, fence_limit, expected
):
    make_device(unique_id="limited", speed_limit_kph=device_limit)
    Geofence.objects.filter(pk=square.pk).update(speed_limit_kph=fence_limit)
    process_batch([item("limited", latitude=-23.55, speed=150)], received_at=NOON)
    event = Event.objects.get(kind=EventKind.OVERSPEED)
    assert event.data["speed_limit_kph"] == expected
    assert event.geofence_id == (square.pk if fence_limit else None)


def test_a_device_that_was_offline_is_back_once(device, signalled_events):
    process_batch([item()], received_at=NOON)
    silent_since = NOON - timedelta(minutes=30)
    DeviceState.objects.update(status=DeviceStatus.OFFLINE, offline_since=silent_since)
    process_batch([item(seconds=10), item(seconds=20)], received_at=NOON)
    process_batch([item(seconds=30)], received_at=NOON)
    event = Event.objects.get(kind=EventKind.DEVICE_ONLINE)
    assert event.data == {"offline_minutes": 30}
    assert (state_of(device).status, state_of(device).offline_since) == (DeviceStatus.ONLINE, None)
    assert [heard.kind for heard, _ in signalled_events] == [EventKind.DEVICE_ONLINE]


def test_history_is_recorded_without_telling_anyone(device, square, signalled_events):
    result = store_fixes([fix(seconds=0), fix(seconds=60, latitude=-23.55)], NOON, announce=False)
    assert (result.stored, result.events, signalled_events) == (2, 1, [])
    state = state_of(device)
    assert (state.status, state.last_seen_at) == (DeviceStatus.UNKNOWN, None)
    assert state.fix_time == NOON + timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_the_latest_position_is_cached_once_it_was_read(device):
    assert latest_position(device.pk) is None
    process_batch([item(seconds=0, latitude=-23.5), item(seconds=5, latitude=-23.51)], received_at=NOON)
    found = latest_position(device.pk)
    DeviceState.objects.all().update(latitude=1.0)
    assert latest_position(device.pk) == found
    assert (found["latitude"], datetime.fromisoformat(found["fix_time"])) == (-23.51, NOON + timedelta(seconds=5))


def test_the_latest_position_comes_from_the_database_where_the_cache_has_none(device):
    DeviceState.objects.create(device=device, fix_time=NOON, latitude=1.5, longitude=2.5)
    assert latest_position(device.pk)["latitude"] == 1.5


@pytest.mark.django_db(transaction=True)
def test_crossing_batches_at_once_store_everything_once(make_device, square):
    names = [make_device().unique_id for _ in range(6)]
    batch = [item(name, seconds=n * 10, latitude=-23.5 - 0.001 * n) for n in range(60) for name in names]
    reverse = batch[::-1]
    results = []
    calls = [
        lambda order=order: results.append(process_batch(order, received_at=NOON)) for order in (batch, reverse) * 3
    ]
    in_threads(*calls)
    assert sum(result["stored"] for result in results) == len(batch) == Position.objects.count()
    assert sum(result["duplicates"] for result in results) == 5 * len(batch)
    assert Event.objects.filter(kind=EventKind.GEOFENCE_ENTER).count() == len(names)
    assert set(DeviceState.objects.values_list("fix_time", flat=True)) == {NOON + timedelta(seconds=590)}
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    assert DeviceState.objects.values_list("odometer_meters", flat=True).distinct().count() == 1


@pytest.mark.django_db(transaction=True)
def test_interleaved_batches_of_one_device_end_at_the_newest_fix(device):
    batches = [[item(seconds=n * 8 + part) for n in range(50)] for part in range(8)]
    in_threads(*(lambda batch=batch: process_batch(batch, received_at=NOON) for batch in batches))
    assert Position.objects.count() == 400
    assert state_of(device).fix_time == NOON + timedelta(seconds=399)
