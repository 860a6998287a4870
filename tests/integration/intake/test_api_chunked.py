"""Bodies that come in chunks and do not say their length, through the ASGI entry point."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.db import connections
from django.utils import timezone

from tasks_app.services.accounts.tokens import issue_token
from trackerproject.request_threads import http_application

# Django runs an ASGI request in a thread, and so in a transaction, of its own.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def post_chunks(operator, settings, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.SECURE_SSL_REDIRECT = False
    token, _expiry = issue_token(user=operator, now=timezone.now())
    application = http_application()

    async def send(path: str, chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[int, dict]:
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        talk = ApplicationCommunicator(application, scope)
        for chunk in chunks:
            await talk.send_input({"type": "http.request", "body": chunk, "more_body": True})
        await talk.send_input({"type": "http.request", "body": b"", "more_body": False})
        start = await talk.receive_output(30)
        answer = await talk.receive_output(30)
        await talk.wait(30)
        return start["status"], json.loads(answer["body"])

    def post(path: str, chunks: list[bytes], content_type: bytes | None = b"application/json") -> tuple[int, dict]:
        headers = [(b"host", b"testserver"), (b"authorization", b"Token " + token.encode())]
        if content_type is not None:
            headers.append((b"content-type", content_type))
        return async_to_sync(send)(path, chunks, headers)

    return post


def test_it_reads_them(post_chunks, device):
    status, body = post_chunks("/api/tasks/position/status", [b'{"device', b'_id": %d}' % device.pk])
    assert (status, body["task"]) == (202, "update_device_status")
    fix = b'{"device_id": "van-1", "timestamp": "2026-01-01T00:00:00Z", "latitude": 1, "longitude": 1}'
    status, body = post_chunks("/api/tasks/position/process-batch", [b"[", fix, b",", fix, b"]"])
    assert (status, body["accepted"]) == (202, 2)


@pytest.mark.parametrize("path", ["/api/tasks/position/status", "/api/tasks/position/process-batch"])
def test_it_stops_at_the_limit(post_chunks, path):
    status, body = post_chunks(path, [b" " * 500_000] * 6)
    assert (status, body["code"]) == (413, "body_too_large")


def test_a_body_of_no_type_is_refused_and_no_body_is_an_empty_one(post_chunks, operator):
    path = "/api/notifications/mark-read"
    assert post_chunks(path, [b"{}"], None)[0] == 415
    assert post_chunks(path, [], None) == (200, {"changed": 0})
