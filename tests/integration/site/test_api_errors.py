"""Every error has one shape, and a server that is down is a 503."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client, override_settings
from django_q.models import Schedule
from drf_spectacular.generators import SchemaGenerator
from redis._parsers.base import BaseParser
from rest_framework.test import APIClient

from tasks_app.api.errors import problem_of
from tasks_app.engine import connection as engine_connection
from tasks_app.engine.config import engine_config
from tasks_app.models import Device, FleetMembership
from tests.support.rights import api_of
from tests.support.route_cases import BODIES, address, make_world, operations

pytestmark = pytest.mark.django_db


def assert_problem(response, status: int, code: str) -> dict:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert response["Content-Type"] == "application/json"
    assert body["detail"]
    assert isinstance(body["fields"], dict)
    return body


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/", "/api/tasks/task/not-a-uuid", "/api/devices/9x/state", "/api//x"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_it_answers_unknown_addresses_in_json(path, method, debug):
    with override_settings(DEBUG=debug):
        assert_problem(getattr(Client(), method)(path), 404, "not_found")


@override_settings(DEBUG=False)
def test_it_leaves_other_addresses_to_html():
    response = Client().get("/nothing")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_addresses_of_the_api_are_answered_with_and_without_a_slash(staff_api, device):
    described = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    assert [path for path in described if path.endswith("/")] == []
    for path in ("/api/tasks", "/api/devices", f"/api/devices/{device.pk}", "/health/live", "/api/tasks/schedules"):
        plain, slashed = staff_api.get(path), staff_api.get(path + "/")
        assert (slashed.status_code, slashed.content) == (plain.status_code, plain.content), path
        assert slashed["Link"] == f'<{path}>; rel="canonical"'
        assert "Link" not in plain
    posted = staff_api.post("/api/fleets/", {"name": "South"}, format="json")
    assert posted.status_code == 201
    assert staff_api.post("/api/fleets//", {"name": "North"}, format="json").status_code == 404


def test_a_form_of_a_page_with_a_slash_too_many_is_sent_to_its_address():
    response = Client().post("/login?next=/")
    assert (response.status_code, response["Location"]) == (308, "/login/?next=/")


def test_it_answers_a_wrong_method_in_json(api):
    response = api.delete("/api/tasks/")
    assert_problem(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]
    # Views of a library, which have no budget of ours.
    for path in ("/api/schema/", "/api/docs/"):
        assert api.put(path).status_code == 405


def test_a_nul_in_an_address_is_nothing_at_this_address(api):
    assert_problem(api.delete("/api/auth/tokens/%00"), 404, "not_found")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"]
)
def test_it_takes_json_only(api, content_type):
    for path in ("/api/tasks/report/device", "/api/tasks/position/process-batch"):
        response = api.generic("POST", path, b"device_id=1", content_type=content_type)
        assert_problem(response, 415, "unsupported_media_type")


BAD_BODIES = {
    "not JSON": (b"{", 400),
    "nothing": (b"", 400),
    "NaN": (b'{"device_id": NaN}', 400),
    "1e999": (b'{"device_id": 1e999}', 400),
    "deep nesting": (b"[" * 100_000, 400),
    "5000 digits": (b'{"device_id": ' + b"9" * 5000 + b"}", 400),
    "bad UTF-8": (b'{"device_id": "\xff"}', 400),
    "lone surrogate": (b'{"kind": "\\ud800"}', 400),
    "NUL": (b'{"device_id": 1, "start": "\\u0000", "end": "2026-01-01"}', 400),
    "a list": (b"[]", 400),
    "a number": (b"5", 400),
    "null": (b"null", 400),
    "bool where number": (b'{"device_id": true, "start": "2026-01-01", "end": "2026-01-02"}', 400),
    "huge string": (b'{"device_id": "' + b"x" * 1_000_000 + b'"}', 400),
    "too large": (b'"' + b"x" * 3_000_000 + b'"', 413),
}


@pytest.mark.parametrize("body", [b'{"days": 5, "days": 500}', b'{"days": 5, "a": [{"b": 1, "c": 2, "b": 3}]}'])
def test_a_body_with_a_name_twice_is_refused_instead_of_losing_one_value(staff_api, body):
    answer = staff_api.generic("POST", "/api/tasks/cleanup/events", body, content_type="application/json")
    assert_problem(answer, 400, "named_twice")
    assert "twice in one object" in answer.json()["detail"]


def test_a_byte_order_mark_in_front_of_a_body_is_left_out(api):
    answer = api.generic(
        "POST", "/api/auth/login", b'\xef\xbb\xbf{"username": "x", "password": "y"}', "application/json"
    )
    assert_problem(answer, 401, "authentication_failed")


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize(
    "path",
    [
        "/api/tasks/report/device",
        "/api/tasks/notification/speed",
        "/api/tasks/cleanup/positions",
        "/api/tasks/position/statistics",
        "/api/tasks/position/process",
        "/api/tasks/position/process-batch",
        "/api/auth/login",
    ],
)
def test_it_answers_bad_bodies_with_a_4xx_that_says_so(staff_api, path, name):
    body, status = BAD_BODIES[name]
    if path.startswith("/api/tasks/cleanup/") and name == "nothing":
        status = 400  # no body is fine there, but this one says it is JSON
    response = staff_api.generic("POST", path, body, content_type="application/json")
    assert response.status_code == status, response.content[:300]
    assert response.json()["code"]
    assert len(response.content) < 2000


BAD_QUERIES = [
    "/api/tasks/?state=sleeping",
    "/api/tasks/?cursor=%00",
    "/api/tasks/?cursor=AAAA",
    "/api/tasks/?limit=0",
    "/api/tasks/?limit=9999999999999999999999",
    "/api/tasks/?requested_by=x",
    "/api/tasks/?created_after=yesterday",
    "/api/tasks/?search=%00",
    "/api/tasks/?colour=red",
    "/api/tasks/stats?hours=0",
    "/api/tasks/stats?hours=nan",
    "/api/devices?fleet=99999999999999999999",
    "/api/devices?cursor=WyJ4Il0",
    "/api/devices?cursor=WzFdWzFd",
    "/api/devices?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd",
    "/api/devices?unique_id=%00",
    "/api/events?cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwxXQ",
    "/api/events?from=2026-01-01T00:00:00",
    "/api/events?kind=party",
    "/api/positions",
    "/api/positions?device=1e3",
    "/api/reports/?kind=novel",
    "/api/notifications?unread=perhaps",
]


@pytest.mark.parametrize("path", BAD_QUERIES)
def test_it_answers_bad_parameters_with_a_400_that_names_them(staff_api, path):
    body = assert_problem(staff_api.get(path), 400, "invalid")
    assert body["fields"]


IGNORED_BEFORE = [
    # A query in front of a body, parameters and bodies of operations without, and what only the server sets.
    ("post", "/api/tasks/cancel?dry_run=true", {"filter": {"queue": "reports"}}, "dry_run"),
    ("post", "/api/tasks/cancel", {"ids": [5]}, "ids"),
    ("get", "/api/devices/{device}/state?fields=status", None, "fields"),
    ("delete", "/api/devices/{device}?dry_run=true", None, "dry_run"),
    ("post", "/api/devices/{device}/key", {"key": "mine"}, "non_field_errors"),
    ("patch", "/api/devices/{device}", {"status": "online"}, "status"),
    ("patch", "/api/devices/{device}/access", {"has_password": True}, "has_password"),
    ("post", "/api/fleets", {"name": "South", "id": 5}, "id"),
]


@pytest.mark.parametrize(("method", "path", "body", "wrong"), IGNORED_BEFORE)
def test_it_refuses_what_it_would_not_look_at(method, path, body, wrong, staff_api, device):
    answer = getattr(staff_api, method)(path.format(device=device.pk), body, format="json")
    assert list(assert_problem(answer, 400, "invalid")["fields"]) == [wrong]
    assert Device.objects.filter(pk=device.pk).exists()


def test_a_device_is_changed_by_sending_it_as_it_was_read(staff_api, device):
    path = f"/api/devices/{device.pk}"
    shown = staff_api.get(path).json()
    assert staff_api.patch(path, {**shown, "name": "Renamed"}, format="json").json() == {**shown, "name": "Renamed"}
    bulk = staff_api.patch("/api/devices/bulk", {"devices": [{**shown, "name": "Van"}]}, format="json")
    assert bulk.json()["results"] == [{**shown, "name": "Van"}]
    # Clients that send JSON with everything.
    assert staff_api.delete(path, {}, format="json").status_code == 204


def test_every_row_may_be_sent_back_as_it_was_read(fleet, staff):
    FleetMembership.objects.create(user=staff, fleet=fleet, role="manager")
    world, client = make_world(fleet, staff), api_of(staff)
    Schedule.objects.filter(pk=world["schedule_id"]).update(schedule_type="C", cron="5 0 * * *")
    routes = {route for method, route, _view in operations() if method in ("PATCH", "PUT") and "<" in route}
    paths = [address(route, world) for route in routes if not route.endswith("odometer")]
    assert len(paths) > 8
    for path in paths:
        shown = client.get(path).json()
        answer = client.patch(path, shown, format="json")
        assert (path, answer.status_code, answer.json()) == (path, 200, {**shown, **_moved(answer.json())})
    path = f"/api/tasks/schedules/{world['schedule_id']}"
    shown = client.get(path).json()
    assert client.put(path, shown, format="json").json() == shown
    refused = client.patch(path, {"is_enabled": False}, format="json")
    assert assert_problem(refused, 400, "invalid")["fields"] == {"is_enabled": ["Only the server sets this."]}


def test_names_are_of_one_line(fleet, staff, device):
    """They would add lines of their own to e-mails, and no form could type them for a dangerous command."""
    world, client = make_world(fleet, staff), api_of(staff)
    named = {(method, route): body for (method, route), make in BODIES.items() if "name" in (body := make(world))}
    assert len(named) > 12
    for (method, route), body in named.items():
        for name in ("Van\nSpeed: 200 km/h", "Van\x1b[2J"):
            answer = client.generic(
                method, address(route, world), json.dumps({**body, "name": name}), "application/json"
            )
            fields = assert_problem(answer, 400, "invalid")["fields"]
            assert (route, fields) == (route, {"name": ["Control characters are not allowed."]})


def _moved(answer: dict[str, Any]) -> dict[str, Any]:
    """Fields that go on with time, and with every change."""
    return {name: answer[name] for name in ("remaining", "updated_at") if name in answer}


@pytest.mark.parametrize(
    "header", ["Token", "Token a b", "Token \xff", "Token a\x00b", "Token " + "x" * 5000, "Token " + "0" * 64]
)
def test_it_answers_bad_tokens_with_a_401(header):
    response = APIClient().get("/api/tasks/", HTTP_AUTHORIZATION=header)
    assert_problem(response, 401, "authentication_failed")
    assert response["WWW-Authenticate"] == "Token"


@pytest.fixture
def redis_down(settings):
    """The engine and the cache look for Redis where there is none."""
    nowhere = "unix:///nonexistent/redis.sock"
    usual, settings.REDIS_URL = settings.REDIS_URL, nowhere
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": nowhere}
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": nowhere}}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()
    yield
    settings.REDIS_URL = usual
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": usual}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()


def test_it_answers_503_while_redis_is_down(redis_down, api, device):
    fix = {"device_id": device.unique_id, "timestamp": "2026-01-01T00:00:00Z", "latitude": 1, "longitude": 1}
    response = api.post("/api/tasks/position/process-batch", [fix], format="json")
    assert_problem(response, 503, "queue_unavailable")
    assert response["Retry-After"]
    assert_problem(api.get("/api/tasks/queues"), 503, "redis_unavailable")
    assert_problem(
        api.post("/api/tasks/position/statistics", {"device_id": device.pk}, format="json"), 503, "queue_unavailable"
    )


def test_it_answers_503_to_a_login_while_redis_is_down(redis_down):
    response = APIClient().post("/api/auth/login", {"username": "a", "password": "b"}, format="json")
    assert_problem(response, 503, "redis_unavailable")


@pytest.fixture
def database_down(transactional_db, monkeypatch):
    """New connections are sought where there is no PostgreSQL."""
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", "/nonexistent")
        yield
        connection.close()


def test_it_answers_503_while_the_database_is_down(database_down):
    response = APIClient().get("/api/tasks/", HTTP_AUTHORIZATION="Token " + "0" * 64)
    assert_problem(response, 503, "database_unavailable")
    assert response["Retry-After"]


def test_health_says_what_is_down(database_down):
    response = APIClient().get("/health")
    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert (response.json()["database"], response.json()["redis"]) == (False, True)
    assert APIClient().get("/health/live").status_code == 200
    assert APIClient().get("/health/ready").status_code == 503


@pytest.mark.parametrize(
    "refusal",
    [
        "NOREPLICAS Not enough good replicas to write.",
        "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "CLUSTERDOWN The cluster is down",
        "NOPERM User tracker has no permissions to access one of the keys",
        "BUSY Redis is busy running a script.",
        "OOM command not allowed when used memory > 'maxmemory'.",
    ],
)
def test_what_redis_refuses_is_to_be_sent_again(refusal):
    problem = problem_of(BaseParser.parse_error(refusal))
    assert problem is not None
    assert (problem.status_code, problem.code) == (503, "redis_unavailable")
    assert problem.headers["Retry-After"]


def test_a_database_that_may_only_be_read_is_to_be_asked_again_later(staff_api):
    before = transaction.savepoint()
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    response = staff_api.post("/api/fleets", {"name": "South"}, format="json")
    transaction.savepoint_rollback(before)
    assert_problem(response, 503, "database_unavailable")
