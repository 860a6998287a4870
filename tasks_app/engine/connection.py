"""Redis clients of the engine. One for callers (fails fast), one for the worker processes (waits out a restart)."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, TypeAlias

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from tasks_app.engine.config import engine_config
from tasks_app.engine.kept_connection import CallerClient

# redis-py types every answer as bytes or str; our clients decode nothing, so answers are bytes and the stubs are in the way.
RedisClient: TypeAlias = Any

# XREADGROUP blocks at most this long; the socket must wait longer than that.
BLOCK_MS = 1000


@lru_cache(maxsize=4)
def _client_of_process(pid: int) -> RedisClient:
    return CallerClient.from_url(
        engine_config().redis_url,
        # A server that does not answer for so long is frozen, and the request that waits for it must end.
        socket_timeout=2,
        socket_connect_timeout=2,
        # A connection that broke is opened again; a time-out is not waited for a second time.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, supported_errors=(redis.ConnectionError,)),
        health_check_interval=30,
    )


def client() -> RedisClient:
    """Return the client of callers: their commands are safe to send twice, so it retries briefly, then fails."""
    return _client_of_process(os.getpid())


def worker_client() -> RedisClient:
    """Return a new client for a process of a cluster; it never retries, so that a lost XREADGROUP reply is noticed."""
    return redis.Redis.from_url(
        engine_config().redis_url,
        socket_timeout=BLOCK_MS / 1000 + 4,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        single_connection_client=False,
    )
