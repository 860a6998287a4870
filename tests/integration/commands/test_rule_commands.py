"""Commands that rules send: only where the fleet allows them, with the checks of any other command, once for each event."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.models import Rule
from notifications_app.services.events import send_pending_alerts
from tasks_app.models import Command, Event, EventKind, Fleet, SavedCommand
from tests.support.commands import Wire, a_fix, ask, manager_of, send, state_of
from tests.support.notifications import make_rule, match_outbox, record_events

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


@pytest.fixture
def where(fleet) -> SavedCommand:
    return SavedCommand.objects.create(fleet=fleet, name="Where are you?", type="position_request")


@pytest.fixture
def stop(fleet) -> SavedCommand:
    return SavedCommand.objects.create(fleet=fleet, name="Stop it", type="engine_stop")


def allow(fleet: Fleet, commands: str) -> None:
    Fleet.objects.filter(pk=fleet.pk).update(rule_commands=commands)


def refusals() -> list[str]:
    return [event.data["result"] for event in Event.objects.filter(kind=EventKind.COMMAND_RESULT)]


def test_an_event_that_a_rule_is_about_sends_its_command_once(fleet, device, operator, where):
    allow(fleet, "harmless")
    rule = make_rule(fleet, [operator], kinds=["alarm"], command=where)
    (event,) = record_events(device, EventKind.ALARM)
    record_events(device, EventKind.IGNITION_ON)
    command = Command.objects.get()
    assert (command.device, command.type, command.state) == (device, "position_request", "queued")
    assert (command.requested_by, command.idempotency_key) == (None, f"rule:{rule.pk}:{event.pk}")
    assert "Rule" in command.reason
    assert refusals() == []


@pytest.mark.parametrize("allowed", ["none", "harmless"])
def test_what_the_fleet_does_not_allow_is_an_event_and_no_command(allowed, fleet, device, operator, stop):
    allow(fleet, allowed)
    a_fix(device)
    make_rule(fleet, [operator], kinds=["alarm"], command=stop)
    record_events(device, EventKind.ALARM)
    match_outbox()
    assert not Command.objects.exists()
    assert len(refusals()) == 1
    assert "does not allow" in refusals()[0]


def test_the_refusal_of_a_rules_command_is_no_answer_to_another_command(
    fleet, device, operator, make_user, stop, run_jobs, django_capture_on_commit_callbacks
):
    asked = ask(device, manager_of(make_user, fleet), "status_request")
    send(asked, Wire())
    make_rule(fleet, [operator], kinds=["alarm"], command=stop)
    with django_capture_on_commit_callbacks(execute=True):
        record_events(device, EventKind.ALARM)
    run_jobs("notifications")
    assert len(refusals()) == 1
    assert state_of(asked) == ("sent", "")


def test_a_rule_stops_a_standing_vehicle_and_never_a_moving_one(fleet, device, operator, stop, make_device):
    allow(fleet, "all")
    moving = make_device()
    a_fix(device, speed_kph=0)
    a_fix(moving, speed_kph=60)
    make_rule(fleet, [operator], kinds=["alarm"], command=stop)
    record_events(device, EventKind.ALARM)
    record_events(moving, EventKind.ALARM)
    assert [command.device for command in Command.objects.all()] == [device]
    assert ["drives too fast" in one for one in refusals()] == [True]


def test_late_events_send_nothing(fleet, device, operator, where):
    allow(fleet, "all")
    make_rule(fleet, [operator], kinds=["alarm"], command=where)
    record_events(device, EventKind.ALARM, occurred_at=timezone.now() - timedelta(hours=2))
    assert not Command.objects.exists()


def test_a_rule_with_a_duration_sends_once_it_has_lasted(fleet, device, operator, where):
    allow(fleet, "harmless")
    make_rule(fleet, [operator], kinds=["overspeed"], min_duration_minutes=5, command=where)
    record_events(device, EventKind.OVERSPEED)
    assert not Command.objects.exists()
    send_pending_alerts(now=timezone.now() + timedelta(minutes=6))
    assert Command.objects.count() == 1


@pytest.fixture
def body(fleet, operator) -> dict:
    return {
        "fleet_id": fleet.pk,
        "name": "Night",
        "event_kinds": ["alarm"],
        "channels": ["in_app"],
        "user_ids": [operator.pk],
    }


def client_of(user) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_a_manager_gives_a_rule_a_command_that_the_fleet_allows(body, manager, fleet, where):
    allow(fleet, "harmless")
    answer = client_of(manager).post("/api/rules", {**body, "command_id": where.pk}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["command_id"] == where.pk
    assert "send the vehicle “Where are you?”" in answer.json()["sentence"]
    path = f"/api/rules/{answer.json()['id']}"
    assert client_of(manager).patch(path, {"command_id": None}, format="json").json()["command_id"] is None


def test_a_rule_is_refused_a_command_that_it_may_not_send(body, manager, fleet, where, stop):
    foreign = Fleet.objects.create(name="South")
    theirs = SavedCommand.objects.create(fleet=foreign, name="Theirs", type="position_request")
    allow(fleet, "harmless")
    cases = [
        ({"command_id": stop.pk}, "does not allow"),
        ({"command_id": theirs.pk}, "no such command"),
        ({"command_id": 2**62}, "no such command"),
        ({"command_id": where.pk, "event_kinds": ["command_result"]}, "about results"),
    ]
    for given, sentence in cases:
        answer = client_of(manager).post("/api/rules", {**body, **given}, format="json")
        assert answer.status_code == 400, given
        assert sentence in answer.json()["fields"]["command_id"][0]
    assert not Rule.objects.exists()


def test_a_rule_with_a_command_cannot_become_one_about_results(body, manager, fleet, where):
    allow(fleet, "harmless")
    made = client_of(manager).post("/api/rules", {**body, "command_id": where.pk}, format="json").json()
    answer = client_of(manager).patch(f"/api/rules/{made['id']}", {"event_kinds": ["command_result"]}, format="json")
    assert answer.status_code == 400


def test_the_form_of_the_admin_offers_and_checks_the_command(page, staff, fleet, operator, where, stop):
    allow(fleet, "harmless")
    steps = {"escalation_steps-TOTAL_FORMS": "0", "escalation_steps-INITIAL_FORMS": "0"}
    data = {
        "name": "Night", "fleet": fleet.pk, "is_active": "on", "event_kinds": ["alarm"], "channels": ["in_app"],
        "cooldown_minutes": "0", "users": [operator.pk], **steps,
    }  # fmt: skip
    address = reverse("admin:notifications_app_rule_add")
    assert "Where are you?" in page.get(address).content.decode()
    refused = page.post(address, {**data, "command": stop.pk})
    assert refused.status_code == 200
    assert "The fleet does not allow this command to rules." in refused.content.decode()
    assert page.post(address, {**data, "command": where.pk}).status_code == 302
    assert Rule.objects.get().command == where
