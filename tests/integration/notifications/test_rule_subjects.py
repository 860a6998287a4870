"""Rules about reports and about the system: who hears of them besides those who asked and those who always do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from notifications_app.messages.rule_description import rule_sentence
from notifications_app.models import Delivery, Notification, NotificationPreference, Rule
from notifications_app.services.system.alerts import alert_administrators
from reports_app.models import Report, ReportFollower, ReportState
from reports_app.services.notify import notify_failed, notify_ready
from tasks_app.models import Fleet, FleetMembership, FleetRole
from tests.support.notifications import make_geofence, make_rule, record_events

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday, nine o'clock in São Paulo


@pytest.fixture
def bruno(make_user, fleet):
    user = make_user(username="bruno")
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.VIEWER)
    return user


def ended_report(device, state=ReportState.READY, **fields) -> Report:
    """A report that was made in a minute."""
    about = {"fleet": device.fleet} if fields.get("kind") == "fleet" else {"device": device}
    report = Report.objects.create(
        **{"kind": "trips", "state": state, "error": "too long", **about, **fields},
        range_start=NOW - timedelta(days=2),
        range_end=NOW - timedelta(days=1),
        finished_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    Report.objects.filter(pk=report.pk).update(created_at=NOW)
    return report


def channels_by_user() -> dict[str, list[str]]:
    """The channels of each person's only notification."""
    found = {one.user.username: one for one in Notification.objects.select_related("user")}
    assert len(found) == Notification.objects.count()
    return {
        name: sorted(Delivery.objects.filter(notification=one).values_list("channel", flat=True))
        for name, one in found.items()
    }


def test_a_rule_notifies_of_reports_that_another_user_requested(device, fleet, bruno):
    make_rule(fleet, [bruno], kinds=["report_ready"], channels=["in_app", "email"])
    notify_ready(ended_report(device).pk, now=NOW)
    assert channels_by_user() == {"bruno": ["email", "in_app"]}
    assert "because a rule of the fleet" in Notification.objects.get().body_text
    notify_failed(ended_report(device, ReportState.FAILED).pk, now=NOW)
    assert Notification.objects.count() == 1


def test_a_rule_notifies_of_reports_that_could_not_be_made(device, fleet, bruno):
    make_rule(fleet, [bruno], kinds=["report_failed"], channels=["in_app"])
    notify_failed(ended_report(device, ReportState.FAILED).pk, now=NOW)
    assert channels_by_user() == {"bruno": ["in_app"]}
    assert Notification.objects.get().kind == "report_failed"


def test_who_asked_and_is_named_hears_of_it_once_through_all_channels(device, fleet, operator):
    make_rule(fleet, [operator], kinds=["report_ready"], channels=["websocket"])
    report = ended_report(device)
    ReportFollower.objects.create(report=report, user=operator, wants_notice=True)
    notify_ready(report.pk, now=NOW)
    assert channels_by_user() == {"ana": ["email", "in_app", "websocket"]}
    assert "because you asked for this report" in Notification.objects.get().body_text
    notify_ready(report.pk, now=NOW)
    assert Notification.objects.count() == 1


def test_roles_devices_and_times_of_a_rule_count(device, make_device, fleet, bruno):
    rule = make_rule(fleet, [], kinds=["report_ready"], channels=["in_app"], roles=["viewer"], devices=[device])
    notify_ready(ended_report(make_device()).pk, now=NOW)
    notify_ready(ended_report(device, kind="fleet").pk, now=NOW)
    assert channels_by_user() == {}
    Rule.objects.update(windows=[{"days": [2], "from": "10:00", "to": "18:00"}])
    notify_ready(ended_report(device).pk, now=NOW)
    assert channels_by_user() == {}
    Rule.objects.update(windows=[{"days": [2], "from": "08:00", "to": "18:00"}])
    notify_ready(ended_report(device).pk, now=NOW)
    assert channels_by_user() == {"bruno": ["in_app"]}
    rule.is_active = False
    rule.save()
    notify_ready(ended_report(device).pk, now=NOW)
    assert Notification.objects.count() == 1


def test_nobody_hears_of_reports_they_may_not_see(device, fleet, bruno, charlie, make_device):
    make_rule(None, [bruno, charlie], kinds=["report_ready"], channels=["in_app"])
    notify_ready(ended_report(make_device(fleet=Fleet.objects.create(name="Elsewhere"))).pk, now=NOW)
    assert channels_by_user() == {}
    notify_ready(ended_report(device).pk, now=NOW)
    assert channels_by_user() == {"bruno": ["in_app"]}


def test_a_rule_about_the_system_adds_channels_for_staff_and_notifies_nobody_else(staff, make_user, bruno):
    other = make_user(username="other", is_staff=True)
    make_rule(None, [staff, bruno], kinds=["system"], channels=["websocket"])
    alert_administrators(subject="Disk", message="Full", level="error", now=NOW, dedupe_key="disk")
    assert channels_by_user() == {"staff": ["email", "in_app", "websocket"], other.username: ["email", "in_app"]}


def test_quiet_hours_hold_back_what_a_rule_notifies_of_reports(device, fleet, bruno):
    NotificationPreference.objects.create(user=bruno, time_zone="UTC", quiet_from="11:00", quiet_to="13:00")
    make_rule(fleet, [bruno], kinds=["report_ready"], channels=["in_app", "email"])
    notify_ready(ended_report(device).pk, now=NOW)
    assert Delivery.objects.get(channel="email").hold_until == NOW + timedelta(hours=1)


def test_its_sentence_says_what_it_is_about(fleet, operator):
    rule = make_rule(fleet, [operator], kinds=["overspeed", "report_ready", "report_failed"], channels=["in_app"])
    assert rule_sentence(rule) == (
        "Notify ana in the application when any vehicle of Depot North is too fast, a report about any vehicle of "
        "Depot North is ready or a report about any vehicle of Depot North fails"
    )


def test_a_rule_about_the_system_names_no_fleet(staff_api, fleet, staff):
    body = {
        "name": "System",
        "fleet_id": fleet.pk,
        "event_kinds": ["system"],
        "channels": ["in_app"],
        "user_ids": [staff.pk],
    }
    answer = staff_api.post("/api/rules", body, format="json")
    assert answer.status_code == 400
    assert "belong to no fleet" in str(answer.json()["fields"])
    assert staff_api.post("/api/rules", {**body, "fleet_id": None}, format="json").status_code == 201


# --- rules and schedules that lose what they are limited to


def deleted_by_queryset(rows):
    type(rows[0]).objects.filter(pk__in=[row.pk for row in rows]).delete()


def deleted_one_by_one(rows):
    for row in rows:
        row.delete()


@pytest.mark.parametrize("delete", [deleted_by_queryset, deleted_one_by_one])
@pytest.mark.parametrize("limit", ["devices", "geofences", "within_geofences"])
def test_a_rule_whose_last_limit_is_deleted_is_switched_off_rather_than_about_everything(
    make_device, fleet, bruno, operator, delete, limit
):
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    make = {"devices": make_device}.get(limit, partial(make_geofence, fleet))
    rows = [make(name=name) for name in ("Old 1", "Old 2")]
    lost, kept = (make_rule(fleet, [bruno], kinds=["geofence_enter"], name=name) for name in ("Lost", "Kept"))
    getattr(lost, limit).set(rows)
    getattr(kept, limit).set([*rows, make(name="New")])
    delete(rows)
    assert set(Rule.objects.filter(is_active=True)) == {kept}
    said = Notification.objects.get()
    assert (said.user, said.kind) == (operator, "system")
    assert "Rule “Lost” is switched off" in said.subject
    assert rows[-1].name in said.body_text
    assert f"because you keep the rules of {fleet.name}" in said.body_text
    Notification.objects.all().delete()
    record_events(make_device(), "geofence_enter")
    assert not Notification.objects.exists()


def test_a_rule_that_is_off_and_loses_its_last_device_is_told_of_before_somebody_switches_it_on(
    device, fleet, operator
):
    """It would be about every device then, also with its command."""
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    make_rule(fleet, [operator], kinds=["alarm"], name="Winter", devices=[device], is_active=False)
    device.delete()
    assert "Rule “Winter” is switched off" in Notification.objects.get().subject


def test_a_rule_of_every_fleet_outlives_a_fleet_and_tells_staff_that_it_is_off(fleet, staff, bruno):
    NotificationPreference.objects.create(user=staff, language="pt-br")
    depot = make_geofence(fleet)
    of_all, _of_fleet = (make_rule(one, [bruno], geofences=[depot], name="Everywhere") for one in (None, fleet))
    fleet.delete()
    of_all.refresh_from_db()
    assert not of_all.is_active
    said = Notification.objects.get()
    assert said.user == staff
    assert "A regra “Everywhere” foi desativada" in said.subject
    assert "“Depot” foi excluído" in said.body_text
