"""Reads from a replica of PostgreSQL, which never show less than the primary had when they began.

A read waits until the replica has replayed the primary's write-ahead log as far as it was then: a comparison of places in
the log, not of clocks, so that an idle primary counts as no lag. A replica that is away, or behind for longer
than settings.REPLICA_MAX_LAG_SECONDS, is passed over for a while, with a line in the log.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections

from tasks_app.engine.database import TROUBLE

R = TypeVar("R")

logger = logging.getLogger(__name__)

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
# A replica that failed is left alone for so long.
PAUSE_SECONDS = 10.0
_LOOK_SECONDS = 0.02

# Of a commit that others see the record is in the log, whether or not it has reached the disk.
_WRITTEN = "SELECT system_identifier::text, pg_current_wal_insert_lsn()::text FROM pg_control_system()"
_REPLAYED = """
    SELECT system_identifier::text, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END
    FROM pg_control_system()
"""
_PAGE_BYTES, _HEADERS_BYTES = 8192, (24, 40)

_alias: ContextVar[str] = ContextVar("database that reads use", default=PRIMARY)
_paused_until = 0.0


class ReplicaRouter:
    """Django's database router: reads go where this thread reads now, writes and migrations to the primary."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return _alias.get()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY


def reading_connection() -> Any:
    """Return the connection for reads that are written in SQL."""
    return connections[_alias.get()]


def read_from_replica(work: Callable[[], R]) -> R:
    """Return `work()`, whose reads use the replica if there is one that can be used.

    If the database fails in the middle, `work` runs once more on the primary: it must bear that.
    """
    if not _is_usable():
        return work()
    try:
        with reads_from(REPLICA):
            return work()
    except TROUBLE as error:
        _pass_over(f"it failed ({_first_line(error)})")
    finally:
        _close()
    return work()


def reading_alias() -> str:
    """Return PRIMARY or REPLICA, where reads go now."""
    return _alias.get()


@contextmanager
def reads_from(alias: str) -> Iterator[None]:
    """Let reads in the block use that database: PRIMARY, REPLICA or an earlier answer of `reading_alias`.

    Those that belong to a transaction of the primary, or lead to writes, use PRIMARY.
    """
    token = _alias.set(alias)
    try:
        yield
    finally:
        _alias.reset(token)


def await_replica() -> None:
    """Wait until the replica has what was written by now; if it takes too long, further reads use the primary."""
    if _alias.get() == REPLICA and not _catches_up():
        _alias.set(PRIMARY)


def _is_usable() -> bool:
    if REPLICA not in connections.settings:
        return False
    if time.monotonic() < _paused_until:
        logger.info("Reports are read from the primary: the replica failed less than %g s ago.", PAUSE_SECONDS)
        return False
    return _catches_up()


def _catches_up() -> bool:
    """Return whether the replica replays within the time allowed what the primary has written; log it if not."""
    system, written = _ask(PRIMARY, _WRITTEN)
    target, gives_up_at = end_of_record(written), time.monotonic() + settings.REPLICA_MAX_LAG_SECONDS
    try:
        while True:
            found, replayed = _ask(REPLICA, _REPLAYED)
            if found != system or replayed is None:
                return _pass_over("DATABASE_REPLICA_URL leads to a server that is no replica of the primary")
            if _place(replayed) >= target:
                return True
            if time.monotonic() >= gives_up_at:
                lag_bytes = target - _place(replayed)
                return _pass_over(f"it is {lag_bytes} bytes behind after {settings.REPLICA_MAX_LAG_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
    except Error as error:
        return _pass_over(f"it is away ({_first_line(error)})")


def end_of_record(text: str) -> int:
    """Return the place in the log up to which the last record goes, from the place where the next one will stand.

    At the beginning of a page that is behind its header, which a replica that has replayed everything has not reached.
    """
    place = _place(text)
    into_page = place % _PAGE_BYTES
    return place - into_page if into_page in _HEADERS_BYTES else place


def _place(text: str) -> int:
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def _ask(alias: str, sql: str) -> tuple[Any, ...]:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def _pass_over(reason: str) -> bool:
    global _paused_until
    _paused_until = time.monotonic() + PAUSE_SECONDS
    logger.warning("Reports are read from the primary, not from the replica: %s.", reason)
    _close()
    return False


def _close() -> None:
    """Each report opens its own connection: one that is kept would be broken after a restart of the replica."""
    connections[REPLICA].close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
