"""PostgreSQL's COPY through a connection of Django."""

from __future__ import annotations

from gzip import GzipFile
from typing import IO, Any

from django.db.backends.utils import CursorWrapper


def copy(cursor: CursorWrapper, statement: str | bytes, file: IO[Any] | GzipFile) -> None:
    """Run a COPY FROM STDIN that reads `file`, or a COPY TO STDOUT that writes to it.

    Django gives the driver's own call as it is; here its errors are Django's, as those of every other statement.
    """
    with cursor.db.wrap_database_errors:
        cursor.copy_expert(statement, file)
