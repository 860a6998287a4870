"""ETag and 304, HEAD and OPTIONS."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/devices", "/api/devices/{id}", "/api/tasks", "/api/rules", "/api/preferences"])
def test_what_the_client_has_is_not_sent_again(api, device, path):
    path = path.format(id=device.pk)
    first = api.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(first.headers["Vary"].split(", "))
    again = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert again.headers["RateLimit-Limit"] == first.headers["RateLimit-Limit"]


def test_what_changed_is_sent(api, device):
    path = f"/api/devices/{device.pk}"
    tag = api.get(path).headers["ETag"]
    device.name = "Another"
    device.save()
    changed = api.get(path, headers={"If-None-Match": f'"other", {tag}'})
    assert (changed.status_code, changed.json()["name"]) == (200, "Another")
    assert changed.headers["ETag"] != tag


def test_another_tag_than_was_asked_for_is_said_as_every_error(api, device):
    answer = api.get(f"/api/devices/{device.pk}", headers={"If-Match": '"another"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert api.get(f"/api/devices/{device.pk}", headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("condition", ["If-Match", "If-None-Match", "If-Unmodified-Since"])
@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_change_is_not_made_without_its_condition(method, condition, staff_api, device):
    answer = getattr(staff_api, method)(f"/api/devices/{device.pk}", headers={condition: '"read-before"'})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [condition])
    device.refresh_from_db()


def test_errors_and_writes_have_no_tag(api, device):
    answers = [api.get("/api/devices/999999999"), api.patch(f"/api/devices/{device.pk}", {}, format="json")]
    answers.append(api.post("/api/notifications/mark-read", {}, format="json"))
    assert [answer.status_code for answer in answers] == [404, 403, 200]
    assert [answer for answer in answers if "ETag" in answer.headers] == []


def test_head_has_the_headers_of_get_and_no_body(api, device):
    for path in ("/api/devices", f"/api/devices/{device.pk}", "/api/devices/999999999"):
        got, head = api.get(path), api.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        names = ("ETag", "Content-Type", "Vary", "Cache-Control", "Allow")
        assert [head.headers.get(name) for name in names] == [got.headers.get(name) for name in names]


def test_options_names_the_methods_to_people_who_are_logged_in(api):
    methods = {
        path: set(api.options(path).headers["Allow"].split(", "))
        for path in ("/api/devices", "/api/devices/1", "/api/tasks/cancel", "/api/tasks/workers", "/api/tasks/status")
    }
    assert methods == {
        "/api/devices": {"GET", "POST", "HEAD", "OPTIONS"},
        "/api/devices/1": {"GET", "PATCH", "DELETE", "HEAD", "OPTIONS"},
        "/api/tasks/cancel": {"POST", "OPTIONS"},
        "/api/tasks/workers": {"GET", "HEAD", "OPTIONS"},
        "/api/tasks/status": {"GET", "HEAD", "OPTIONS"},
    }
    assert [api.options(path).status_code for path in methods] == [200] * 5
    assert APIClient().options("/api/devices").status_code == 401
