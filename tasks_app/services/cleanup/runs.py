"""What every cleanup shares: never twice at once, checked limits, bounded batches that can be cancelled in between."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job

BATCH_ROWS = 5000
MAX_DAYS = 36_500


class InvalidLimit(PermanentError, ValueError):
    """A limit (days, hours, a pattern) that cannot be meant: nothing is removed, and trying again cannot help."""

    code = "invalid_limit"


def run_exclusively(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `work` did with the `seconds` it took, or `{"skipped": "already running"}` beside another run."""
    with _advisory_lock(name) as is_ours:
        if not is_ours:
            return {"skipped": "already running"}
        started = time.monotonic()
        done = work()
        return {**done, "seconds": round(time.monotonic() - started, 3)}


@contextmanager
def _advisory_lock(name: str) -> Iterator[bool]:
    """Hold PostgreSQL's session lock of that name if it is free: it goes with the connection, so no crash leaves it."""
    lock_id = int.from_bytes(hashlib.sha256(f"tasks_app.cleanup.{name}".encode()).digest()[:8], signed=True)
    is_ours = bool(_scalar("SELECT pg_try_advisory_lock(%s)", lock_id))
    try:
        yield is_ours
    finally:
        if is_ours and connection.is_usable():
            _scalar("SELECT pg_advisory_unlock(%s)", lock_id)


def _scalar(sql: str, value: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        return cursor.fetchone()[0]


def cutoff(now: datetime, days: int, *, name: str = "days_to_keep") -> datetime:
    """The moment `days` before `now`. Raises InvalidLimit unless days is from 1 to 36 500."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise InvalidLimit(
            _("%(name)s must be a whole number from 1 to %(most)d, not %(value)r.")
            % {"name": name, "most": MAX_DAYS, "value": days}
        )
    return now - timedelta(days=days)


def delete_in_batches(
    queryset: QuerySet[Any], *, order_by: str = "pk", dry_run: bool = False, batch_rows: int = BATCH_ROWS
) -> int:
    """Delete these rows, oldest in `order_by` first, one transaction per batch; return how many went (or would).

    What refers to them follows its own `on_delete`. Raises JobCancelled between two batches.
    """
    total = queryset.count()
    if dry_run:
        return total
    model, deleted = queryset.model, 0
    while keys := list(queryset.order_by(order_by).values_list("pk", flat=True)[:batch_rows]):
        current_job().raise_if_cancelled()
        with transaction.atomic():
            model._default_manager.filter(pk__in=keys).delete()
        deleted += len(keys)
        current_job().progress(min(deleted, total), total, model._meta.label)
    return deleted
