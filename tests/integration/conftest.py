"""What several files begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tasks_app.models import Device, Fleet
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
