"""Each notification task has its effect, as a job through the real queue."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from notifications_app.models import Delivery, Notification, NotificationPreference
from notifications_app.queries.summary import fleet_summaries
from notifications_app.tasks import alert_tasks, delivery_tasks
from tasks_app.engine import InvalidArguments, PermanentError, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import (
    DeviceState,
    DeviceStatus,
    Event,
    EventKind,
    Fleet,
    FleetMembership,
    FleetRole,
    Geofence,
    Job,
    MaintenancePlan,
)
from tasks_app.services.positions.processing import process_batch
from tests.support.notifications import CIRCLE, make_geofence, make_rule

POSITION = {"timestamp": "2026-11-23T10:00:00Z", "latitude": -23.55, "longitude": -46.63, "speed": 101}


@pytest.fixture
def manager(make_user, fleet):
    user = make_user(username="mia")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


@pytest.fixture
def geofence(fleet) -> Geofence:
    return make_geofence(fleet)


@pytest.fixture
def plan(device) -> MaintenancePlan:
    return MaintenancePlan.objects.create(
        device=device, name="Oil change", every_days=10, last_done_at=timezone.now() - timedelta(days=11, minutes=1)
    )


def notified_users() -> list[tuple[str, str]]:
    return sorted((row.user.username, row.subject) for row in Notification.objects.all())


def test_send_geofence_alert_notifies_the_users_of_matching_rules(device, geofence, fleet, operator, manager, run_jobs):
    make_rule(fleet, [operator], kinds=["geofence_enter"])
    alert_tasks.send_geofence_alert.delay(device.pk, geofence.pk, "enter", POSITION)
    alert_tasks.send_geofence_alert.delay(device.pk, geofence.pk, "exit", POSITION)
    run_jobs("notifications")
    assert notified_users() == [("ana", "Van 1 entered Depot")]
    assert "23 November 2026, 07:00" in Notification.objects.get().body_text
    assert set(Delivery.objects.values_list("channel", "state")) == {("in_app", "sent"), ("email", "sent")}


def test_send_geofence_alert_notifies_the_managers_where_nobody_made_a_rule(
    device, geofence, operator, manager, run_jobs, mailoutbox
):
    alert_tasks.send_geofence_alert.delay(device.pk, geofence.pk, "exit", {})
    run_jobs("notifications")
    assert notified_users() == [("mia", "Van 1 left Depot")]
    assert [mail.to for mail in mailoutbox] == [[manager.email]]


def test_send_device_offline_alert_states_how_long_and_where_last(device, manager, run_jobs):
    DeviceState.objects.create(device=device, fix_time=timezone.now(), latitude=-23.55, longitude=-46.63)
    alert_tasks.send_device_offline_alert.delay(device.pk, 75)
    run_jobs("notifications")
    assert notified_users() == [("mia", "Van 1 has been silent for 1 h 15 min")]
    assert "mlat=-23.550000" in Notification.objects.get().body_text


def test_send_speed_alert_states_speed_and_limit(device, manager, run_jobs):
    alert_tasks.send_speed_alert.delay(device.pk, 101.4, 90, POSITION)
    run_jobs("notifications")
    assert notified_users() == [("mia", "Van 1 is driving 101 km/h (limit 90 km/h)")]


def test_send_maintenance_reminder_states_what_is_due(device, plan, manager, run_jobs):
    alert_tasks.send_maintenance_reminder.delay(device.pk, plan.pk)
    run_jobs("notifications")
    assert notified_users() == [("mia", "Van 1: Oil change is due")]
    assert "Time: 1 day over" in Notification.objects.get().body_text


def test_send_daily_summary_states_the_figures_of_the_persons_own_fleets(
    device, make_device, fleet, operator, staff, run_jobs
):
    silent, retired = make_device(name="Van 2"), make_device(is_active=False)
    now = timezone.now()
    DeviceState.objects.create(device=silent, status=DeviceStatus.OFFLINE, offline_since=now - timedelta(hours=3))
    DeviceState.objects.create(device=retired, status=DeviceStatus.OFFLINE)
    Fleet.objects.create(name="Depot South")
    for hours in (1, 2, 23, 25):
        Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=now - timedelta(hours=hours))
    Event.objects.create(device=silent, kind=EventKind.DEVICE_OFFLINE, occurred_at=now - timedelta(hours=3))
    # Half an hour straight north at 60 km/h, and a day before that to its beginning, which is none of today's business.
    for start, first in ((now - timedelta(hours=5), 0), (now - timedelta(hours=30), -30)):
        process_batch(
            [
                {
                    "device_id": device.unique_id,
                    "timestamp": (start + timedelta(minutes=minute)).isoformat(),
                    "latitude": -23.55 + (first + minute) / 110.76,
                    "longitude": -46.63,
                    "speed": 60,
                }
                for minute in range(31)
            ],
            received_at=now,
        )
    alert_tasks.send_daily_summary.delay(operator.pk)
    run_jobs("notifications")
    text = Notification.objects.get().body_text
    for line in (
        "Depot North\nVehicles: 2\nOnline now: 1\nOffline now: 1\nDistance driven: 30 km\nEvents: 4\n",
        "  Overspeed: 3\n  Device offline: 1\n",
        "Most events:\n  Van 1: 3\n  Van 2: 1\n",
        "Offline vehicles:\n  Van 2, since",
    ):
        assert line in text
    assert "Depot South" not in text
    alert_tasks.send_daily_summary(staff.pk)
    assert "Depot South" in Notification.objects.get(user=staff).body_text


def test_the_daily_summary_lists_alarms_and_then_the_fastest_overspeeds_of_each_fleet(device, fleet, operator):
    now = timezone.now()
    for minutes, (kind, data) in enumerate(
        [
            ("ignition_on", {}),
            ("alarm", {"alarm": "sos"}),
            *[("overspeed", {"speed_kph": 95.0, "peak_kph": 100.0 + n}) for n in range(5)],
            ("overspeed", {"speed_kph": 130.0}),
        ]
    ):
        Event.objects.create(device=device, kind=kind, occurred_at=now - timedelta(minutes=1 + minutes), data=data)
    Event.objects.create(device=device, kind="alarm", occurred_at=now - timedelta(hours=25), data={"alarm": "old"})
    (summary,) = fleet_summaries(operator, now=now)
    assert [(one.alarm, one.speed_kph) for one in summary.top_events] == [
        ("sos", None),
        (None, 130.0),
        (None, 104.0),
        (None, 103.0),
        (None, 102.0),
    ]


def test_send_daily_summary_without_a_user_makes_a_job_per_subscriber(operator, make_user, run_jobs):
    for user, wanted in ((operator, True), (make_user(), False), (make_user(is_active=False), True)):
        NotificationPreference.objects.create(user=user, daily_summary=wanted)
    job_id = alert_tasks.send_daily_summary.delay()
    run_jobs("notifications")
    assert [row.user for row in Notification.objects.all()] == [operator]
    assert Job.objects.get(pk=job_id).result == {"jobs": 1}


def test_the_same_job_makes_the_same_summaries(operator, run_jobs):
    NotificationPreference.objects.create(user=operator, daily_summary=True)
    job_id = uuid4()
    for _ in range(2):
        set_current_job(CurrentJob(job_id=job_id))
        try:
            assert alert_tasks.send_daily_summary() == {"jobs": 1}
        finally:
            set_current_job(None)
        run_jobs("notifications")
    assert Notification.objects.count() == 1


def test_send_system_alert_notifies_administrators_only(staff, operator, make_user, run_jobs, mailoutbox):
    make_user(username="gone", is_staff=True, is_active=False)
    alert_tasks.send_system_alert.delay("Disk\nfull", "5 % left", "critical")
    run_jobs("notifications")
    assert notified_users() == [("staff", "[Critical] Disk full")]
    assert [mail.subject for mail in mailoutbox] == ["[Critical] Disk full"]


def test_deliver_notification_sends_a_delivery(operator, run_jobs, mailoutbox):
    written = Notification.objects.create(user=operator, kind="system", dedupe_key="x", subject="Hi", body_text="Hi")
    delivery = Delivery.objects.create(notification=written, channel="email")
    delivery_tasks.deliver_notification.delay(delivery.pk)
    run_jobs("notifications")
    assert len(mailoutbox) == 1


def test_sweep_stuck_deliveries_sends_what_was_left_behind(operator, run_jobs, mailoutbox):
    written = Notification.objects.create(user=operator, kind="system", dedupe_key="x", subject="Hi", body_text="Hi")
    delivery = Delivery.objects.create(notification=written, channel="email")
    Delivery.objects.update(created_at=timezone.now() - timedelta(minutes=3))
    delivery_tasks.sweep_stuck_deliveries.delay()
    run_jobs("notifications")
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert len(mailoutbox) == 1


def test_a_job_that_runs_again_notifies_each_person_once(device, manager, db):
    set_current_job(CurrentJob(job_id=uuid4()))
    try:
        assert alert_tasks.send_speed_alert(device.pk, 101, 90, {}) == {"notifications": 1}
        assert alert_tasks.send_speed_alert(device.pk, 101, 90, {}) == {"notifications": 0}
    finally:
        set_current_job(None)
    assert alert_tasks.send_speed_alert(device.pk, 101, 90) == {"notifications": 1}
    assert Notification.objects.count() == 2


def test_a_fleet_whose_rules_are_all_off_wants_silence(device, fleet, manager, operator, db):
    make_rule(fleet, [operator], is_active=False)
    alert_tasks.send_speed_alert(device.pk, 101, 90, {})
    assert notified_users() == []


UNKNOWN = 987_654


@pytest.mark.parametrize(
    ("name", "args", "reason"),
    [
        ("send_geofence_alert", ("device", UNKNOWN, "enter", {}), "no geofence"),
        ("send_geofence_alert", (UNKNOWN, 1, "enter", {}), "no device"),
        ("send_geofence_alert", ("device", "foreign geofence", "enter", {}), "no geofence"),
        ("send_geofence_alert", ("device", "geofence", "enter", {"latitude": 91}), "latitude must be between"),
        ("send_geofence_alert", ("device", "geofence", "enter", {"timestamp": "yesterday"}), "not an ISO-8601"),
        ("send_device_offline_alert", (UNKNOWN, 20), "no device"),
        ("send_device_offline_alert", ("device", -1), "between 0 and"),
        ("send_device_offline_alert", ("device", float("nan")), "between 0 and"),
        ("send_speed_alert", (UNKNOWN, 100, 90, {}), "no device"),
        ("send_speed_alert", ("device", -100, 90, {}), "between 0 and"),
        ("send_speed_alert", ("device", float("inf"), 90, {}), "finite"),
        ("send_maintenance_reminder", (UNKNOWN, 1), "no device"),
        ("send_maintenance_reminder", ("device", UNKNOWN), "no maintenance plan"),
        ("send_maintenance_reminder", ("other device", "plan"), "no maintenance plan"),
        ("send_daily_summary", (UNKNOWN,), "no active user"),
        ("send_system_alert", (" \n", "text"), "needs a subject"),
        ("send_system_alert", ("Title", "text", "loud"), "level must be"),
    ],
)
def test_what_cannot_be_right_fails_for_good(name, args, reason, device, make_device, geofence, plan, manager):
    elsewhere = Fleet.objects.create(name="Depot South")
    named = {
        "device": device.pk,
        "other device": make_device().pk,
        "geofence": geofence.pk,
        "foreign geofence": Geofence.objects.create(fleet=elsewhere, name="Yard", area=CIRCLE).pk,
        "plan": plan.pk,
    }
    real = [named.get(value, value) if isinstance(value, str) else value for value in args]
    with pytest.raises(PermanentError, match=reason):
        get_task(name)(*real)
    assert Notification.objects.count() == 0


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("send_geofence_alert", (1, 1, "inside", {})),
        ("send_geofence_alert", ("1", 1, "enter", {})),
        ("send_geofence_alert", (1, 1, "enter", [])),
        ("send_device_offline_alert", (1, "long")),
        ("send_speed_alert", (1, 100)),
        ("send_system_alert", ("a", "b", "loud")),
        ("send_daily_summary", ("ana",)),
    ],
)
def test_wrong_arguments_are_refused_before_a_job_is_made(name, args):
    with pytest.raises(InvalidArguments):
        get_task(name).delay(*args)
