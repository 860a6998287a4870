"""Fixtures that several rooms share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from tasks_app.models import Device, Fleet
from tasks_app.services.devices.credentials import issue_key
from tests.support.ingest import TOKEN
from tests.support.retention import drop_all_partitions


@pytest.fixture
def no_partitions(db) -> Iterator[None]:
    """A test begins without partitions, and leaves none where its tables outlive it."""
    drop_all_partitions()
    yield
    if not connection.in_atomic_block:
        drop_all_partitions()


@pytest.fixture
def archiving(settings, tmp_path) -> Path:
    """Positions are archived before they go, into the folder this returns."""
    settings.MEDIA_ROOT = tmp_path
    settings.ARCHIVE_POSITIONS = True
    return tmp_path


@pytest.fixture
def media(settings, tmp_path) -> Path:
    """Where files of this test are kept."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


@pytest.fixture
def foreign(db) -> Device:
    """A device of a fleet that nobody of the test belongs to."""
    other = Fleet.objects.create(name="Other")
    return Device.objects.create(fleet=other, unique_id="foreign", name="Foreign")


@pytest.fixture
def key(device) -> str:
    """Return the key with which the device is believed."""
    return issue_key(device=device)


@pytest.fixture
def server(settings) -> None:
    """A Traccar server may forward, with its token."""
    settings.TRACCAR_FORWARD_TOKEN = TOKEN


@pytest.fixture
def unsigned(settings) -> None:
    """Devices without a key may send."""
    settings.INGEST_ALLOW_UNSIGNED = True


@pytest.fixture
def site(settings) -> None:
    """The address that links in messages begin with."""
    settings.SITE_URL = "https://tracker.example.org"


@pytest.fixture
def page(staff) -> Client:
    """Return a browser without scripts, logged in as the superuser."""
    client = Client()
    client.force_login(staff)
    return client
