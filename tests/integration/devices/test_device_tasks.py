"""Each task about positions and devices has its effect."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from notifications_app.queries.summary import fleet_summaries
from tasks_app.engine import PermanentError
from tasks_app.geo.days import day_parts, day_range
from tasks_app.geo.figures import total
from tasks_app.models import (
    DeviceState,
    DeviceStatus,
    Event,
    EventKind,
    Geofence,
    MaintenancePlan,
    MaintenanceStatus,
    Position,
)
from tasks_app.queries.device_days import part_totals
from tasks_app.queries.devices import latest_position
from tasks_app.queries.geofences import devices_inside
from tasks_app.queries.positions import track
from tasks_app.queries.statistics import cached_statistics
from tasks_app.services.devices.servicing import mark_done
from tasks_app.services.devices.statistics import calculate_statistics
from tasks_app.services.positions.processing import process_batch
from tasks_app.signals import events_recorded
from tasks_app.tasks.device_tasks import (
    calculate_device_statistics,
    check_maintenance,
    check_offline_devices,
    update_device_status,
)
from tasks_app.tasks.position_tasks import process_position_batch, process_single_position


@pytest.fixture
def now(db):
    return timezone.now().replace(microsecond=0)


@pytest.fixture
def signalled_kinds():
    heard = []

    def hear(events, **kwargs):
        heard.extend(event.kind for event in events)

    events_recorded.connect(hear)
    yield heard
    events_recorded.disconnect(hear)


def make_state(device, minutes_ago, now, **fields):
    fields = {"status": DeviceStatus.ONLINE, "latitude": -23.5, "longitude": -46.6, "fix_time": now, **fields}
    return DeviceState.objects.create(device=device, last_seen_at=now - timedelta(minutes=minutes_ago), **fields)


def item(at, **fields):
    return {"device_id": "van-1", "timestamp": at.isoformat(), "latitude": -23.5, "longitude": -46.6, **fields}


def drive(now, hours_ago):
    """Ten minutes at 60 km/h (a fix each 10 s), then ten minutes standing with the ignition on."""
    start, ignition = now - timedelta(hours=hours_ago), {"ignition": True}
    moving = [
        item(start + timedelta(seconds=10 * n), latitude=-23.5 + n * 0.0015, speed=60, attributes=ignition)
        for n in range(61)
    ]
    standing = [
        item(start + timedelta(seconds=600 + 10 * n), latitude=-23.5 + 0.09, speed=0, attributes=ignition)
        for n in range(1, 61)
    ]
    return moving + standing


def test_process_position_batch_stores_positions(device, now):
    assert process_position_batch([item(now), item(now + timedelta(seconds=1))])["stored"] == 2
    assert Position.objects.count() == 2


def test_process_single_position_stores_one(device, now):
    assert process_single_position(item(now))["stored"] == 1
    assert process_single_position({"latitude": "north"})["rejected"][0]["index"] == 0
    assert Position.objects.count() == 1


def test_track_reads_columns_of_a_half_open_range(device, now):
    first, last = now, now + timedelta(seconds=10)
    process_batch(
        [
            item(first, speed=10, course=90, altitude=5, accuracy=3, attributes={"ignition": False}),
            item(now + timedelta(seconds=5.25), attributes={"ignition": True, "x": 1}),
            item(last),
        ],
        received_at=now,
    )
    found = track(device.pk, first, last)
    assert found.times_seconds.tolist() == [first.timestamp(), first.timestamp() + 5.25]
    assert (found.latitudes[0], found.longitudes[0]) == (-23.5, -46.6)
    assert (found.speeds_kph[0], found.courses_degrees[0], found.altitudes_meters[0]) == (10, 90, 5)
    assert (found.accuracies_meters[0], found.ignition.tolist()) == (3, [0, 1])
    assert found.altitudes_meters[1] != found.altitudes_meters[1]
    assert len(track(device.pk, last + timedelta(days=1), last + timedelta(days=2))) == 0


def test_calculate_device_statistics_counts_driving_idling_and_keeps_the_figures(device, now):
    process_batch(drive(now, hours_ago=2), received_at=now)
    found = calculate_device_statistics(device.pk)
    assert found["positions"] == 121
    assert found["distance_meters"] == pytest.approx(10_008, rel=0.01)
    assert found["moving_seconds"] == pytest.approx(600, abs=20)
    assert found["idle_seconds"] == pytest.approx(600, abs=20)
    assert found["max_speed_kph"] == 60
    assert found["average_speed_kph"] == pytest.approx(60, rel=0.05)
    assert cached_statistics(device.pk, "24h") == found
    process_batch(drive(now, hours_ago=50), received_at=now)
    assert calculate_device_statistics(device.pk, "7d")["positions"] == 242


def test_statistics_and_the_daily_summary_say_what_a_report_of_their_period_says(device, operator, now):
    """The ignition is sent once, before the period; over its beginning the van stands, and a silence of it leads elsewhere."""
    end = now.replace(second=0)
    start = end - timedelta(hours=24)
    standing = [item(start + timedelta(minutes=minute), speed=0) for minute in range(-115, 60, 10)]
    standing[0]["attributes"] = {"ignition": True}
    away = [item(end - timedelta(hours=hours), latitude=-23.3, speed=0) for hours in (20, 19.8)]
    process_batch([*standing, *away], received_at=now)
    found = calculate_statistics(device_id=device.pk, period="24h", now=end)
    parts = day_parts(start, end, device.fleet.zone)
    figures = total(part_totals(device, part).figures for part in parts)
    names = ("distance_meters", "moving_seconds", "stopped_seconds", "idle_seconds", "max_speed_kph")
    assert {name: found[name] for name in names} == {name: round(getattr(figures, name), 1) for name in names}
    assert (found["idle_seconds"], found["gap_seconds"]) == (3300 + 720, 3 * 3600 + 300)
    (summary,) = fleet_summaries(operator, now=end)
    assert summary.distance_meters == figures.distance_meters == pytest.approx(22_150, rel=0.001)


def test_a_day_without_a_position_has_no_standing_in_statistics_as_in_reports(device, now):
    """The van was parked for days, and says so an hour after midnight only."""
    yesterday = (now - timedelta(days=1)).astimezone(device.fleet.zone).date()
    midnight = day_range(yesterday, device.fleet.zone)[0]
    at = midnight + timedelta(hours=1)
    process_batch([item(midnight - timedelta(hours=50), speed=0), item(at, speed=0)], received_at=now)
    assert (
        calculate_statistics(device_id=device.pk, period="24h", now=at + timedelta(seconds=1))["stopped_seconds"]
        == 3600
    )


def test_a_way_over_the_beginning_of_their_period_counts_in_statistics_as_far_as_it_is_in_it(device, now):
    start = now - timedelta(hours=24)
    process_batch(
        [item(start + timedelta(seconds=n), latitude=-23.5 + n * 0.0001, speed=40) for n in range(-90, 91, 60)],
        received_at=now,
    )
    found = calculate_statistics(device_id=device.pk, period="24h", now=now)
    assert (found["positions"], found["moving_seconds"]) == (2, 90)


def test_statistics_of_a_silent_device_are_zero(device):
    found = calculate_device_statistics(device.pk, "30d")
    assert (found["positions"], found["distance_meters"], found["max_speed_kph"]) == (0, 0, 0)


def test_statistics_say_what_was_wrong_with_the_call(device):
    with pytest.raises(PermanentError, match="no device 999999"):
        calculate_device_statistics(999_999)
    with pytest.raises(PermanentError, match="one of 24h, 7d, 30d"):
        calculate_device_statistics(device.pk, "1y")


def test_check_offline_devices_tells_once_per_episode(device, now, signalled_kinds):
    make_state(device, 20, now)
    assert check_offline_devices() == {"offline": 1}
    assert check_offline_devices() == {"offline": 0}
    event = Event.objects.get()
    assert event.kind == EventKind.DEVICE_OFFLINE
    assert event.data["offline_minutes"] == pytest.approx(20, abs=0.2)
    assert (event.latitude, event.longitude) == (-23.5, -46.6)
    state = DeviceState.objects.get()
    assert (state.status, state.offline_since) == (DeviceStatus.OFFLINE, now - timedelta(minutes=20))
    process_batch([item(timezone.now() + timedelta(seconds=1))], received_at=timezone.now())
    assert signalled_kinds == [EventKind.DEVICE_OFFLINE, EventKind.DEVICE_ONLINE]
    assert check_offline_devices() == {"offline": 0}


@pytest.mark.parametrize(
    ("device_minutes", "fleet_minutes", "silent", "expected"),
    [(None, None, 14, 0), (None, None, 16, 1), (None, 60, 59, 0), (None, 60, 61, 1), (5, 60, 6, 1), (120, 60, 90, 0)],
)
def test_the_threshold_is_the_devices_then_the_fleets_then_the_systems(
    make_device, fleet, now, settings, device_minutes, fleet_minutes, silent, expected
):
    settings.OFFLINE_AFTER_MINUTES = 15
    fleet.offline_after_minutes = fleet_minutes
    fleet.save()
    make_state(make_device(offline_after_minutes=device_minutes), silent, now)
    assert check_offline_devices() == {"offline": expected}


def test_inactive_devices_and_ones_never_seen_do_not_go_offline(make_device, now):
    make_state(make_device(is_active=False), 999, now)
    DeviceState.objects.create(device=make_device())
    assert check_offline_devices() == {"offline": 0}


def test_going_offline_shows_in_the_latest_position(device, now):
    make_state(device, 20, now)
    assert latest_position(device.pk)["status"] == DeviceStatus.ONLINE
    check_offline_devices()
    assert latest_position(device.pk)["status"] == DeviceStatus.OFFLINE


def test_update_device_status_works_it_out_from_the_last_sign(make_device, now, signalled_kinds):
    fresh, silent, never = make_device(), make_device(), make_device()
    make_state(fresh, 1, now, status=DeviceStatus.OFFLINE)
    make_state(silent, 100, now)
    assert update_device_status(fresh.pk)["status"] == "online"
    assert update_device_status(silent.pk) == {"device_id": silent.pk, "status": "offline", "changed": True}
    assert update_device_status(silent.pk)["changed"] is False
    assert update_device_status(never.pk)["status"] == "unknown"
    assert signalled_kinds == [EventKind.DEVICE_ONLINE, EventKind.DEVICE_OFFLINE]


def test_update_device_status_takes_only_known_statuses_and_devices(device, now):
    assert update_device_status(device.pk, "offline")["status"] == "offline"
    assert DeviceState.objects.get(device=device).status == DeviceStatus.OFFLINE
    with pytest.raises(PermanentError, match="must be one of"):
        update_device_status(device.pk, "asleep")
    with pytest.raises(PermanentError, match="no device 999999"):
        update_device_status(999_999)


def make_plan(device, now, **fields):
    fields = {"every_kilometers": 1000, "last_done_at": now, **fields}
    return MaintenancePlan.objects.create(device=device, name="Oil", **fields)


def test_check_maintenance_tells_each_change_once(device, now, signalled_kinds):
    plan, state = make_plan(device, now), make_state(device, 0, now, odometer_meters=899_000)
    assert check_maintenance()["events"] == 0
    for kilometers, kind in ((950, EventKind.MAINTENANCE_DUE_SOON), (1001, EventKind.MAINTENANCE_DUE)):
        state.odometer_meters = kilometers * 1000
        state.save()
        assert check_maintenance()["events"] == 1
        assert check_maintenance()["events"] == 0
        event = Event.objects.get(kind=kind)
        assert event.data == {"plan_id": plan.pk, "plan": "Oil", "remaining": {"kilometers": 1000.0 - kilometers}}
    assert signalled_kinds == [EventKind.MAINTENANCE_DUE_SOON, EventKind.MAINTENANCE_DUE]


def test_maintenance_that_was_done_starts_anew(device, now):
    plan = make_plan(device, now, every_days=30)
    make_state(device, 0, now, odometer_meters=2_000_000, engine_seconds=7200)
    check_maintenance()
    plan.refresh_from_db()
    assert plan.status == MaintenanceStatus.DUE
    mark_done(plan, now=now)
    plan.refresh_from_db()
    assert (plan.status, plan.last_done_odometer_meters, plan.last_done_engine_seconds) == ("ok", 2_000_000, 7200)
    assert check_maintenance()["changed"] == 0


def test_inactive_plans_are_left_alone(device, now):
    make_plan(device, now - timedelta(days=99), every_kilometers=None, every_days=1, is_active=False)
    assert check_maintenance() == {"checked": 0, "changed": 0, "events": 0}


def test_devices_inside_a_geofence_are_found(device, make_device, now):
    area = {"type": "Circle", "coordinates": [-46.6, -23.5], "radius_meters": 100}
    fence = Geofence.objects.create(fleet=device.fleet, name="Depot", area=area)
    make_device()
    process_batch([item(now)], received_at=now)
    assert list(devices_inside(fence)) == [device]
