"""Reads of many rows that are used one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from django.db import connections, transaction
from django.db.models import QuerySet


def streamed(rows: QuerySet[Any, Any], *, chunk_rows: int = 2000) -> Iterator[Any]:
    """Yield the rows, of which `chunk_rows` at a time are in memory, through a cursor of the server.

    It lives in a transaction, the caller's or one of its own, so that a pool keeps the session for it (settings.DATABASES
    says why `iterator()` does not). In a transaction of its own, what the caller writes in between belongs to it, too.
    """
    is_open = connections[rows.db].in_atomic_block
    with nullcontext() if is_open else transaction.atomic(using=rows.db):
        yield from rows._iterator(use_chunked_fetch=True, chunk_size=chunk_rows)  # type: ignore[attr-defined]
