"""Tokens without the scope `operate` make nothing send a command, nor run a task of `operate`, now or later."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Schedule
from rest_framework.test import APIClient

from notifications_app.models import Rule
from tasks_app.api.base import ApiView
from tasks_app.models import Fleet, Geofence, SavedCommand
from tasks_app.services.accounts import issue_token
from tests.support.notifications import CIRCLE, make_rule
from tests.support.rights import api_of, changed_tables, database_state, undone
from tests.support.route_cases import BODIES, make_world, operations

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]

RULE = {"name": "Night", "event_kinds": ["alarm"], "channels": ["in_app"], "roles": ["manager"]}
DAILY = {"type": "daily", "next_run": "2030-01-01T00:00:00Z"}
CLEAN_UP = {**DAILY, "task": "cleanup_old_events", "kwargs": {"days_to_keep": 30}}
BY_PATH = {**CLEAN_UP, "task": "tasks_app.tasks.cleanup_tasks.cleanup_old_events"}
FIGURES = {**DAILY, "task": "calculate_device_statistics", "kwargs": {"device_id": "$device"}}
SEND = {**DAILY, "task": "send_command", "kwargs": {"device_id": "$device", "type": "position_request"}}
RULES, ONE_RULE = "/api/rules", "/api/rules/<int:rule_id>"
SCHEDULES, ONE_SCHEDULE = "/api/tasks/schedules", "/api/tasks/schedules/<int:schedule_id>"
VALIDATE = "/api/tasks/schedules/validate"
FLEETS, ONE_FLEET = "/api/fleets", "/api/fleets/<int:fleet_id>"
ONE_SAVED = "/api/commands/saved/<int:saved_id>"

# (method, route, row it is about, body); `$name` stands for the number of a row.
REFUSED = [
    ("POST", RULES, "", {**RULE, "fleet_id": "$fleet", "command_id": "$saved"}),
    ("POST", RULES, "", {**RULE, "fleet_id": "$fleet", "command_id": "$saved", "is_active": False}),
    ("POST", RULES, "", {**RULE, "command_id": "$everywhere"}),
    ("PATCH", ONE_RULE, "plain", {"command_id": "$saved"}),
    ("PATCH", ONE_RULE, "plain", {"command_id": "$saved", "is_active": False}),
    ("PATCH", ONE_RULE, "commanding", {"command_id": "$saved"}),
    ("PATCH", ONE_RULE, "commanding", {"command_id": "$everywhere"}),
    ("PATCH", ONE_RULE, "commanding", {"device_ids": []}),
    ("PATCH", ONE_RULE, "commanding", {"geofence_ids": ["$geofence"]}),
    ("PATCH", ONE_RULE, "commanding", {"within_geofence_ids": []}),
    ("PATCH", ONE_RULE, "commanding", {"event_kinds": ["alarm", "overspeed"]}),
    ("PATCH", ONE_RULE, "commanding", {"alarms": [], "min_speed_kph": None, "min_duration_minutes": None}),
    ("PATCH", ONE_RULE, "commanding", {"windows": [], "cooldown_minutes": 0}),
    ("PATCH", ONE_RULE, "commanding", {"is_active": False, "device_ids": []}),
    ("PATCH", ONE_RULE, "off", {"is_active": True}),
    ("PATCH", ONE_RULE, "off", {"device_ids": []}),
    ("PATCH", ONE_SAVED, "saved", {"parameters": {}}),
    ("PATCH", ONE_SAVED, "saved", {"type": "status_request"}),
    ("PATCH", ONE_SAVED, "saved", {"fleet_id": None}),
    ("PATCH", ONE_SAVED, "unused", {"name": "Where is it?"}),
    ("POST", FLEETS, "", {"name": "South", "rule_commands": "harmless"}),
    ("PATCH", ONE_FLEET, "fleet", {"rule_commands": "all"}),
    ("PATCH", ONE_FLEET, "fleet", {"name": "South", "rule_commands": "all"}),
    ("POST", SCHEDULES, "", SEND),
    ("POST", SCHEDULES, "", CLEAN_UP),
    ("POST", SCHEDULES, "", BY_PATH),
    ("POST", SCHEDULES, "", {**DAILY, "task": "sweep_device_commands"}),
    ("POST", VALIDATE, "", SEND),
    ("PUT", ONE_SCHEDULE, "figures", SEND),
    ("PUT", ONE_SCHEDULE, "sending", SEND),
    ("PATCH", ONE_SCHEDULE, "figures", {"task": "send_command", "kwargs": SEND["kwargs"]}),
    ("PATCH", ONE_SCHEDULE, "sending", {"kwargs": SEND["kwargs"]}),
    ("PATCH", ONE_SCHEDULE, "sending", {"next_run": "2029-01-01T00:00:00Z"}),
    ("PATCH", ONE_SCHEDULE, "sending", {"repeats": -1}),
    ("PATCH", ONE_SCHEDULE, "sending", {"type": "minutes", "minutes": 1}),
]
ALLOWED = [
    ("POST", RULES, "", {**RULE, "fleet_id": "$fleet"}),
    ("POST", RULES, "", {**RULE, "fleet_id": "$fleet", "command_id": None}),
    ("PATCH", ONE_RULE, "plain", {"device_ids": [], "is_active": True, "event_kinds": ["overspeed"]}),
    ("PATCH", ONE_RULE, "commanding", {"command_id": None}),
    ("PATCH", ONE_RULE, "commanding", {"command_id": None, "device_ids": []}),
    ("PATCH", ONE_RULE, "commanding", {"is_active": False}),
    ("DELETE", ONE_RULE, "commanding", None),
    ("POST", "/api/commands/saved", "", {"fleet_id": "$fleet", "name": "New", "type": "position_request"}),
    ("DELETE", ONE_SAVED, "saved", None),
    ("POST", FLEETS, "", {"name": "South"}),
    ("POST", FLEETS, "", {"name": "South", "rule_commands": "none"}),
    ("PATCH", ONE_FLEET, "fleet", {"name": "South"}),
    ("PATCH", ONE_FLEET, "fleet", {"name": "South", "rule_commands": "harmless"}),
    ("PATCH", ONE_FLEET, "fleet", {"rule_commands": "none"}),
    ("PATCH", "/api/geofences/<int:geofence_id>", "geofence", {"name": "Yard"}),
    ("POST", SCHEDULES, "", FIGURES),
    ("POST", VALIDATE, "", FIGURES),
    ("PUT", ONE_SCHEDULE, "figures", FIGURES),
    ("PUT", ONE_SCHEDULE, "sending", FIGURES),
    ("PATCH", ONE_SCHEDULE, "figures", {"next_run": "2029-01-01T00:00:00Z"}),
    ("PATCH", ONE_SCHEDULE, "sending", {"task": FIGURES["task"], "kwargs": FIGURES["kwargs"]}),
    ("DELETE", ONE_SCHEDULE, "sending", None),
]
# Operations of the scope `write` that start tasks, each of which a schedule of such a token may run as well.
STARTING = [
    f"/api/tasks/{name}"
    for name in (
        "position/statistics", "position/status", "report/device", "report/fleet", "report/daily", "report/export",
        "notification/geofence", "notification/offline", "notification/speed", "notification/maintenance",
        "notification/daily-summary", "notification/system",
    )
]  # fmt: skip


@pytest.fixture
def rows(fleet, device, staff) -> dict[str, Any]:
    """Rules, saved commands and schedules that send, and others."""
    Fleet.objects.filter(pk=fleet.pk).update(rule_commands="harmless")
    saved = SavedCommand.objects.create(fleet=fleet, name="Where are you?", type="position_request")
    rule = {"kinds": ["alarm"], "devices": [device]}
    return {
        "fleet": fleet,
        "device": device,
        "saved": saved,
        "unused": SavedCommand.objects.create(fleet=fleet, name="Status", type="status_request"),
        "everywhere": SavedCommand.objects.create(name="Everywhere", type="position_request"),
        "geofence": Geofence.objects.create(fleet=fleet, name="Depot", area=CIRCLE),
        "plain": make_rule(fleet, [staff], **rule),
        "commanding": make_rule(fleet, [staff], command=saved, **rule),
        "off": make_rule(fleet, [staff], command=saved, is_active=False, **rule),
        "figures": _schedule(FIGURES["task"], {"device_id": device.pk}),
        "sending": _schedule(SEND["task"], {"device_id": device.pk, "type": "position_request"}),
    }


def _schedule(task: str, kwargs: dict[str, Any]) -> Schedule:
    at = timezone.now() + timezone.timedelta(days=400)
    return Schedule.objects.create(func=task, kwargs=repr(kwargs), schedule_type=Schedule.DAILY, next_run=at)


def token_of(user: Any, *scopes: str) -> APIClient:
    token, _expiry = issue_token(user=user, now=timezone.now(), scopes=list(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def send(client: APIClient, case: tuple[str, str, str, Any], rows: dict[str, Any], **headers: str) -> Any:
    method, route, row, body = case
    path = f"{route.partition('<')[0]}{rows[row].pk}" if row else route
    return client.generic(method, path, json.dumps(_filled(body, rows)), content_type="application/json", **headers)


def _filled(body: Any, rows: dict[str, Any]) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, rows) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, rows) for value in body]
    return rows[body[1:]].pk if isinstance(body, str) and body.startswith("$") else body


def test_a_commanding_request_is_refused_to_a_token_that_may_only_write(rows, staff):
    writer = token_of(staff, "read", "write")
    before = database_state()
    for case in REFUSED:
        refused = send(writer, case, rows)
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope"), f"{case}: {refused.json()}"
        assert refused.json()["detail"].endswith(": operate."), case
        assert changed_tables(before, database_state()) in ([], ["tasks_app.tokendetails"]), case


@pytest.mark.parametrize("by", ["token", "session"])
def test_the_same_is_done_for_a_token_that_may_operate_and_for_a_session(by, rows, staff):
    client = token_of(staff, "write", "operate") if by == "token" else api_of(staff)
    for case in REFUSED:
        with undone():
            done = send(client, case, rows)
        assert done.status_code in (200, 201), f"{case}: {done.json()}"


def test_what_is_not_commanding_takes_the_scope_to_write_only(rows, staff):
    writer = token_of(staff, "write")
    for case in ALLOWED:
        with undone():
            done = send(writer, case, rows)
        assert done.status_code in (200, 201, 204), f"{case}: {done.json()}"


def test_every_operation_that_may_be_commanding_is_tried_here():
    commanding = {(method, route) for method, route, view in operations() if method in view.commanding}
    assert {case[:2] for case in REFUSED} == commanding


def test_an_answer_kept_under_a_key_opens_no_way(rows, staff):
    case = ("POST", RULES, "", {**RULE, "fleet_id": "$fleet", "command_id": "$saved"})
    key = {"HTTP_IDEMPOTENCY_KEY": "night-rule"}
    before = Rule.objects.count()
    assert send(token_of(staff, "write"), case, rows, **key).status_code == 403
    assert send(token_of(staff, "write", "operate"), case, rows, **key).status_code == 201
    send(token_of(staff, "write"), case, rows, **key)
    assert Rule.objects.count() == before + 1


def test_a_command_that_came_between_reading_and_changing_counts(rows, staff, monkeypatch):
    read = ApiView.body

    def read_late(view: ApiView, *args: Any, **options: Any) -> dict[str, Any]:
        Rule.objects.filter(pk=rows["plain"].pk).update(command=rows["saved"])
        Fleet.objects.filter(pk=rows["fleet"].pk).update(rule_commands="none")
        return read(view, *args, **options)

    monkeypatch.setattr(ApiView, "body", read_late)
    writer = token_of(staff, "write")
    assert send(writer, ("PATCH", ONE_RULE, "plain", {"device_ids": []}), rows).status_code == 403
    assert send(writer, ("PATCH", ONE_FLEET, "fleet", {"rule_commands": "harmless"}), rows).status_code == 403
    assert rows["plain"].devices.exists()


def test_tasks_that_a_writing_token_may_put_on_a_schedule_are_started_by_it_directly(fleet, staff):
    world = make_world(fleet, staff)
    writer = token_of(staff, "write")
    for route in STARTING:
        body = BODIES["POST", route](world)
        answer = writer.post(route, body, format="json")
        assert answer.status_code != 403, (route, answer.json())
