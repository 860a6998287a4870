"""Devices that commands are sent to, and people who may send them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
