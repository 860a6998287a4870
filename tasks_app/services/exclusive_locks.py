"""Locks of work that runs once at a time: PostgreSQL's, so that no crash leaves one; in a transaction, for pools."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import Error, connection

# The transaction does nothing but hold the lock, for as long as the run lasts. It has no snapshot and holds up no VACUUM.
_NO_TIME_LIMIT = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


@contextmanager
def exclusive_lock(name: str) -> Iterator[Callable[[], None] | None]:
    """Hold the lock of that name, on a connection of its own, if it is free; None if it is not.

    Yields a check that raises OperationalError or InterfaceError once the lock was lost with its connection.
    """
    lock_id = int.from_bytes(hashlib.sha256(f"tasks_app.cleanup.{name}".encode()).digest()[:8], signed=True)
    holder = connection.copy()
    try:
        holder.set_autocommit(False)
        _ask(holder, _NO_TIME_LIMIT)
        is_ours = _ask(holder, "SELECT pg_try_advisory_xact_lock(%s)", lock_id)
        yield (lambda: _ask(holder, "SELECT 1")) if is_ours else None
    finally:
        with suppress(Error):
            holder.rollback()
        holder.close()


def _ask(holder: Any, sql: str, *values: Any) -> Any:
    with holder.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchone()[0]
