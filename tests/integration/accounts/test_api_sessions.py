"""Every operation of the schema that changes something, called by a browser's session with its CSRF token and by a token."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from tasks_app.models import FleetRole
from tasks_app.services.accounts.tokens import issue_token
from tests.support.rights import undone
from tests.support.route_cases import address, body_of, make_world, member
from trackerproject.dev.permission_page import route_views

pytestmark = pytest.mark.django_db

CHANGING = ("post", "put", "patch", "delete")
UNREAD_CODES = {"not_json", "too_deep", "not_gzip"}
# Ends the token it is called with; a session is none.
TOKEN_ONLY = "/api/auth/logout"
# No token makes another one.
SESSION_ONLY = ("POST", "/api/auth/tokens")
IMPORT = "/api/positions/import"
BY_JSON = "/api/tasks/position/status"


def _schema_path(route: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


@cache
def changing_operations() -> list[tuple[str, str, bool]]:
    """(method, route, whether a session may call it) of the schema's operations that change something."""
    routes = {_schema_path(route): route for route, _view in route_views(get_resolver())}
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        (method.upper(), routes[path], any("cookieAuth" in scheme for scheme in operation.get("security", ())))
        for path, methods in sorted(paths.items())
        for method, operation in methods.items()
        if method in CHANGING
    ]


@pytest.fixture
def world(fleet, make_user):
    return make_world(fleet, member(make_user, fleet, FleetRole.MANAGER))


@pytest.fixture
def browser(staff) -> Client:
    """A browser of a logged-in superuser."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    return client


@pytest.fixture
def csrf(browser) -> dict[str, str]:
    """The header that the API's documentation sends with what one tries there."""
    page = browser.get("/api/docs/").content.decode()
    (address_of_script,) = re.findall(r'src="(/api/docs/[^"]+)"', page)
    script = browser.get(unescape(address_of_script)).content.decode()
    found = re.search(r'"X-CSRFTOKEN"\] = "(\w+)"', script)
    assert found, script
    return {"X-CSRFToken": found[1]}


def call(client: Client, method: str, route: str, world: dict[str, Any], headers: dict[str, str]) -> Any:
    path = address(route, world)
    if route == IMPORT:
        file = SimpleUploadedFile("a.csv", b"device_id,timestamp,latitude,longitude\n")
        return client.post(path, {"file": file}, headers=headers)
    return client.generic(method, path, json.dumps(body_of(method, route, world)), "application/json", headers=headers)


def assert_read(answer: Any, what: str) -> None:
    """Whatever the operation thinks of it, the whole body reached it."""
    assert answer.status_code < 500, (what, answer.content)
    assert answer.status_code not in (413, 415), (what, answer.content)
    body = answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else {}
    assert body.get("code") not in UNREAD_CODES, (what, body)
    assert b"truncated" not in answer.content, (what, answer.content)


def test_a_session_is_heard_with_a_csrf_token_only(world, browser, csrf):
    for method, route, takes_sessions in changing_operations():
        with undone():
            without = call(browser, method, route, world, {})
            answer = call(browser, method, route, world, csrf)
        what = f"{method} {route}"
        assert_read(answer, what)
        if takes_sessions:
            assert without.status_code == 403, (what, without.content)
            assert answer.status_code not in (401, 403), (what, answer.content)


def test_a_token_is_heard(world, staff):
    token, _expiry = issue_token(user=staff, now=timezone.now())
    client = Client(enforce_csrf_checks=True)
    for method, route, takes_sessions in changing_operations():
        with undone():
            answer = call(client, method, route, world, {"Authorization": f"Token {token}"})
        what = f"{method} {route}"
        assert_read(answer, what)
        if (takes_sessions or route == TOKEN_ONLY) and (method, route) != SESSION_ONLY:
            assert answer.status_code not in (401, 403), (what, answer.content)


def test_the_csrf_token_is_asked_for_before_the_body_is_looked_at(browser):
    for content_type in ("application/json", "text/plain"):
        answer = browser.post(BY_JSON, b"{" * 5000, content_type)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_session_may_send_gzip(browser, csrf, device):
    body = gzip.compress(json.dumps({"device_id": device.pk}).encode())
    answer = browser.post(BY_JSON, body, "application/json", headers={**csrf, "Content-Encoding": "gzip"})
    assert answer.status_code == 202, answer.content


@pytest.mark.parametrize("is_packed", [False, True])
def test_the_body_of_a_session_has_the_same_limit(browser, csrf, settings, is_packed):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body, headers = b" " * 5000, dict(csrf)
    if is_packed:
        body = gzip.compress(body)
        headers["Content-Encoding"] = "gzip"
    answer = browser.post(BY_JSON, body, "application/json", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_damaged_form_of_a_session_is_a_400_in_json(browser, csrf):
    answer = browser.post(IMPORT, b"--x\r\nbroken", "multipart/form-data; boundary=", headers=csrf)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "detail", "fields"}
