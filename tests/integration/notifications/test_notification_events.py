"""From an event to notification rows: who gets one, in which transaction, at what cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from notifications_app.models import Delivery, DeliveryState, Notification, NotificationPreference, Rule
from notifications_app.queries import unread_count, visible_notifications
from notifications_app.services.events.event_alerts import notify_of_events
from notifications_app.services.inbox.read_state import mark_read
from notifications_app.services.notifications.notifying import notify
from notifications_app.services.texts import clear_cache
from tasks_app.models import Device, EventKind, Fleet, FleetMembership, MaintenancePlan
from tasks_app.services.devices.servicing import check_plans
from tasks_app.services.devices.status import check_offline
from tasks_app.services.positions.processing import process_batch
from tasks_app.signals import events_recorded
from tests.support.notifications import make_geofence, make_rule, match_outbox, record_events, stored_notifications

MAX_AGE = timedelta(minutes=15)


def rows(**filters) -> list[tuple[str, str, str]]:
    found = Delivery.objects.filter(**filters).order_by("notification__user__username", "channel")
    return [(row.notification.user.username, row.channel, row.state) for row in found]


@pytest.fixture
def rule(fleet, operator):
    return make_rule(fleet, [operator])


def test_it_writes_a_notification_with_a_delivery_per_channel(device, rule, operator, fleet, db):
    geofence = make_geofence(fleet)
    (event,) = record_events(device, EventKind.GEOFENCE_ENTER, geofence=geofence, latitude=-23.55, longitude=-46.63)
    (one,) = stored_notifications()
    assert (one.user, one.event, one.device, one.kind) == (operator, event, device, "geofence")
    assert one.subject == "Van 1 entered Depot"
    assert "openstreetmap.org/?mlat=-23.550000&mlon=-46.630000" in one.body_text
    assert "Van 1" in one.body_html
    assert rows() == [("ana", "email", "pending"), ("ana", "in_app", "sent")]


def test_a_geofence_that_was_deleted_before_people_were_notified_has_its_name(device, rule, db):
    record_events(device, EventKind.GEOFENCE_EXIT, data={"geofence": "Depot"})
    (one,) = stored_notifications()
    assert (one.subject, "Depot" in one.body_text) == ("Van 1 left Depot", True)


@pytest.mark.parametrize("kind", EventKind.values)
def test_it_notifies_of_every_kind_of_event(kind, device, rule, db):
    record_events(device, kind)
    assert Notification.objects.get().subject.startswith("Van 1")


def test_it_states_what_the_maintenance_check_finds(device, rule, db):
    now = timezone.now()
    MaintenancePlan.objects.create(device=device, name="Oil", every_days=10, last_done_at=now - timedelta(days=9.2))
    check_plans(now=now)
    match_outbox()
    (one,) = stored_notifications()
    assert one.subject == "Van 1: Oil is due soon"
    assert "Time: 1 day left" in one.body_text


def test_it_notifies_of_a_vehicle_that_fell_silent_and_of_its_return(device, rule, db):
    now = timezone.now()
    fix = {"device_id": device.unique_id, "latitude": -23.55, "longitude": -46.63}
    process_batch([{**fix, "timestamp": (now - timedelta(hours=2)).isoformat()}], received_at=now - timedelta(hours=2))
    check_offline(now=now)
    match_outbox()
    assert Notification.objects.get().subject == "Van 1 has been silent for 2 h"
    process_batch([{**fix, "timestamp": now.isoformat()}], received_at=now)
    match_outbox()
    assert visible_notifications(rule.users.get())[0].subject == "Van 1 is back online"


def test_it_notifies_of_what_the_position_pipeline_finds_in_live_fixes_only(device, fleet, rule, db):
    make_geofence(fleet)
    now = timezone.now()

    def drive_in(ago: timedelta) -> None:
        fixes = [
            {
                "device_id": device.unique_id,
                "timestamp": (now - ago + timedelta(minutes=minute)).isoformat(),
                "latitude": -23.55 - 0.01 * (4 - minute),
                "longitude": -46.63,
                "speed": 40,
            }
            for minute in range(5)
        ]
        process_batch(fixes, received_at=now)
        match_outbox()

    drive_in(timedelta(hours=5))
    assert Notification.objects.count() == 0
    drive_in(timedelta(minutes=5))
    assert "Van 1 entered Depot" in Notification.objects.values_list("subject", flat=True)


def drive_fast(device: Device, *speeds: float, ago_seconds: int = 60) -> None:
    now = timezone.now()
    for seconds, speed in enumerate(speeds):
        at = (now + timedelta(seconds=seconds - ago_seconds)).isoformat()
        fix = {"device_id": device.unique_id, "timestamp": at, "latitude": -23.55, "longitude": -46.63, "speed": speed}
        process_batch([fix], received_at=now)
    match_outbox()


def test_it_notifies_of_the_end_of_an_overspeed_with_limit_peak_duration_and_place(device, rule, db):
    Rule.objects.update(event_kinds=[EventKind.OVERSPEED_END])
    drive_fast(device, 100, 130, 120)
    assert Notification.objects.count() == 0
    drive_fast(device, 80, ago_seconds=18)
    (one,) = stored_notifications()
    assert (one.kind, one.event.kind) == ("speed_end", EventKind.OVERSPEED_END)
    assert one.subject == "Van 1 is no longer too fast, after 42 s (up to 130 km/h, limit 90 km/h)"
    for line in ("Top speed: 130 km/h", "Speed limit: 90 km/h", "Duration: 42 s", "mlat=-23.550000&mlon=-46.630000"):
        assert line in one.body_text


@pytest.mark.parametrize(("condition", "expected"), [({"min_speed_kph": 110}, 1), ({"min_speed_kph": 140}, 0)])
def test_the_end_of_an_overspeed_is_as_fast_as_its_peak(condition, expected, device, rule, db):
    Rule.objects.update(event_kinds=[EventKind.OVERSPEED_END], **condition)
    drive_fast(device, 100, 130, 80)
    assert Notification.objects.count() == expected


@pytest.mark.parametrize(("seconds", "expected"), [(59, 0), (61, 1)])
def test_the_end_of_an_overspeed_is_notified_if_it_lasted_as_long_as_the_rule_wants(
    seconds, expected, device, rule, db
):
    Rule.objects.update(event_kinds=[EventKind.OVERSPEED_END], min_duration_minutes=1)
    record_events(device, EventKind.OVERSPEED_END, data={"duration_seconds": seconds, "peak_kph": 100.0})
    assert Notification.objects.count() == expected


def test_it_rolls_back_with_the_events(device, rule, run_jobs):
    with transaction.atomic():
        record_events(device, EventKind.OVERSPEED)
        assert Notification.objects.count() == 1
        transaction.set_rollback(True)
    assert Notification.objects.count() == Delivery.objects.count() == 0
    assert run_jobs("notifications") == 0


def test_it_writes_the_same_event_once(device, rule, db):
    events = record_events(device, EventKind.OVERSPEED)
    events_recorded.send(sender=None, events=events)
    assert notify_of_events(events, now=timezone.now(), max_age=MAX_AGE) == []
    assert len(rows()) == 2


def test_it_notifies_nobody_of_late_events_unless_the_setting_says_so(device, rule, settings, db):
    settings.ALERT_MAX_AGE_MINUTES = 15
    late = timezone.now() - timedelta(hours=20)
    record_events(device, EventKind.OVERSPEED, occurred_at=late)
    assert Notification.objects.count() == 0
    settings.ALERT_MAX_AGE_MINUTES = 60 * 24
    record_events(device, EventKind.OVERSPEED, occurred_at=late)
    assert Notification.objects.count() == 1


def _lose_membership(user, fleet):
    FleetMembership.objects.filter(user=user).delete()


def _move_to_another_fleet(user, fleet):
    FleetMembership.objects.filter(user=user).update(fleet=Fleet.objects.create(name="Depot South"))


def _deactivate(user, fleet):
    user.is_active = False
    user.save()


def _switch_rules_off(user, fleet):
    fleet.rules.update(is_active=False)


@pytest.mark.parametrize("change", [_lose_membership, _move_to_another_fleet, _deactivate, _switch_rules_off])
def test_it_sends_nothing_to_those_it_is_no_business_of(change, device, rule, operator, fleet, db):
    change(operator, fleet)
    record_events(device, EventKind.OVERSPEED)
    assert Notification.objects.count() == 0


def test_it_notifies_staff_without_membership(device, fleet, staff, db):
    make_rule(fleet, [staff])
    record_events(device, EventKind.OVERSPEED)
    assert Notification.objects.get().user == staff


def test_it_honours_the_devices_and_geofences_of_a_rule(make_device, fleet, operator, db):
    van, truck = make_device(), make_device()
    depot, yard = make_geofence(fleet, "Depot"), make_geofence(fleet, "Yard")
    make_rule(fleet, [operator], devices=[van], geofences=[depot])
    record_events(truck, EventKind.GEOFENCE_ENTER, geofence=depot)
    record_events(van, EventKind.GEOFENCE_ENTER, geofence=yard)
    assert Notification.objects.count() == 0
    record_events(van, EventKind.GEOFENCE_ENTER, geofence=depot)
    assert Notification.objects.get().device == van


def test_it_writes_in_each_readers_language_and_zone(device, fleet, operator, make_user, db):
    recipient = make_user(username="bia")
    FleetMembership.objects.create(user=recipient, fleet=fleet)
    NotificationPreference.objects.create(user=recipient, language="pt-br", time_zone="Asia/Tokyo")
    make_rule(fleet, [operator, recipient])
    record_events(device, EventKind.OVERSPEED)
    texts = {row.user.username: row.body_text for row in stored_notifications()}
    # Without a preference the fleet's own zone is the best guess.
    assert "America/Sao_Paulo" in texts["ana"]
    assert "Asia/Tokyo" in texts["bia"]


@pytest.mark.parametrize("zone", ["Mars/Olympus_Mons", "../../etc/passwd", "America"])
def test_an_unknown_zone_or_language_keeps_no_event_from_being_written(zone, device, rule, operator, db):
    NotificationPreference.objects.create(user=operator, language="xx", time_zone=zone)
    record_events(device, EventKind.OVERSPEED)
    assert "Times are in the zone UTC" in stored_notifications()[0].body_text


def test_its_queries_do_not_grow_with_events_rules_or_people(make_device, fleet, operator, make_user, db):
    def measure(event_count: int) -> int:
        devices = [make_device() for _ in range(event_count)]
        events = [record_events(device, EventKind.GEOFENCE_EXIT)[0] for device in devices]
        Notification.objects.all().delete()
        clear_cache()
        with CaptureQueriesContext(connection) as queries:
            notify_of_events(events, now=timezone.now(), max_age=MAX_AGE)
        assert Notification.objects.count() > 0
        return len(queries)

    make_rule(fleet, [operator])
    few = measure(1)
    for _ in range(5):
        user = make_user()
        FleetMembership.objects.create(user=user, fleet=fleet)
        make_rule(fleet, [operator, user])
    assert measure(40) == few <= 19


def test_it_costs_three_queries_where_nobody_made_a_rule(device, db, django_assert_num_queries):
    events = record_events(device, EventKind.OVERSPEED)
    with django_assert_num_queries(3):
        notify_of_events(events, now=timezone.now(), max_age=MAX_AGE)


def test_what_no_rule_asks_for_is_not_even_read(device, fleet, operator, db):
    make_rule(fleet, [operator], kinds=[EventKind.ALARM])
    make_rule(fleet, [operator], kinds=[EventKind.IGNITION_ON], is_active=False)
    with CaptureQueriesContext(connection) as queries:
        record_events(device, EventKind.OVERSPEED, EventKind.IGNITION_ON)
    assert not [query for query in queries if 'FROM "tasks_app_device"' in query["sql"]]
    record_events(device, EventKind.OVERSPEED, EventKind.ALARM)
    assert [one.kind for one in stored_notifications()] == ["alarm"]


def test_it_counts_the_unread_from_the_cache_and_forgets_on_every_write(device, rule, operator, charlie, run_jobs):
    assert unread_count(operator) == 0
    record_events(device, EventKind.OVERSPEED, EventKind.DEVICE_ONLINE)
    assert unread_count(operator) == 2
    first = visible_notifications(operator).last()
    assert mark_read(user=charlie, now=timezone.now(), notification_ids=[first.pk]) == 0
    assert mark_read(user=operator, now=timezone.now(), notification_ids=[first.pk]) == 1
    assert unread_count(operator) == 1
    assert mark_read(user=operator, now=timezone.now()) == 1
    assert mark_read(user=operator, now=timezone.now()) == 0
    assert unread_count(operator) == 0
    assert unread_count(charlie) == 0


def test_it_reads_the_unread_count_without_the_database_the_second_time(operator, db, django_assert_num_queries):
    unread_count(operator)
    with django_assert_num_queries(0):
        assert unread_count(operator) == 0


def test_it_shows_people_their_own_notifications_only(device, rule, operator, staff, db):
    record_events(device, EventKind.OVERSPEED)
    assert visible_notifications(operator).count() == 1
    assert visible_notifications(staff).count() == 0
    operator.is_active = False
    assert visible_notifications(operator).count() == 0


def test_it_notifies_given_people_once_per_key_with_clean_texts(operator, make_user, db):
    gone = make_user(is_active=False)

    def notify_all() -> list[int]:
        return notify(
            users=[operator, gone],
            kind="system",
            subject="Report\r\nBcc: eve@example.org",
            body_text="Ready\x00",
            dedupe_key="report:7",
            channels=["in_app", "pigeon"],
        )

    assert len(notify_all()) == 1
    assert notify_all() == []
    stored_notifications = Notification.objects.get()
    assert (stored_notifications.user, stored_notifications.subject, stored_notifications.body_text) == (
        operator,
        "Report Bcc: eve@example.org",
        "Ready",
    )
    assert rows() == [("ana", "in_app", DeliveryState.SENT)]
