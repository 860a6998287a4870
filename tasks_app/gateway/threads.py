"""Threads of a gateway, in which calls wait for Redis and PostgreSQL while the event loop serves trackers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import Error, close_old_connections, connections
from redis import RedisError

from tasks_app.engine import QueueFull, QueueUnavailable
from tasks_app.engine.database import TROUBLE, close_connections

R = TypeVar("R")

logger = logging.getLogger(__name__)

# Servers that are away, full or in trouble: it is tried again. Anything else is a fault of ours, and logged as one.
AWAY = (RedisError, QueueFull, QueueUnavailable, OSError, *TROUBLE)


def in_database(function: Callable[..., R], *arguments: Any) -> R:
    """Call a function that uses this thread's connection to PostgreSQL. One that broke is opened anew the next time."""
    close_old_connections()
    try:
        return function(*arguments)
    except Error:
        close_connections()
        raise


class Pool:
    """A bounded number of threads."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    async def run(self, function: Callable[..., R], *arguments: Any) -> R:
        """Return what the function returns."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def close(self) -> None:
        """Begin nothing more; what runs is left alone."""
        self._executor.submit(connections.close_all)
        self._executor.shutdown(wait=False)


def report(what: str, error: Exception) -> None:
    """Log a failure: one line for a server that is away, the traceback of anything else."""
    if isinstance(error, AWAY):
        logger.warning("%s: %s", what, str(error).strip())
    else:
        logger.error("%s: unexpected", what, exc_info=error)
