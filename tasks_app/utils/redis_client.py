"""The Redis of all that is no queue: cache, limits, live connections. The queues may have another one, or a Redis Cluster."""

from __future__ import annotations

import os
from functools import lru_cache

from django.conf import settings

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient, caller_client, client


def redis_client() -> RedisClient:
    """Return the client of REDIS_URL; it is that of the queues where they are on the same Redis."""
    url: str = settings.REDIS_URL
    return client() if url == engine_config().redis_url else _client_of_process(os.getpid(), url)


@lru_cache(maxsize=4)
def _client_of_process(pid: int, url: str) -> RedisClient:
    return caller_client(url)
