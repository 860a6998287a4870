"""WebSockets of both kinds: strangers keep nobody out, and a user who may no longer listen is closed at once."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client

from tasks_app.models import FleetMembership
from tasks_app.services.accounts.tokens import issue_token
from tasks_app.websockets.waiting import MAX_PER_ADDRESS
from tests.support.cluster import allowed
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)
PATHS = ("/ws/live/", "/ws/notifications/")
FIRST = {"/ws/live/": "snapshot", "/ws/notifications/": "unread"}


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory):
    """Nothing is checked by the clock: a connection ends by a message."""
    folder = tmp_path_factory.mktemp("web")
    with running_web(folder, LIVE_CHECK_SECONDS="600", LIVE_AUTHENTICATE_SECONDS="60") as server:
        yield server


def token_of(user) -> str:
    return issue_token(user=user, now=datetime.now(UTC))[0]


@pytest.mark.parametrize("path", PATHS)
def test_strangers_keep_nobody_out(path, web, operator):
    with ExitStack() as stack:
        strangers = [stack.enter_context(web.live(origin=None, path=one)) for one in PATHS for _ in range(110)]
        with web.live(session=session_of(operator), path=path) as page:
            assert page.next()["type"] == FIRST[path]
        with web.live(token=token_of(operator), origin=None, path=path) as program:
            assert program.until(lambda message: message["type"] != "authenticate")["type"] == FIRST[path]
        # The oldest were closed; few are left.
        assert [one.close_code(5) for one in strangers[:-MAX_PER_ADDRESS]] == [4429] * (220 - MAX_PER_ADDRESS)
        assert strangers[-1].next()["type"] == "authenticate"


@pytest.mark.parametrize("path", PATHS)
def test_a_user_holds_so_many_connections_and_no_more(path, transactional_db, tmp_path, operator):
    session = session_of(operator)
    with running_web(tmp_path, LIVE_MAX_CONNECTIONS_PER_USER="2") as web:
        with web.live(session=session, path=path) as first, web.live(session=session, path=path) as second:
            assert {first.next()["type"], second.next()["type"]} == {FIRST[path]}
            with web.live(session=session, path=path) as third:
                assert third.close_code(5) == 4429
        with web.live(session=session, path=path) as fourth:
            assert fourth.next()["type"] == FIRST[path]


def log_out(user, session: str) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session
    client.logout()


ENDINGS = {
    "logged out": log_out,
    "session deleted": lambda user, session: Session.objects.get(session_key=session).delete(),
    "deactivated": lambda user, session: (setattr(user, "is_active", False), user.save()),
    "password changed": lambda user, session: (user.set_password("another horse battery"), user.save()),
    "deleted": lambda user, session: user.delete(),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_it_closes_within_a_second_of(ending, path, web, operator):
    session = session_of(operator)
    with web.live(session=session, path=path) as page:
        assert page.next()["type"] == FIRST[path]
        began = time.monotonic()
        ENDINGS[ending](operator, session)
        assert page.close_code(5) == 4401
        assert time.monotonic() - began < allowed(1.0)


@pytest.mark.parametrize("path", PATHS)
def test_it_closes_when_its_token_is_revoked_and_others_stay(path, web, operator):
    first, second = token_of(operator), token_of(operator)
    with web.live(token=first, origin=None, path=path) as one, web.live(token=second, origin=None, path=path) as other:
        for page in (one, other):
            page.until(lambda message: message["type"] == FIRST[path])
        operator.auth_token_set.get(token_key=first[:15]).delete()
        assert one.close_code(5) == 4401
        other.send({"type": "ping"})
        assert other.until(lambda message: message["type"] == "pong")


def test_a_lost_membership_takes_effect_at_once(web, operator, fleet, device):
    with web.live(session=session_of(operator)) as page:
        assert [one["id"] for one in page.next()["devices"]] == [device.pk]
        FleetMembership.objects.filter(user=operator, fleet=fleet).delete()
        assert page.until(lambda message: "fleets" in message, 5)["fleets"] == []


def test_lost_rights_of_staff_take_effect_at_once(web, staff, device):
    group = Group.objects.create(name="Office")
    with web.live(session=session_of(staff)) as page:
        assert page.next()["fleets"]
        staff.groups.add(group)
        staff.is_staff = False
        staff.save()
        assert page.until(lambda message: "fleets" in message, 5)["fleets"] == []
