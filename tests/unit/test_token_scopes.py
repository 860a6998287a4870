"""Which scope of a token each operation of the API asks for. An operation that is in no list changes something by `write`."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import PermissionDenied

from notifications_app.api.rules import may_send_more
from tasks_app.api.scopes import allows_more, check_commanding, check_scope, needed_scopes, runs_by_operate
from tasks_app.engine import registered_tasks
from tasks_app.models import TokenDetails
from tests.support.route_cases import operations

JOB_VERBS = (
    "cancel",
    "retry",
    "run-now",
    "priority",
    "pause",
    "resume",
    "purge",
    "quiet",
    "wake",
    "stop",
    "grow",
    "shrink",
)
SWITCHES = ("enable", "disable")
# Ends the token itself.
BY_EVERY_TOKEN = {("POST", "/api/auth/logout")}
OPERATIONS = [(method, route, view) for method, route, view in operations()]


def expected(method: str, route: str) -> set[str]:
    if (method, route) in BY_EVERY_TOKEN:
        return set()
    if method == "GET":
        return {"read", "metrics"} if route == "/metrics" else {"read"}
    verb = route.rstrip("/").rsplit("/", 1)[-1]
    is_of_jobs = verb in JOB_VERBS or verb in SWITCHES or route.startswith("/api/tasks/cleanup/")
    is_of_commands = route.startswith("/api/commands") and not route.startswith("/api/commands/saved")
    return {"operate"} if is_of_jobs or is_of_commands else {"write"}


@pytest.mark.parametrize(("method", "route", "view"), OPERATIONS, ids=[f"{one[0]} {one[1]}" for one in OPERATIONS])
def test_every_operation_asks_for_its_scope(method, route, view):
    assert needed_scopes(view, method) == expected(method, route)


class Token:
    def __init__(self, *scopes: str) -> None:
        self.details = TokenDetails(scopes=list(scopes))


class TokenOfBefore:
    """A token that has no details."""


@pytest.mark.parametrize(
    ("token", "needed", "may"),
    [
        (Token("read"), {"read"}, True),
        (Token("read"), {"write"}, False),
        (Token("write"), {"read"}, False),
        (Token("operate"), {"write"}, False),
        (Token("metrics"), {"read"}, False),
        (Token("metrics"), {"read", "metrics"}, True),
        (Token(), set(), True),
        (Token(), {"read"}, False),
        (TokenOfBefore(), {"read"}, True),
        (TokenOfBefore(), {"write"}, True),
        (TokenOfBefore(), {"operate"}, True),
    ],
)
def test_a_token_may_what_one_of_its_scopes_allows(token, needed, may):
    if may:
        check_scope(token, frozenset(needed))
    else:
        with pytest.raises(PermissionDenied) as refused:
            check_scope(token, frozenset(needed))
        assert refused.value.detail.code == "insufficient_scope"


@pytest.mark.parametrize(
    ("token", "is_commanding", "may"),
    [
        (Token("read", "write"), False, True),
        (Token("read", "write"), True, False),
        (Token("write", "operate"), True, True),
        (Token("metrics"), True, False),
        (TokenOfBefore(), True, True),
        # A log-in session.
        (None, True, True),
    ],
)
def test_a_commanding_request_takes_the_scope_to_operate(token, is_commanding, may):
    if may:
        check_commanding(token, is_commanding)
    else:
        with pytest.raises(PermissionDenied, match="needed: operate") as refused:
            check_commanding(token, is_commanding)
        assert refused.value.detail.code == "insufficient_scope"


# The operations whose content may be commanding. The cases of a new one go into test_commanding_tokens.py.
COMMANDING = {
    ("POST", "/api/fleets"),
    ("PATCH", "/api/fleets/<int:fleet_id>"),
    ("POST", "/api/rules"),
    ("PATCH", "/api/rules/<int:rule_id>"),
    ("PATCH", "/api/commands/saved/<int:saved_id>"),
    ("POST", "/api/tasks/schedules"),
    ("POST", "/api/tasks/schedules/validate"),
    ("PUT", "/api/tasks/schedules/<int:schedule_id>"),
    ("PATCH", "/api/tasks/schedules/<int:schedule_id>"),
}


def test_these_operations_may_be_commanding():
    assert {(method, route) for method, route, view in OPERATIONS if method in view.commanding} == COMMANDING


# (the rule's command before, values of the request, whether it may send a command that it did not send before)
RULES = [
    (None, {}, False),
    (None, {"name": "Night", "device_ids": [1]}, False),
    (None, {"command_id": None}, False),
    (None, {"command_id": 4}, True),
    # Switched off as it is made: a person may switch it on later.
    (None, {"command_id": 4, "is_active": False}, True),
    (4, {}, False),
    (4, {"name": "Night"}, True),
    (4, {"device_ids": []}, True),
    (4, {"geofence_ids": [1]}, True),
    (4, {"within_geofence_ids": []}, True),
    (4, {"windows": []}, True),
    (4, {"is_active": True}, True),
    (4, {"is_active": False}, False),
    (4, {"is_active": False, "device_ids": []}, True),
    (4, {"command_id": 5}, True),
    (4, {"command_id": 4}, True),
    (4, {"command_id": None}, False),
    (4, {"command_id": None, "device_ids": [], "is_active": True}, False),
]


@pytest.mark.parametrize(("command_id", "values", "expected"), RULES)
def test_a_rule_that_keeps_or_gets_a_command_may_send_more(command_id, values, expected):
    assert may_send_more(command_id, values) is expected


@pytest.mark.parametrize(
    ("former", "allowed", "expected"),
    [
        ("none", "none", False),
        ("none", "harmless", True),
        ("none", "all", True),
        ("harmless", "none", False),
        ("harmless", "harmless", False),
        ("harmless", "all", True),
        ("all", "harmless", False),
        ("all", "all", False),
    ],
)
def test_a_fleet_allows_its_rules_more(former, allowed, expected):
    assert allows_more(former, allowed) is expected


# What an operation of the scope `write` starts, too. All others take `operate`, those of tomorrow included.
BY_WRITE = {
    "process_position_batch", "process_single_position", "import_positions_file",
    "calculate_device_statistics", "update_device_status", "generate_device_report", "generate_fleet_report",
    "generate_daily_reports", "export_report_data", "send_geofence_alert", "send_device_offline_alert", "send_speed_alert",
    "send_maintenance_reminder", "send_daily_summary", "send_system_alert",
}  # fmt: skip


def test_all_tasks_but_these_take_the_scope_to_operate():
    found = {task.name for task in registered_tasks() if not runs_by_operate(task.name)}
    assert {name for name in found if not name.startswith("probe_")} == BY_WRITE


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("send_command", True),
        ("tasks_app.tasks.command_tasks.send_command", True),
        ("cleanup_old_events", True),
        ("generate_fleet_report", False),
        ("reports_app.tasks.report_tasks.generate_fleet_report", False),
        # Refused for another reason.
        ("os.system", False),
    ],
)
def test_a_task_is_known_by_both_of_its_names(name, expected):
    assert runs_by_operate(name) is expected
