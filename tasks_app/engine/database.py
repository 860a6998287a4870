"""Whether the database can be worked with now."""

from __future__ import annotations

from contextlib import suppress

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

# What a task may see of a database in trouble. A deadlock or a statement time-out is among them, and passes.
TROUBLE = (OperationalError, InterfaceError, InternalError)

# PostgreSQL's codes for "a program limit is exceeded" (too deep, too large), and for a value larger than memory can be.
_VALUE_CODES = ("54", "XX000")


def is_transaction_open() -> bool:
    """Whether this thread is in a transaction, in a block or begun by hand."""
    return any(
        one.in_atomic_block or one.atomic_blocks or (one.connection is not None and not one.autocommit)
        for one in connections.all(initialized_only=True)
    )


def close_connections() -> None:
    """Close this thread's connections, which ends their transactions.

    What was closed inside a block opens no other connection until that block ends, which may be never: it is replaced.
    """
    for one in connections.all(initialized_only=True):
        with suppress(Error):
            one.close()
        if one.in_atomic_block or one.atomic_blocks:
            del connections[one.alias]


def require_database() -> None:
    """Open a new connection and ask whether it may write. Raises OperationalError when it is away, full or read-only."""
    close_connections()
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        if cursor.fetchone()[0] == "on":
            raise OperationalError("the database is read-only")


def is_database_away() -> bool:
    """Whether an error just seen was the database's fault rather than the job's."""
    try:
        require_database()
    except Error:
        return True
    return False


def is_servers_fault(error: Exception) -> bool:
    """Whether a failed write says something about the database (away, locked, not migrated) rather than about the values."""
    if not isinstance(error, Error):
        return False
    if isinstance(error, (DataError, IntegrityError, NotSupportedError)):
        return False
    code = getattr(error.__cause__, "pgcode", None) or ""
    return not code.startswith(_VALUE_CODES)
