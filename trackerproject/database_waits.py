"""How long a web process waits for PostgreSQL. A frozen server answers nothing, and the driver would wait for ever.

Connections note since when they wait, and a thread cuts one that waits too long: the driver then raises OperationalError, as
for a server that went away. No option of the server does this: its own clocks are frozen, too, and poolers refuse options.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakSet

import psycopg2
from django.db import OperationalError, connections
from psycopg2.extensions import connection, cursor

R = TypeVar("R")

LOOK_SECONDS = 1.0
# Django asks this on a connection that a request before used, and opens another one where it fails.
HEALTH_CHECK = "SELECT 1"


class _Watch:
    """The thread, and the connections that it looks after."""

    def __init__(self) -> None:
        self.most_seconds = 0.0
        self._lock = threading.Lock()
        self._connections: WeakSet[WatchedConnection] = WeakSet()
        self._thread: threading.Thread | None = None

    def add(self, opened: WatchedConnection) -> None:
        """Look after this connection, too."""
        with self._lock:
            self._connections.add(opened)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="database-waits", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(min(LOOK_SECONDS, self.most_seconds / 4))
            with self._lock:
                opened = list(self._connections)
            latest = time.monotonic() - self.most_seconds
            for one in opened:
                if one.waits_since is not None and one.waits_since < latest:
                    one.cut()


_watch = _Watch()


class WatchedConnection(connection):
    """A connection that says since when it waits for an answer."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.waits_since: float | None = None
        super().__init__(*args, **options)
        _watch.add(self)

    def within_the_time(self, step: Callable[..., R], *args: Any, **options: Any) -> R:
        """Return what this step of the driver returns."""
        self.waits_since = time.monotonic()
        try:
            return step(*args, **options)
        finally:
            self.waits_since = None

    def commit(self) -> None:
        """Commit."""
        self.within_the_time(super().commit)

    def rollback(self) -> None:
        """Roll back."""
        self.within_the_time(super().rollback)

    def cut(self) -> None:
        """End the connection under the thread that waits for it. Django closes it, and opens another."""
        with suppress(psycopg2.Error, OSError), socket.socket(fileno=os.dup(self.fileno())) as its_socket:
            its_socket.shutdown(socket.SHUT_RDWR)


class WatchedCursor(cursor):
    """A cursor of such a connection."""

    connection: WatchedConnection

    def execute(self, *args: Any, **options: Any) -> None:
        """Run a statement."""
        began = time.monotonic()
        try:
            self.connection.within_the_time(super().execute, *args, **options)
        except psycopg2.Error as error:
            if args[0] == HEALTH_CHECK and time.monotonic() - began > _watch.most_seconds * 0.75:
                # Not the driver's error, after which Django opens another connection: the request has had its time, and
                # would wait once more, for PgBouncer takes connections while no server is free.
                raise OperationalError("PostgreSQL gave no answer to the check of a connection.") from error
            raise

    def executemany(self, *args: Any, **options: Any) -> None:
        """Run a statement for each of many parameters."""
        self.connection.within_the_time(super().executemany, *args, **options)

    def copy_expert(self, *args: Any, **options: Any) -> None:
        """Run a COPY."""
        self.connection.within_the_time(super().copy_expert, *args, **options)


def bound_waits(most_seconds: float) -> None:
    """Let connections that this process opens from now on wait so long for each answer, and no longer; 0 is no bound."""
    if not most_seconds > 0:
        return
    _watch.most_seconds = most_seconds
    for one in connections.settings.values():
        one["OPTIONS"] |= {"connection_factory": WatchedConnection, "cursor_factory": WatchedCursor}
