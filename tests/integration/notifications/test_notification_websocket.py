"""A person's open pages: who is notified what over a real WebSocket, and until when."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from notifications_app.models import Delivery
from tasks_app.models import EventKind
from tasks_app.services.accounts.tokens import issue_token
from tests.support.cluster import allowed
from tests.support.notifications import make_rule, record_events
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/ws/notifications/"


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory):
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


def next_of(page) -> dict:
    return json.loads(page.socket.recv(timeout=allowed(10)))


def test_an_open_page_is_notified_at_once_and_nobody_else(web, operator, charlie, device, fleet, run_jobs):
    make_rule(fleet, [operator], channels=["in_app", "websocket"])
    with (
        web.live(session=session_of(operator), path=PATH) as page,
        web.live(session=session_of(charlie), path=PATH) as other,
    ):
        assert next_of(page) == {"type": "unread", "count": 0}
        assert next_of(other)["type"] == "unread"
        record_events(device, EventKind.OVERSPEED, data={"speed_kph": 101})
        run_jobs("notifications")
        notified = next_of(page)
        assert (notified["type"], notified["kind"], notified["device_id"]) == ("notification", "speed", device.pk)
        assert notified["subject"] == "Van 1 is driving 101 km/h"
        with pytest.raises(TimeoutError):
            other.socket.recv(timeout=0.3)
    assert "1" in Delivery.objects.get(channel="websocket").attempts.get().answer


def test_a_token_opens_it_too_and_nothing_else_does(web, operator):
    token = issue_token(user=operator, now=datetime.now(UTC))[0]
    with web.live(origin=None, path=PATH) as page:
        assert next_of(page)["type"] == "authenticate"
        page.send({"type": "authenticate", "token": token})
        assert next_of(page)["type"] == "unread"
        page.send({"type": "ping"})
        assert next_of(page)["type"] == "pong"
    for message in ({"type": "authenticate", "token": "nonsense"}, {"type": "ping"}, "nonsense", "x" * 5000):
        with web.live(origin=None, path=PATH) as page:
            next_of(page)
            page.send(message)
            with pytest.raises(ConnectionClosed):
                page.socket.recv(timeout=allowed(10))


def test_a_page_of_another_site_is_refused(web, operator):
    with pytest.raises(InvalidStatus):
        web.live(session=session_of(operator), origin="https://evil.example.org", path=PATH)
