"""Ordinary messages are taken in together, before Django; every other request reaches Django as it came."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from django.db import connection
from django.test import Client

from tasks_app.api.intake import together
from tasks_app.exceptions import BufferFull
from tasks_app.models import Position
from tasks_app.queries.position_buffer import buffer_size
from tasks_app.services.devices.credentials import issue_key
from tests.support.ingest import FORM, OSMAND, POSITIONS, client_9, drain_buffers, parameters, position
from trackerproject import gathered_intake
from trackerproject.gathered_intake import GatheredIntake

# The thread that takes in has a connection of its own.
pytestmark = pytest.mark.django_db(transaction=True)
OWNTRACKS = "/ingest/owntracks"
JSON = {"content-type": "application/json"}
# Of languages, and what the layer around both adds under ASGI.
OTHER_HEADERS = {"Vary", "Content-Language", "Allow", "X-Request-ID"}


class Django:
    """Stands for Django's application: it notes what it is handed."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope, receive, send) -> None:
        body, message = b"", {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"<hung up>")
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 418, "headers": []})
        await send({"type": "http.response.body", "body": b""})


class Web:
    """The application, and requests to it."""

    def __init__(self) -> None:
        self.django = Django()
        self.application = GatheredIntake(self.django)

    def send(self, *requests: dict[str, Any]) -> list[tuple[int, dict[str, str], bytes]]:
        """Send these at the same time; return status, headers and body of the answers."""

        async def all_of_them():
            return await asyncio.gather(*(self._send(**request) for request in requests))

        return asyncio.run(all_of_them())

    def status(self, **request: Any) -> int:
        return self.send(request)[0][0]

    async def _send(
        self, path: str = OSMAND, method: str = "POST", query: str = "", body: Any = b"", headers=None, messages=None
    ):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"host": "testserver", "content-length": str(len(raw)), **(headers or {})}
        scope = {
            **{"type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path},
            **{"query_string": query.encode("latin-1"), "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 80)},
            "headers": [(name.encode(), value.encode()) for name, value in given.items() if value is not None],
        }
        left = messages or [{"type": "http.request", "body": raw[:5], "more_body": True}]
        left = [*left, {"type": "http.request", "body": raw[5:], "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive():
            return left.pop(0)

        async def send(message):
            sent.append(message)

        await self.application(scope, receive, send)
        start = sent[0]
        answered = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], answered, b"".join(message["body"] for message in sent[1:])


@pytest.fixture
def web():
    web = Web()
    yield web
    web.application.close()


def query(key: str, **changes: Any) -> str:
    return urlencode({"key": key, **parameters(**changes)})


def phone(**changes: Any) -> dict[str, Any]:
    """A message of OwnTracks."""
    return {"_type": "location", "tst": 1772352000, "lat": 1.5, "lon": 2.5, "topic": "owntracks/me/van-1", **changes}


def ordinary(key: str) -> dict[str, dict[str, Any]]:
    bearer = {"authorization": f"Bearer {key}", **JSON}
    return {
        "a query, as a phone gets it": {"method": "GET", "query": query(key)},
        "a query that is posted": {"query": query(key)},
        "a form": {
            "query": f"key={key}",
            "body": urlencode(parameters()).encode(),
            "headers": {"content-type": FORM},
        },
        "JSON of a phone": {"body": client_9(), "headers": bearer},
        "the key in the path": {"path": f"{OSMAND}/{key}/", "query": urlencode(parameters())},
        "a packed body": {
            "body": gzip.compress(json.dumps(client_9()).encode()),
            "headers": {**bearer, "content-encoding": "gzip"},
        },
        "OwnTracks": {"path": OWNTRACKS, "body": phone(), "headers": {"x-device-key": key, **JSON}},
        "one position": {"path": POSITIONS, "body": position(), "headers": bearer},
        "some positions": {
            "path": POSITIONS,
            "body": [position(device_id=None), position(latitude=1.0)],
            "headers": bearer,
        },
    }


ORDINARY = list(ordinary(""))


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_message_is_answered_as_django_answers_it(name, web, device, key):
    request = ordinary(key)[name]
    status, headers, body = web.send(request)[0]
    buffered = buffer_size()
    assert not web.django.bodies
    assert buffered >= 1

    body_sent = request.get("body", b"")
    theirs = Client().generic(
        request.get("method", "POST"),
        f"{request.get('path', OSMAND)}?{request.get('query', '')}",
        body_sent if isinstance(body_sent, bytes) else json.dumps(body_sent),
        request.get("headers", {}).get("content-type", "application/octet-stream"),
        headers=request.get("headers", {}),
    )
    assert (status, body) == (theirs.status_code, theirs.content)
    assert headers == {name: value for name, value in theirs.headers.items() if name not in OTHER_HEADERS}
    assert buffer_size() == 2 * buffered


def special(key: str) -> dict[str, dict[str, Any]]:
    bearer = {"authorization": f"Bearer {key}", **JSON}
    return {
        "no key": {"query": query("")},
        "an unknown key": {"query": query("x" * 32)},
        "another device's identifier": {"query": query(key, id="van-2")},
        "no identifier": {"query": query(key, id="")},
        "a sign of life": {"query": query(key, lat="", lon="")},
        "a place that is none": {"query": query(key, lat=91)},
        "an alarm without a place": {"query": query(key, lat="", lon="", alarm="sos")},
        "a quantity that cannot be right": {"query": query(key, altitude=1e7)},
        "text that is no UTF-8": {"query": query(key) + "&a=\xff\xfe"},
        "JSON that is none": {"body": b'{"a":', "headers": bearer},
        "a compression that is unknown": {"body": client_9(), "headers": {**bearer, "content-encoding": "br"}},
        "one bad position of two": {"path": POSITIONS, "body": [position(), position(latitude=91)], "headers": bearer},
        "one position of another": {
            "path": POSITIONS,
            "body": [position(), position(device_id="van-2")],
            "headers": bearer,
        },
        "no position": {"path": POSITIONS, "body": [], "headers": bearer},
        "no media type": {"path": POSITIONS, "body": position(), "headers": {"authorization": f"Bearer {key}"}},
        "an encrypted message": {"path": OWNTRACKS, "body": phone(_type="encrypted"), "headers": bearer},
        "another phone's name": {"path": OWNTRACKS, "body": phone(topic="owntracks/me/x"), "headers": bearer},
        "a body of unknown size": {
            "body": client_9(),
            "headers": {**bearer, "content-length": None, "transfer-encoding": "chunked"},
        },
        "a large body": {"body": b"x" * 70_000, "headers": bearer},
        "another host": {"query": query(key), "headers": {"host": "elsewhere.example"}},
        "another method": {"method": "PUT", "query": query(key)},
        "an address without a view": {"path": f"{OSMAND}/a/b", "query": query(key)},
        "the slash that is too many": {"path": f"{POSITIONS}/", "body": position(), "headers": bearer},
    }


@pytest.mark.parametrize("name", list(special("")))
def test_any_other_message_is_left_to_django_as_it_came(name, web, settings, device, key):
    settings.ALLOWED_HOSTS = ["testserver"]
    request = special(key)[name]
    assert web.status(**request) == 418
    body = request.get("body", b"")
    assert web.django.bodies == [body if isinstance(body, bytes) else json.dumps(body).encode()]
    assert buffer_size() == 0


def test_a_key_that_was_replaced_and_a_device_that_was_switched_off_are_refused_from_then_on(web, device, key):
    assert web.status(query=query(key)) == 200
    new = issue_key(device=device, rotate=True)
    assert [web.status(query=query(one)) for one in (key, new)] == [418, 200]
    type(device).objects.filter(pk=device.pk).update(is_active=False)
    assert web.status(query=query(new)) == 418


def test_messages_that_arrive_meanwhile_are_taken_in_together_each_with_its_own_answer(web, device, key, monkeypatch):
    sizes = []
    original = together.take_in_together
    monkeypatch.setattr(
        gathered_intake, "take_in_together", lambda requests: sizes.append(len(requests)) or original(requests)
    )
    minutes = range(1, 41)
    good = [{"query": query(key, timestamp=1772352000 + 60 * minute)} for minute in minutes]
    answers = web.send(*good, {"query": query("")}, {"path": POSITIONS, "body": position(), "headers": bearer(key)})
    assert [status for status, _, _ in answers] == [*[200] * 40, 418, 202]
    assert len(sizes) < 5
    assert sum(sizes) == 42
    drain_buffers()
    assert Position.objects.count() == 41


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}", **JSON}


def test_a_device_over_its_limit_is_left_to_django_which_refuses_it(web, device, key, settings):
    settings.INGEST_DEVICE_PER_MINUTE = 3
    answers = web.send(*[{"query": query(key, timestamp=1772352000 + second)} for second in range(5)])
    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 418, 418]
    assert buffer_size() == 3
    assert Client().generic("POST", f"{OSMAND}?{query(key)}").status_code == 429


@pytest.mark.parametrize("error", [redis.ConnectionError("away"), BufferFull("full"), RuntimeError("a fault")])
def test_what_fails_for_all_is_left_to_django_message_by_message(error, web, device, key, monkeypatch):
    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(together, "add_to_buffer", fail)
    assert [status for status, _, _ in web.send({"query": query(key)}, {"query": query(key)})] == [418, 418]
    monkeypatch.undo()
    assert web.status(query=query(key)) == 200


def test_while_the_database_is_away_all_are_to_be_sent_again_and_nobody_asks_a_second_time(
    web, device, key, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", "/nonexistent")
        answers = web.send({"query": query(key)}, {"path": POSITIONS, "headers": bearer(key), "body": [position()]})
    assert [(status, headers["Retry-After"]) for status, headers, _ in answers] == [(503, "5"), (503, "5")]
    assert json.loads(answers[0][2])["code"] == "database_unavailable"
    assert web.django.bodies == []
    assert web.status(query=query(key)) == 200


def test_a_sender_that_hangs_up_amid_its_body_is_left_to_django(web, device, key):
    begun = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]
    web.send({"query": query(key), "messages": begun})
    assert web.django.bodies == [b"abc<hung up>"]
    assert buffer_size() == 0


def test_plain_http_is_left_to_django_where_it_redirects_to_https(web, device, key, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert web.status(query=query(key)) == 418
