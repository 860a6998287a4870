"""How values are written to the cache: JSON, never pickle; and entries of which the newest version wins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import redis
from django.core.cache import cache

from tasks_app.engine.connection import sentinel_pool
from tasks_app.redis_scripts import script
from tasks_app.redis_url import sentinel_address
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)


class JSONSerializer:
    """Serializer for Django's Redis cache backend; integers stay plain so that `cache.incr` works."""

    def dumps(self, obj: Any) -> bytes | int:
        if type(obj) is int:
            return obj
        return msgspec.json.encode(obj)

    def loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class SentinelPool:
    """Maker of the connections of Django's Redis cache backend behind Sentinel."""

    @staticmethod
    def from_url(url: str, **options: Any) -> Any:
        """Return the pool for a URL of Sentinel."""
        address = sentinel_address(url)
        assert address is not None
        return sentinel_pool(address, **options)


def set_newest(entries: Mapping[str, tuple[int, Mapping[str, Any]]], *, seconds: int) -> None:
    """Write entries (cache key -> version, values) for so long, but never over a newer version of the same key.

    Read one with `get_newest`. Redis that cannot be reached is only noted: a cache is no reason to fail.
    """
    if not entries:
        return
    arguments: list[Any] = [seconds]
    for version, values in entries.values():
        arguments += (version, msgspec.json.encode({"version": version, **values}))
    make_key = cache.make_key  # looked up once: `cache` finds the thread's own backend anew at each attribute
    try:
        script(redis_client(), "set_newest")([make_key(key) for key in entries], arguments)
    except redis.RedisError as error:
        logger.warning("The cache was not written: %s", error)


def get_newest(key: str) -> dict[str, Any] | None:
    """The values and "version" that `set_newest` wrote; None where there are none, or Redis cannot be reached."""
    try:
        found = redis_client().get(cache.make_key(key))
        return msgspec.json.decode(found) if found else None
    except redis.RedisError as error:
        logger.warning("The cache was not read: %s", error)
        return None
