"""Servers that can be taken away from the processes of a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.faults import OwnServer, PostgresWire, own_valkey, short_folder, using_redis


@pytest.fixture
def valkey(tmp_path_factory, settings) -> Iterator[OwnServer]:
    """A Redis of the test's own, which this process uses too."""
    with own_valkey(tmp_path_factory.mktemp("redis")) as server, using_redis(settings, server.places.redis_url):
        yield server


@pytest.fixture
def postgres_wire() -> Iterator[PostgresWire]:
    """A wire to the test's database for other processes; this one has its own connection."""
    with short_folder() as folder:
        wire = PostgresWire(folder)
        try:
            yield wire
        finally:
            wire.cut_off()
