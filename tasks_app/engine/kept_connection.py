"""The Redis client of callers, which keeps connections for scripts.

Enqueueing is one script. Taking a connection from redis-py's pool, polling it, giving it back and counting all that takes
longer than the script itself. A web server runs each request in a thread of its own, so threads have none of their own.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import Any

import hiredis
import redis

READ_BYTES = 65536
_MORE = object()
# Answers of a server that is still loading its data, or has become a replica.
_LOST = (redis.ConnectionError, redis.ReadOnlyError)


class _Link:
    """A connection that redis-py opened: to the master of a Sentinel, with TLS, with a password. It is read and written here.

    Python polls a socket that has a time-out before each step, which takes longer than the step: the time-outs of the
    operating system need no polling. A socket with TLS keeps Python's.
    """

    __slots__ = ("_reader", "_socket", "connection", "used_at")

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        # time.monotonic() of the last answer.
        self.used_at = 0.0
        self._socket = connection._sock
        self._reader = hiredis.Reader(
            replyError=connection._parser.parse_error, protocolError=redis.InvalidResponse, notEnoughData=_MORE
        )
        if type(self._socket) is socket.socket and connection.socket_timeout:
            _use_timeouts_of_system(self._socket, connection.socket_timeout)

    def exchange(self, commands: bytes, count: int) -> list[Any]:
        """Send so many commands and return their answers; an error is one like any other.

        Raises redis.ConnectionError where the connection broke or leads to no master any more, redis.TimeoutError.
        """
        answers: list[Any] = []
        reader = self._reader
        try:
            self._socket.sendall(commands)
            while len(answers) < count:
                received = self._socket.recv(READ_BYTES)
                if not received:
                    raise redis.ConnectionError("The server closed the connection.")
                reader.feed(received)
                while (answer := reader.gets()) is not _MORE:
                    if isinstance(answer, _LOST):
                        raise redis.ConnectionError(str(answer))
                    if type(answer) is not hiredis.PushNotification:
                        answers.append(answer)
        except (BlockingIOError, TimeoutError) as error:
            raise redis.TimeoutError("Redis did not answer in time.") from error
        except OSError as error:
            raise redis.ConnectionError(f"The connection broke: {error}") from error
        self.used_at = monotonic()
        return answers

    def is_stale(self) -> bool:
        """Return whether it was idle for so long that a firewall may have forgotten it: no answer would come, and no error."""
        return monotonic() - self.used_at >= self.connection.health_check_interval > 0


def _use_timeouts_of_system(plain: socket.socket, seconds: float) -> None:
    """Have each step on this socket end with BlockingIOError after this time."""
    plain.setblocking(True)
    whole = int(seconds)
    timeval = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)


class CallerClient(redis.Redis):
    """A client whose commands are safe to send twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Taken while a command uses it, and kept again once its answer is read. Both steps of a deque are atomic.
        self._kept: deque[_Link] = deque()

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
        link = self._take()
        try:
            answers = link.exchange(b"".join(commands), len(commands))
        except redis.ConnectionError:
            link.connection.disconnect()
            return None
        except BaseException:  # an answer that was not read would be taken for that of the next command
            link.connection.disconnect()
            raise
        self._kept.append(link)
        return answers

    def _send_again(self, calls: Sequence[Sequence[Any]], *, is_whole: bool) -> list[Any]:
        pipeline = self.pipeline(transaction=is_whole)
        for call in calls:
            pipeline.evalsha(*call)
        return pipeline.execute(raise_on_error=False)

    def _take(self) -> _Link:
        """Return a kept connection, or open one."""
        pool = self.connection_pool
        while self._kept:
            try:
                link = self._kept.pop()
            except IndexError:  # Another thread was quicker.
                break
            # One that a fork inherited is its parent's. Behind Sentinel the pool disowns connections to a master that it
            # knows to be replaced.
            if link.connection.pid != os.getpid() or not pool.owns_connection(link.connection):
                continue
            if not link.is_stale():
                return link
            link.connection.disconnect()
        connection = pool.connection_class(**pool.connection_kwargs)
        connection.connect()
        return _Link(connection)


def _pack(call: Sequence[Any]) -> bytes:
    """Return EVALSHA with these arguments as it is sent."""
    try:
        packed: bytes = hiredis.pack_command(("EVALSHA", *call))
    except TypeError as error:
        raise redis.DataError(str(error)) from error
    return packed


_MULTI, _EXEC = hiredis.pack_command(("MULTI",)), hiredis.pack_command(("EXEC",))
