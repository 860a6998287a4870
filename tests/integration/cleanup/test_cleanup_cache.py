"""Cleaning the cache: only its own keys, only those unused for long."""

from __future__ import annotations

import pytest
import redis
from django.core.cache import cache, caches

from tasks_app.engine import enqueue, get_task
from tasks_app.engine.config import engine_config

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings):
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def age(server: redis.Redis, key: str, hours: float) -> None:
    """Make a cache entry unused for that long, as the server counts."""
    name = cache.make_key(key)
    server.restore(name, 0, server.dump(name), replace=True, idletime=int(hours * 3600))


def test_cache_entries_unused_for_long_go_and_nothing_else(server):
    for key in ("map:1", "map:2", "map:3", "other:1"):
        cache.set(key, {"x": 1}, timeout=None)
    for key in ("map:1", "other:1"):
        age(server, key, 30)
    age(server, "map:3", 20)
    cleanup = get_task("cleanup_cache")
    would = cleanup("map:*", 24, dry_run=True)
    assert (would["scanned"], would["rows"]) == (3, 1)
    assert would["bytes"] > 0
    assert cleanup("map:*", 24)["rows"] == 1
    assert cache.get_many(["map:1", "map:2", "map:3", "other:1"]).keys() == {"map:2", "map:3", "other:1"}
    age(server, "map:2", 1)
    assert cleanup(max_age_hours=0)["rows"] == 3


def test_cleaning_the_whole_cache_never_touches_a_queue_or_another_installation(server):
    enqueue("cleanup_cache")
    foreign = f"{engine_config().prefix}:not-a-cache-key"
    server.set(foreign, "x")
    cache.set("mine", 1)
    before = set(server.scan_iter(f"*{engine_config().prefix}:*", count=1000))
    assert get_task("cleanup_cache")("*", 0)["rows"] == 1
    after = set(server.scan_iter(f"*{engine_config().prefix}:*", count=1000))
    assert after == before
    assert cache.get("mine") is None


def test_wildcards_in_our_own_prefix_are_taken_literally(server, monkeypatch):
    monkeypatch.setattr(caches["default"], "key_prefix", "[a-z]*?")
    cache.set("mine", 1)
    other = f"{engine_config().prefix}:1:mine"
    server.set(other, 1)
    assert get_task("cleanup_cache")("*", 0)["rows"] == 1
    assert server.exists(other)
