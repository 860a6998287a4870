"""The Redis client of callers, which keeps connections for scripts.

Enqueueing is one script. Taking a connection from redis-py's pool, polling it, giving it back and counting all that takes
longer than the script itself. A web server runs each request in a thread of its own, so threads have none of their own.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import hiredis
import redis


class CallerClient(redis.Redis):
    """A client whose commands are safe to send twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Taken while a command uses it, and kept again once its answer is read. Both steps of a deque are atomic.
        self._kept: deque[Any] = deque()

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Run a script by its hash; on a connection that broke it is sent again as redis-py sends it, with its retries."""
        command = ("EVALSHA", sha, numkeys, *keys_and_args)
        connection = self._take()
        try:
            connection.send_packed_command((_pack(command),))
            answer = connection.read_response()
        except redis.ResponseError:
            # An answer like any other; nothing is left to be read.
            self._kept.append(connection)
            raise
        except redis.ConnectionError:
            connection.disconnect()
            return self.execute_command(*command)
        except BaseException:
            connection.disconnect()
            raise
        self._kept.append(connection)
        return answer

    def _take(self) -> Any:
        """Return a kept connection, or open one."""
        pool = self.connection_pool
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:  # Another thread was quicker.
                break
            # One that a fork inherited is its parent's. Behind Sentinel the pool disowns connections to a master that it
            # knows to be replaced.
            if connection.pid == os.getpid() and pool.owns_connection(connection):
                return connection
        connection = pool.connection_class(**pool.connection_kwargs)
        connection.connect()
        return connection


def _pack(command: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = hiredis.pack_command(command)
    except TypeError as error:
        raise redis.DataError(str(error)) from error
    return packed
