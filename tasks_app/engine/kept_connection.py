"""The Redis client of callers, which keeps connections for scripts.

Enqueueing is one script. Taking a connection from redis-py's pool, polling it, giving it back and counting all that takes
longer than the script itself. A web server runs each request in a thread of its own, so threads have none of their own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
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
        """Run a script by its hash."""
        (answer,) = self.evalsha_all([(sha, numkeys, *keys_and_args)])
        if isinstance(answer, redis.ResponseError):
            raise answer
        return answer

    def evalsha_all(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Run scripts in one round trip, each given as the arguments of `evalsha`; an answer may be the error of its script.

        On a connection that broke all are sent again as redis-py sends them, with its retries.
        """
        answers = self._exchange(list(map(_pack, calls)))
        return self._send_again(calls, is_whole=False) if answers is None else answers

    def evalsha_whole(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Do the same as one transaction: Redis runs all of the scripts, with nothing in between, or none."""
        answers = self._exchange([_MULTI, *map(_pack, calls), _EXEC])
        if answers is None:
            return self._send_again(calls, is_whole=True)
        *queued, executed = answers
        if isinstance(executed, redis.ResponseError):
            raise next((one for one in queued if isinstance(one, redis.ResponseError)), executed)
        return list(executed)

    def _exchange(self, commands: Sequence[bytes]) -> list[Any] | None:
        """Send these commands and return their answers; None where the connection broke."""
        connection = self._take()
        try:
            connection.send_packed_command((b"".join(commands),))
            answers = [_answer(connection) for _ in commands]
        except redis.ConnectionError:
            connection.disconnect()
            return None
        except BaseException:  # an answer that was not read would be taken for that of the next command
            connection.disconnect()
            raise
        self._kept.append(connection)
        return answers

    def _send_again(self, calls: Sequence[Sequence[Any]], *, is_whole: bool) -> list[Any]:
        pipeline = self.pipeline(transaction=is_whole)
        for call in calls:
            pipeline.evalsha(*call)
        return pipeline.execute(raise_on_error=False)

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


def _answer(connection: Any) -> Any:
    """Read an answer; an error is one like any other, and nothing is left to be read after it."""
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _pack(call: Sequence[Any]) -> bytes:
    """Return EVALSHA with these arguments as it is sent."""
    try:
        packed: bytes = hiredis.pack_command(("EVALSHA", *call))
    except TypeError as error:
        raise redis.DataError(str(error)) from error
    return packed


_MULTI, _EXEC = hiredis.pack_command(("MULTI",)), hiredis.pack_command(("EXEC",))
