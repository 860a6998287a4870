"""Checks of the database connection, and of errors: the database's fault or the job's."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from tasks_app.engine.errors import JobInterrupted

# Errors of a database in trouble. Deadlocks and statement time-outs, which pass, are among them.
TROUBLE = (OperationalError, InterfaceError, InternalError)

# PostgreSQL's code for "no space left on device".
_DISK_FULL = "53100"
# Takes 1 MB of that space for the moment of the statement.
_ROOM = "CREATE TEMPORARY TABLE room ON COMMIT DROP AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)"
# PostgreSQL's codes for "a program limit is exceeded" (too deep, too large), and for a value larger than memory can be.
_VALUE_CODES = ("54", "XX000")


class _Known(threading.local):
    """The connections of this thread, None when one was opened after they were listed. Listing them takes 5 us a job."""

    connections: Sequence[BaseDatabaseWrapper] | None = None


_known = _Known()


def _note_opened(**kwargs: Any) -> None:
    _known.connections = None


connection_created.connect(_note_opened, dispatch_uid="tasks_app.engine.database")


def is_transaction_open() -> bool:
    """Return whether this thread is in a transaction, in an atomic block or begun by hand.

    Only an open connection can be in one, and Django signals each that is opened.
    """
    if _known.connections is not None and not any(map(_is_in_transaction, _known.connections)):
        return False
    _known.connections = connections.all(initialized_only=True)
    return any(map(_is_in_transaction, _known.connections))


def _is_in_transaction(one: BaseDatabaseWrapper) -> bool:
    return one.in_atomic_block or bool(one.atomic_blocks) or (one.connection is not None and not one.autocommit)


def close_connections() -> None:
    """Close this thread's connections, which ends their transactions.

    A connection that is closed inside a block does not open again until the block ends, which may be never: it is replaced.
    """
    for one in connections.all(initialized_only=True):
        with suppress(Error):
            one.close()
        if one.in_atomic_block or one.atomic_blocks:
            del connections[one.alias]


def close_if_interrupted(error: BaseException | None) -> None:
    """Close this thread's connections if the error may have come in the middle of a statement: they are of no more use."""
    if issubclass(type(error), (JobInterrupted, *TROUBLE)):
        close_connections()


def require_database() -> None:
    """Open a new connection and ask whether it may write. Raises OperationalError when it is away, full or read-only."""
    close_connections()
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone()[0] == "on":
            raise OperationalError("the database is read-only")


def is_database_away(trouble: BaseException) -> bool:
    """Return whether the database cannot be used now, so that this error, just raised, is not the job's.

    Of a full disk it is not if there is room again: the job may have taken it all, and given it back by failing.
    """
    try:
        require_database()
        if sqlstate(trouble) == _DISK_FULL:
            with connection.cursor() as cursor:
                cursor.execute(_ROOM)
    except Error:
        return True
    return False


def sqlstate(error: BaseException) -> str:
    """Return PostgreSQL's five-character code of an error that Django wrapped, "" when it has none."""
    return getattr(error.__cause__, "pgcode", None) or ""


def is_servers_fault(error: Exception) -> bool:
    """Return whether a failed write is due to the database (away, locked, not migrated) rather than to the values."""
    if not isinstance(error, Error):
        return False
    if isinstance(error, (DataError, IntegrityError, NotSupportedError)):
        return False
    return not sqlstate(error).startswith(_VALUE_CODES)
