"""Whether the database can be worked with now."""

from __future__ import annotations

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


def require_database() -> None:
    """Open a new connection and ask whether it may write. Raises OperationalError when it is away, full or read-only."""
    connections.close_all()
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
