"""Devices that commands are sent to, and people who may send them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from tests.support.commands import HeldWay, Wire, manager_of, use_ways
from tests.support.traccar_server import TOKEN, TraccarServer, running_traccar


@pytest.fixture
def traccar(settings) -> Iterator[TraccarServer]:
    """A server that speaks Traccar's API, to which commands may go."""
    with running_traccar() as running:
        settings.TRACCAR_SERVER = {"URL": running.url, "TOKEN": TOKEN}
        yield running


@pytest.fixture
def sms_settings(settings, receiver) -> dict:
    """Settings of a provider of SMS: the receiver of the test, which keeps what it gets."""
    settings.SMS = {
        **settings.SMS,
        "URL": receiver.url,
        "HEADERS": {"Authorization": "Bearer of-the-provider"},
        "BODY": '{"to": "{phone}", "text": "{text}", "ref": "{reference}", "ttl": {validity_seconds}}',
        "RECEIPT_SECRET": "the-provider-s-own-secret-0123",
    }
    return settings.SMS


@pytest.fixture
def way(monkeypatch) -> HeldWay:
    """The only way, which can take every type."""
    held = HeldWay()
    use_ways(monkeypatch, held)
    return held


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def manager(make_user, fleet) -> User:
    return manager_of(make_user, fleet)
