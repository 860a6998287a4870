"""The Redis client of callers, whose scripts go out on a connection that each thread keeps.

Enqueueing is one script. Taking a connection from redis-py's pool, polling it, giving it back and counting all that takes
longer than the script itself.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import hiredis
import redis


class _Kept(threading.local):
    """The connection of this thread, None while a command uses it: it is kept again once its answer is read."""

    connection: Any = None


class CallerClient(redis.Redis):
    """A client whose commands are safe to send twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept = _Kept()

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Run a script by its hash; on a connection that broke it is sent again as redis-py sends it, with its retries."""
        command = ("EVALSHA", sha, numkeys, *keys_and_args)
        connection, self._kept.connection = self._kept.connection, None
        pool = self.connection_pool
        # Behind Sentinel the pool disowns connections to a master that it knows to be replaced.
        if connection is None or connection.pid != os.getpid() or not pool.owns_connection(connection):
            connection = pool.connection_class(**pool.connection_kwargs)
            connection.connect()
        try:
            connection.send_packed_command((_pack(command),))
            answer = connection.read_response()
        except redis.ResponseError:
            # An answer like any other; nothing is left to be read.
            self._kept.connection = connection
            raise
        except redis.ConnectionError:
            connection.disconnect()
            return self.execute_command(*command)
        except BaseException:
            connection.disconnect()
            raise
        self._kept.connection = connection
        return answer


def _pack(command: tuple[Any, ...]) -> bytes:
    try:
        packed: bytes = hiredis.pack_command(command)
    except TypeError as error:
        raise redis.DataError(str(error)) from error
    return packed
