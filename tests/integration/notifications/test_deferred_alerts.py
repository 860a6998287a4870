"""Deferred alerts: quiet hours, digests, cooldowns, pending alerts, escalation, backlog, floods; none is lost."""

from __future__ import annotations

from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.utils import timezone

from notifications_app.messages.kinds.system import system_message
from notifications_app.messages.rendering import Message
from notifications_app.models import (
    Delivery,
    Escalation,
    EscalationStep,
    EventDispatch,
    HeldAlert,
    Notification,
    NotificationKind,
    NotificationPreference,
    WaitingAlert,
)
from notifications_app.queries import unread_count
from notifications_app.services.digests.held_alerts import send_due_digests
from notifications_app.services.events.escalation import escalate_due
from notifications_app.services.events.event_outbox import EVENTS_PER_OUTBOX_ROW
from notifications_app.services.events.pending_alerts import send_pending_alerts
from notifications_app.services.inbox.read_state import acknowledge
from notifications_app.services.notifications.delivery_jobs import sweep_stuck_deliveries
from notifications_app.services.notifications.notifying import may_wait, notify_with_message
from tasks_app.models import DeviceState, DeviceStatus, Event, EventKind, FleetMembership, FleetRole
from tasks_app.signals import events_recorded
from tests.support.notifications import make_geofence, make_rule, record_events, stored_notifications

pytestmark = pytest.mark.django_db


def notified_users() -> list[tuple[str, str]]:
    return list(Notification.objects.order_by("pk").values_list("user__username", "subject"))


@pytest.fixture
def boss(make_user, fleet):
    user = make_user(username="boss")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


@pytest.fixture
def quiet(operator):
    """Ana wants quiet from an hour ago until an hour from now, on clocks of UTC."""
    now = timezone.now()
    begin, end = ((now + timedelta(hours=hours)).time().replace(microsecond=0, second=0) for hours in (-1, 1))
    return NotificationPreference.objects.create(user=operator, quiet_from=begin, quiet_to=end)


def test_quiet_hours_hold_back_all_but_urgent_kinds_and_end_with_one_digest(
    device, make_device, fleet, operator, quiet
):
    make_rule(fleet, [operator], channels=["in_app", "email"])
    record_events(device, EventKind.OVERSPEED, EventKind.OVERSPEED, EventKind.ALARM, EventKind.IGNITION_ON)
    record_events(make_device(name="Van 2"), EventKind.OVERSPEED)
    assert notified_users() == [("ana", "Van 1: alarm, unknown")]
    now = timezone.now()
    assert send_due_digests(now=now) == 0
    assert send_due_digests(now=now + timedelta(hours=2)) == 1
    assert send_due_digests(now=now + timedelta(hours=3)) == 0
    digest = stored_notifications()[-1]
    assert (digest.kind, digest.subject) == ("digest", "4 events gathered for you")
    assert "Van 1: Overspeed, 2×" in digest.body_text
    assert "Van 2: Overspeed, 1×" in digest.body_text
    assert sorted(digest.deliveries.values_list("channel", flat=True)) == ["email", "in_app"]
    assert not HeldAlert.objects.exists()


def test_a_digest_leaves_out_what_its_reader_may_no_longer_see(device, fleet, operator):
    make_rule(fleet, [operator], digest_every_minutes=10)
    record_events(device, EventKind.OVERSPEED)
    FleetMembership.objects.all().delete()
    assert send_due_digests(now=timezone.now() + timedelta(minutes=11)) == 0
    assert notified_users() == []
    assert not HeldAlert.objects.exists()


def test_a_digest_waits_for_the_end_of_quiet_hours_that_were_changed_meanwhile(device, fleet, operator, quiet):
    make_rule(fleet, [operator])
    record_events(device, EventKind.OVERSPEED)
    former_end = timezone.now() + timedelta(hours=1, minutes=1)
    quiet.quiet_to = (former_end + timedelta(hours=1)).time().replace(microsecond=0)
    quiet.save()
    assert [send_due_digests(now=former_end + timedelta(minutes=minutes)) for minutes in (0, 59, 61)] == [0, 0, 1]


def test_digests_of_two_rules_go_each_at_its_own_time(device, fleet, operator):
    make_rule(fleet, [operator], channels=["in_app"], digest_every_minutes=60)
    daily_at = (timezone.now() + timedelta(hours=3)).time().replace(second=0, microsecond=0)
    make_rule(fleet, [operator], channels=["email"], digest_daily_at=daily_at)
    record_events(device, EventKind.OVERSPEED)
    assert [send_due_digests(now=timezone.now() + timedelta(hours=hours)) for hours in (2, 4)] == [1, 1]
    assert ["1×" in one.body_text for one in stored_notifications()] == [True, True]
    assert list(Delivery.objects.order_by("pk").values_list("channel", flat=True)) == ["in_app", "email"]


def test_digests_of_two_rules_that_are_late_count_an_event_once_in_each(device, fleet, operator):
    make_rule(fleet, [operator], channels=["in_app"], digest_every_minutes=60)
    make_rule(fleet, [operator], channels=["email"], digest_every_minutes=90)
    record_events(device, EventKind.OVERSPEED)
    assert send_due_digests(now=timezone.now() + timedelta(hours=2)) == 2
    assert ["1×" in one.body_text for one in stored_notifications()] == [True, True]
    assert sorted(Delivery.objects.values_list("channel", flat=True)) == ["email", "in_app"]


@pytest.mark.parametrize(
    ("change", "minutes"),
    [({"quiet_from": None, "quiet_to": None}, 0), ({"time_zone": "Asia/Tokyo"}, 0), ("later", 120), ("earlier", 30)],
)
def test_what_quiet_hours_hold_follows_their_end_when_they_are_changed(change, minutes, device, fleet, operator, quiet):
    now = timezone.now()
    make_rule(fleet, [operator])
    record_events(device, EventKind.OVERSPEED)
    mild = system_message(subject="Disk", message="80 %", level="info", at=now)
    notify_with_message(mild, people=[operator], dedupe_key="x", now=now)
    end = (now + timedelta(minutes=minutes)).replace(microsecond=0)
    for name, value in ({"quiet_to": end.time()} if isinstance(change, str) else change).items():
        setattr(quiet, name, value)
    quiet.save()
    moved = [HeldAlert.objects.get().due_at, Delivery.objects.get(channel="email").hold_until]
    assert all(timedelta(seconds=-1) <= at - end < timedelta(seconds=10) for at in moved)


@pytest.mark.parametrize(
    ("change", "minutes"),
    [({"digest_every_minutes": None}, 0), ({"digest_every_minutes": 240}, 240), ({"digest_every_minutes": 20}, 20)],
)
def test_a_person_s_own_digest_that_is_changed_counts_for_what_waits(change, minutes, device, fleet, operator):
    now = timezone.now()
    own = NotificationPreference.objects.create(user=operator, digest_every_minutes=60)
    make_rule(fleet, [operator], kinds=["overspeed"])
    make_rule(fleet, [operator], kinds=["ignition_on"], digest_every_minutes=90)
    record_events(device, EventKind.OVERSPEED, EventKind.IGNITION_ON)
    own.digest_every_minutes = change["digest_every_minutes"]
    own.save()
    due = dict(HeldAlert.objects.values_list("kind", "due_at"))
    passed = {kind: round((at - now).total_seconds() / 60) for kind, at in due.items()}
    assert passed == {"overspeed": minutes, "ignition_on": 90}


def test_a_daily_digest_of_a_rule_follows_the_zone_of_its_person(device, fleet, operator):
    own = NotificationPreference.objects.create(user=operator, time_zone="UTC")
    make_rule(fleet, [operator], digest_daily_at=time(7))
    record_events(device, EventKind.OVERSPEED)
    own.time_zone = "Asia/Tokyo"
    own.save()
    assert HeldAlert.objects.get().due_at.astimezone(ZoneInfo("Asia/Tokyo")).time() == time(7)


def test_a_cooldown_holds_over_batches_and_per_device_and_kind(device, make_device, fleet, operator):
    make_rule(fleet, [operator], cooldown_minutes=30)
    start = timezone.now() - timedelta(minutes=14)
    for minutes in (0, 5, 10):
        record_events(device, EventKind.OVERSPEED, occurred_at=start + timedelta(minutes=minutes))
    record_events(device, EventKind.IGNITION_ON)
    record_events(make_device(), EventKind.OVERSPEED)
    over = start + timedelta(minutes=31)
    record_events(device, EventKind.OVERSPEED, occurred_at=over, matched_at=over)
    assert len(notified_users()) == 4


def test_a_rule_may_want_silence_to_last_and_states_then_how_long_it_has(device, fleet, operator):
    make_rule(fleet, [operator], kinds=["device_offline"], min_duration_minutes=60)
    now = timezone.now()
    DeviceState.objects.create(device=device, status=DeviceStatus.OFFLINE)
    record_events(device, EventKind.DEVICE_OFFLINE, data={"offline_minutes": 15.0})
    assert notified_users() == []
    assert send_pending_alerts(now=now + timedelta(minutes=44)) == 0
    assert send_pending_alerts(now=now + timedelta(minutes=46)) == 1
    assert stored_notifications()[0].subject == "Van 1 has been silent for 15 min"
    assert "1 h 1 min" in stored_notifications()[0].body_text
    assert not WaitingAlert.objects.exists()


@pytest.mark.parametrize(("minutes", "expected"), [(59, 0), (61, 1)])
def test_what_ended_in_time_is_not_notified_and_what_did_not_is(device, fleet, operator, minutes, expected):
    make_rule(fleet, [operator], kinds=["device_offline"], min_duration_minutes=60)
    now = timezone.now()
    DeviceState.objects.create(device=device, status=DeviceStatus.ONLINE)
    record_events(device, EventKind.DEVICE_OFFLINE, data={"offline_minutes": 15.0})
    record_events(device, EventKind.DEVICE_ONLINE, data={"offline_minutes": minutes})
    assert send_pending_alerts(now=now + timedelta(minutes=50)) == expected


def test_the_silence_of_a_device_taken_out_of_service_meanwhile_is_not_notified(device, fleet, operator):
    make_rule(fleet, [operator], kinds=["device_offline"], min_duration_minutes=60)
    DeviceState.objects.create(device=device, status=DeviceStatus.OFFLINE)
    record_events(device, EventKind.DEVICE_OFFLINE)
    device.is_active = False
    device.save()
    assert send_pending_alerts(now=timezone.now() + timedelta(hours=2)) == 0
    assert not WaitingAlert.objects.exists()


def test_overspeed_that_ended_too_early_is_not_notified(device, fleet, operator):
    make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=2)
    now = timezone.now()
    short, long = record_events(device, EventKind.OVERSPEED, EventKind.OVERSPEED, data={"speed_kph": 120})
    Event.objects.filter(pk=short.pk).update(data={"ended_at": "x", "duration_seconds": 30})
    assert WaitingAlert.objects.count() == 2
    assert send_pending_alerts(now=now + timedelta(minutes=3)) == 1
    assert Notification.objects.get().event == long


@pytest.mark.parametrize(
    ("flood_at", "cooldown_minutes", "notified", "held"), [(100, 0, 3, 0), (2, 0, 2, 1), (100, 60, 1, 0)]
)
def test_alerts_that_waited_are_limited_like_others(
    flood_at, cooldown_minutes, notified, held, device, fleet, operator, settings
):
    settings.ALERT_FLOOD_EVENTS = flood_at
    make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=5, cooldown_minutes=cooldown_minutes)
    record_events(device, *["overspeed"] * 3)
    assert WaitingAlert.objects.count() == 3
    assert send_pending_alerts(now=timezone.now() + timedelta(minutes=6)) == notified
    assert [one.event_count for one in HeldAlert.objects.all()] == [held] * bool(held)


def test_an_alert_goes_on_waiting_where_its_rule_asks_for_longer_meanwhile(device, fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=5)
    record_events(device, EventKind.OVERSPEED)
    rule.min_duration_minutes = 30
    rule.save()
    now = timezone.now()
    assert [send_pending_alerts(now=now + timedelta(minutes=minutes)) for minutes in (6, 29, 31, 32)] == [0, 0, 1, 0]


def test_an_alert_waits_no_longer_than_its_rule_asks_for_meanwhile(device, fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=60)
    record_events(device, EventKind.OVERSPEED)
    rule.min_duration_minutes = 5
    rule.save()
    now = timezone.now()
    assert [send_pending_alerts(now=now + timedelta(minutes=minutes)) for minutes in (1, 4, 6, 61)] == [0, 0, 1, 0]


def test_a_rule_that_is_switched_off_for_a_while_keeps_what_waits(device, fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=60)
    record_events(device, EventKind.OVERSPEED)
    now = timezone.now()
    for is_active in (False, True):
        rule.is_active = is_active
        rule.save()
        assert send_pending_alerts(now=now + timedelta(minutes=1)) == 0
    assert send_pending_alerts(now=now + timedelta(minutes=61)) == 1


@pytest.fixture
def escalating(fleet, operator, boss, staff):
    rule = make_rule(fleet, [operator], kinds=["alarm"])
    for minutes, user in ((10, boss), (30, staff)):
        EscalationStep.objects.create(rule=rule, after_minutes=minutes).users.add(user)
    return rule


def test_what_nobody_acknowledges_goes_on_step_by_step_each_once(device, escalating, quiet):
    record_events(device, EventKind.ALARM, data={"alarm": "sos"})
    now = timezone.now()
    assert [escalate_due(now=now + timedelta(minutes=minutes)) for minutes in (9, 11, 12, 31, 32, 99)] == [
        0, 1, 0, 1, 0, 0
    ]  # fmt: skip
    assert notified_users() == [
        ("ana", "Van 1: alarm, SOS"),
        ("boss", "Not acknowledged: Van 1: alarm, SOS"),
        ("staff", "Not acknowledged: Van 1: alarm, SOS"),
    ]
    assert not Escalation.objects.exists()


def test_an_acknowledgement_ends_the_escalation(device, escalating, operator, boss, api):
    record_events(device, EventKind.ALARM)
    now = timezone.now()
    assert escalate_due(now=now + timedelta(minutes=11)) == 1
    number = Notification.objects.get(user=boss).pk
    assert api.post(f"/api/notifications/{number}/acknowledge").status_code == 404
    assert acknowledge(user=boss, now=now, notification_ids=[number]) == 1
    assert escalate_due(now=now + timedelta(minutes=31)) == 0
    assert not Escalation.objects.exists()
    assert Notification.objects.get(pk=number).read_at is not None


def test_who_left_the_fleet_ends_no_escalation(device, escalating, operator):
    record_events(device, EventKind.ALARM)
    FleetMembership.objects.filter(user=operator).delete()
    now = timezone.now()
    assert acknowledge(user=operator, now=now, notification_ids=[Notification.objects.get().pk]) == 1
    assert escalate_due(now=now + timedelta(minutes=11)) == 1


@pytest.mark.parametrize(
    ("steps", "notified_after"),
    [
        ({10: "boss", 20: "staff"}, [20]),  # sooner than when the alert began to wait
        ({10: "boss", 50: "staff"}, [50]),
        ({5: "boss", 15: "staff"}, [15]),  # what was notified comes no second time
        ({10: "boss"}, []),
        ({10: "boss", 30: "staff", 40: "boss"}, [30, 40]),
    ],
)
def test_steps_that_are_changed_while_an_alert_waits_count_as_they_are_then(
    device, escalating, boss, staff, steps, notified_after
):
    record_events(device, EventKind.ALARM)
    now = timezone.now()
    assert escalate_due(now=now + timedelta(minutes=11)) == 1
    escalating.escalation_steps.all().delete()
    for minutes, name in steps.items():
        step = EscalationStep.objects.create(rule=escalating, after_minutes=minutes)
        step.users.add({"boss": boss, "staff": staff}[name])
    at = [minutes for minutes in range(12, 60) if escalate_due(now=now + timedelta(minutes=minutes))]
    assert at == notified_after


def test_nobody_who_may_not_see_the_fleet_is_escalated_to(device, escalating, boss):
    record_events(device, EventKind.ALARM)
    FleetMembership.objects.filter(user=boss).delete()
    assert escalate_due(now=timezone.now() + timedelta(minutes=11)) == 0
    assert Escalation.objects.count() == 1


def test_a_step_that_reached_nobody_is_past_all_the_same(device, escalating, boss):
    record_events(device, EventKind.ALARM)
    now = timezone.now()
    membership = FleetMembership.objects.get(user=boss)
    membership.delete()
    assert escalate_due(now=now + timedelta(minutes=11)) == 0
    membership.save(force_insert=True)
    assert escalate_due(now=now + timedelta(minutes=31)) == 1
    assert not Notification.objects.filter(user=boss).exists()


@pytest.mark.parametrize(("count", "expected"), [(9, []), (10, [("ana", "10 events gathered for you")])])
def test_what_an_outage_left_behind_is_one_digest_and_a_few_late_events_are_none(
    device, fleet, operator, count, expected
):
    make_rule(fleet, [operator])
    for number in range(count):
        record_events(device, EventKind.OVERSPEED, occurred_at=timezone.now() - timedelta(hours=3, minutes=number))
    assert notified_users() == []
    send_due_digests(now=timezone.now() + timedelta(minutes=6))
    assert notified_users() == expected
    assert not HeldAlert.objects.exists()


def test_a_flood_is_notified_in_part_and_the_rest_together_while_others_get_theirs(
    make_device, device, fleet, operator, boss, settings
):
    settings.ALERT_FLOOD_EVENTS = 5
    make_rule(fleet, [operator], kinds=["overspeed"])
    make_rule(fleet, [boss], kinds=["device_online"])
    flooding = make_device(name="Van 2")
    with transaction.atomic():
        count = EVENTS_PER_OUTBOX_ROW * 2 + 10
        now = timezone.now()
        many = Event.objects.bulk_create(
            Event(device=flooding, kind="overspeed", occurred_at=now) for _ in range(count)
        )
        events_recorded.send(sender=Event, events=many)
    assert EventDispatch.objects.count() == 3
    record_events(device, EventKind.DEVICE_ONLINE)
    assert Notification.objects.filter(user=operator).count() == 5
    assert Notification.objects.filter(user=boss).count() == 1
    (held,) = HeldAlert.objects.all()
    assert (held.reason, held.event_count) == ("flood", count - 5)
    assert send_due_digests(now=timezone.now() + timedelta(minutes=6)) == 1
    assert f"{count - 5}×" in stored_notifications()[-1].body_text
    assert (Notification.objects.filter(user=operator).count(), HeldAlert.objects.count()) == (6, 0)


@pytest.mark.parametrize(
    ("level", "is_held"), [("info", True), ("warning", True), ("error", False), ("critical", False)]
)
def test_quiet_hours_hold_back_what_is_not_urgent_though_no_rule_asked_for_it(
    level, is_held, operator, boss, quiet, run_jobs, mailoutbox
):
    now = timezone.now()
    message = system_message(subject="Disk", message="80 %", level=level, at=now)
    notify_with_message(message, people=[operator, boss], dedupe_key="x", now=now)
    assert unread_count(operator) == 1
    run_jobs("notifications")
    sweep_stuck_deliveries(now=now + timedelta(minutes=3))
    run_jobs("notifications")
    assert len(mailoutbox) == (1 if is_held else 2)
    sweep_stuck_deliveries(now=now + timedelta(hours=1, minutes=1))
    run_jobs("notifications")
    assert len(mailoutbox) == 2
    assert not Delivery.objects.exclude(state="sent").exists()


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("report_ready", True),
        ("report_failed", True),
        (NotificationKind.CHANNEL_OFF, True),
        (NotificationKind.DAILY_SUMMARY, False),
        (NotificationKind.TEST, False),
        (NotificationKind.DIGEST, False),
    ],
)
def test_reports_wait_for_the_morning_and_what_was_asked_for_at_this_hour_does_not(kind, waits):
    assert may_wait(Message(kind, {})) is waits


def test_rules_about_every_fleet_and_roles_reach_whoever_may_see_it(device, operator, boss, charlie, fleet):
    make_rule(None, [charlie], kinds=["overspeed"], roles=["manager"])
    record_events(device, EventKind.OVERSPEED)
    assert [user for user, _subject in notified_users()] == ["boss"]


def test_a_rule_about_the_inside_of_a_geofence_asks_where_it_happened(device, fleet, operator):
    depot = make_geofence(fleet)
    make_rule(fleet, [operator], kinds=["overspeed"]).within_geofences.set([depot])
    record_events(device, EventKind.OVERSPEED, latitude=0.0, longitude=0.0)
    record_events(device, EventKind.OVERSPEED)
    assert notified_users() == []
    record_events(device, EventKind.OVERSPEED, latitude=-23.55, longitude=-46.63)
    assert len(notified_users()) == 1
