"""Every operation of the API, tried on rows of another fleet and with every role and permission."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Permission
from django.urls import get_resolver

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.live import list_live_jobs
from tasks_app.models import Fleet, FleetRole
from tasks_app.queries.account_rights import AS_STAFF
from tests.support.rights import api_of, changed_tables, database_state, give, undone
from tests.support.route_cases import address, body_of, make_world, member, operations
from trackerproject.dev.permission_page import route_views

pytestmark = pytest.mark.django_db
RANKS = [FleetRole.VIEWER, FleetRole.OPERATOR, FleetRole.MANAGER]
# What is about the caller, and not about a row that the address or the body names.
ABOUT_ONESELF = {
    "/api/auth/logout", "/api/auth/logout-everywhere", "/api/auth/tokens", "/api/auth/tokens/<str:token_key>",
    "/api/auth/sessions", "/api/auth/sessions/<str:session_id>",
    "/api/preferences", "/api/destinations", "/api/notifications", "/api/channels/<slug:kind>/test",
    "/api/notifications/recent", "/api/notifications/unread-count", "/api/notifications/mark-read", "/api/deliveries",
}  # fmt: skip
# A file is needed to get beyond the form; the tests of imports try them.
BY_FORM = {("POST", "/api/positions/import")}
# What members of any fleet may look at: how busy the queues are.
OF_ANY_FLEET = {"/api/tasks/status", "/api/tasks/queues"}
EVERY = [one for one in operations() if one[1] not in ABOUT_ONESELF and one[:2] not in BY_FORM]


@pytest.fixture
def world(fleet, make_user):
    return make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))


@pytest.fixture
def strangers(make_user, charlie):
    """People to whom nothing of the fleet is known, and staff that hold no permission."""
    elsewhere = Fleet.objects.create(name="Elsewhere")
    return {
        "nobody": charlie,
        **{f"{role} of another fleet": member(make_user, elsewhere, role) for role in RANKS},
        "staff without permission": make_user(is_staff=True),
    }


@pytest.fixture
def looker(make_user):
    """Staff with every permission to view and no other."""
    names = Permission.objects.filter(codename__startswith="view_")
    return give(make_user(is_staff=True), *(f"{one.content_type.app_label}.{one.codename}" for one in names))


def call_route(user, method: str, route: str, world) -> tuple[int, object]:
    answer = api_of(user).generic(
        method, address(route, world), json.dumps(body_of(method, route, world)), content_type="application/json"
    )
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.status_code, answer.json() if is_json and answer.content else None


def live_jobs() -> int:
    return len(list_live_jobs(client(), list(engine_config().queues)))


def test_it_gives_strangers_nothing_and_changes_nothing(world, strangers):
    before = database_state()
    for method, route, _view in EVERY:
        for name, user in strangers.items():
            if route in OF_ANY_FLEET and "another fleet" in name:
                continue
            what = f"{method} {route} by {name}"
            status, body = call_route(user, method, route, world)
            if status == 200 and method == "GET":
                foreign = [row for row in body.get("results", [body]) if row.get("name") != "Elsewhere"]
                assert foreign == [], what
            elif status == 400 and route.endswith(("/process", "/process-batch")):
                assert body["rejected"][0]["code"] == "unknown_device", what
            else:
                assert status in (403, 404), f"{what}: {status} {body}"
        assert changed_tables(before, database_state()) == [], f"{method} {route}"
        assert live_jobs() == 0, f"{method} {route}"


def test_it_changes_nothing_for_view_only_staff(world, looker):
    before = database_state()
    for method, route, view in EVERY:
        if method != "GET" and ".view_" not in (view.rights[method].permission or ""):
            status, body = call_route(looker, method, route, world)
            assert changed_tables(before, database_state()) == [], f"{method} {route}"
            assert live_jobs() == 0, f"{method} {route}"
            assert status in (400, 403, 404), f"{method} {route}: {status} {body}"


def test_it_gives_strangers_nothing_of_others(world, strangers):
    routes = {route for method, route, _view in operations() if method == "GET"} & ABOUT_ONESELF
    for route in sorted(routes):
        for name, user in strangers.items():
            _status, body = call_route(user, "GET", route, world)
            assert not (body or {}).get("results"), f"{route} by {name}"


@pytest.mark.parametrize(("method", "route"), sorted(BY_FORM))
def test_it_takes_no_file_from_strangers(method, route, world, strangers):
    before = database_state()
    statuses = {name: call_route(user, method, route, world)[0] for name, user in strangers.items()}
    assert set(statuses.values()) <= {400, 403, 404, 415}, statuses
    assert changed_tables(before, database_state()) == []


def test_it_lets_members_do_what_their_role_allows(world, fleet, make_user):
    members = {role: member(make_user, fleet, role) for role in RANKS}
    for method, route, view in EVERY:
        for role, user in members.items():
            with undone():
                status, body = call_route(user, method, route, world)
            what = f"{method} {route} by {role}: {status} {body}"
            if role in view.rights[method].roles:
                assert status not in (401, 403, 404), what
                break
            assert status in (403, 404) or (method == "GET" and body.get("results") == []), what


def test_it_lets_staff_do_what_their_permission_allows(world, make_user, staff):
    clerk = make_user(is_staff=True)
    for method, route, view in EVERY:
        permission = view.rights[method].permission
        if view.rights[method].is_own and permission is None:
            continue
        user = staff if permission is None else give(clerk, permission, *ALSO.get((method, route), ()))
        with undone():
            status, body = call_route(user, method, route, world)
        what = f"{method} {route}: {status} {body}"
        assert status not in (401, 403), what
        assert status != 404 or route in NOT_THERE, what


# What the permission of the operation does not cover: to see the row, the role that is given, or what the task itself asks for.
ALSO = {
    ("POST", "/api/fleets/<int:fleet_id>/members"): AS_STAFF["manager"],
    ("PATCH", "/api/fleets/<int:fleet_id>/members/<int:user_id>"): AS_STAFF["manager"],
    ("DELETE", "/api/fleets/<int:fleet_id>/members/<int:user_id>"): AS_STAFF["manager"],
    ("POST", "/api/tasks/task/<any_uuid:task_id>/cancel"): ["tasks_app.view_job"],
    ("POST", "/api/tasks/task/<any_uuid:task_id>/retry"): ["tasks_app.view_job", "tasks_app.view_position"],
    ("POST", "/api/tasks/task/<any_uuid:task_id>/run-now"): ["tasks_app.view_job", "tasks_app.view_position"],
    ("POST", "/api/tasks/schedules"): ["tasks_app.delete_event"],
    ("POST", "/api/tasks/schedules/validate"): ["tasks_app.delete_event"],
    ("PUT", "/api/tasks/schedules/<int:schedule_id>"): ["tasks_app.delete_event"],
    ("PATCH", "/api/tasks/schedules/<int:schedule_id>"): ["tasks_app.delete_event"],
    ("POST", "/api/tasks/schedules/<int:schedule_id>/run-now"): ["tasks_app.delete_event"],
    ("POST", "/api/tasks/schedules/<int:schedule_id>/enable"): ["tasks_app.delete_event"],
    ("DELETE", "/api/reports/<int:report_id>"): ["reports_app.view_report"],
    ("DELETE", "/api/report-schedules/<int:schedule_id>"): ["reports_app.view_reportschedule"],
    ("DELETE", "/api/rules/<int:rule_id>"): ["notifications_app.view_rule"],
    ("POST", "/api/rules/dry-run"): ["tasks_app.view_event"],
}
# The job of the world has ended, so it neither waits nor runs; nor are there workers.
NOT_THERE = {
    "/api/tasks/task/<any_uuid:task_id>/run-now",
    *(f"/api/tasks/workers/<str:name>/{verb}" for verb in ("quiet", "wake", "stop")),
    *(f"/api/tasks/clusters/<str:name>/<str:queue>/{verb}" for verb in ("grow", "shrink")),
}


def test_every_operation_of_the_api_says_what_it_asks_for():
    silent = [
        f"{name.upper()} {route}"
        for route, view in route_views(get_resolver())
        for name in ("get", "post", "put", "patch", "delete")
        if route.startswith("/api/") and getattr(view, "rights", None) is not None and view.permission_classes
        if hasattr(view, name) and name.upper() not in view.rights
    ]
    assert silent == []


def test_it_answers_head_as_it_answers_get(world, staff):
    caller = api_of(staff)
    for route in sorted({route for method, route, _view in operations() if method == "GET"}):
        path = address(route, world)
        assert caller.head(path).status_code == caller.get(path).status_code, route
