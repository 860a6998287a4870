"""Base of clean-ups: one run at a time, checked limits, bounded batches, a time window, cancelled at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg2
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from tasks_app.engine import PermanentError, current_job
from tasks_app.engine.database import sqlstate
from tasks_app.models.retention import MAX_DAYS
from tasks_app.services.exclusive_locks import exclusive_lock

BATCH_ROWS = 5000
MAX_WINDOW_SECONDS = 7 * 24 * 3600
_QUERY_CANCELED = "57014"
_LOOK_SECONDS = 0.1


class InvalidLimit(PermanentError, ValueError):
    """A limit (days, hours, a pattern) that cannot be meant: nothing is removed, and trying again cannot help."""

    code = "invalid_limit"


class Run:
    """One run of one cleanup: its time window, and what it removed (with `dry_run`: would remove) of each table."""

    def __init__(
        self, *, dry_run: bool, max_seconds: float | None = None, check_lock: Callable[[], None] = lambda: None
    ) -> None:
        self.dry_run = dry_run
        self._check_lock = check_lock
        self.is_finished = True
        self.tables: dict[str, dict[str, int]] = {}
        self._started_at = time.monotonic()
        self._ends_at = self._started_at + window_seconds(max_seconds)
        self._job = current_job()

    def has_time(self) -> bool:
        """Call before every chunk of work; False once the window is over: the next run goes on.

        Raises JobCancelled, and OperationalError or InterfaceError when the lock of the run was lost.
        """
        self._job.raise_if_cancelled()
        self._check_lock()
        if time.monotonic() < self._ends_at:
            return True
        self.is_finished = False
        return False

    def add(self, table: str, rows: int, size_bytes: int = 0) -> None:
        """Count deleted rows of a table."""
        entry = self.tables.setdefault(table, {"rows": 0, "bytes": 0})
        entry["rows"] += rows
        entry["bytes"] += size_bytes

    @contextmanager
    def interruptible(self, *, at_window_end: bool = True) -> Iterator[None]:
        """Context of long statements: PostgreSQL stops them on cancellation and at the window's end.

        At the window's end the block ends early, without an error. Raises JobCancelled.
        """
        done = threading.Event()
        connection.ensure_connection()
        ends_at = self._ends_at if at_window_end else math.inf
        watcher = threading.Thread(target=self._watch, args=(connection.connection, done, ends_at), daemon=True)
        watcher.start()
        try:
            yield
        except OperationalError as error:
            if sqlstate(error) != _QUERY_CANCELED or self.has_time():
                raise
        finally:
            done.set()
            watcher.join()

    def _watch(self, raw: Any, done: threading.Event, ends_at: float) -> None:
        while not done.wait(_LOOK_SECONDS):
            if self._job.is_cancelled or time.monotonic() >= ends_at:
                try:
                    raw.cancel()
                except psycopg2.Error:  # the connection is gone, and the statement with it
                    return

    def result(self) -> dict[str, Any]:
        """rows and bytes in all and per table, whether it is finished, and how long it took."""
        totals = {name: sum(table[name] for table in self.tables.values()) for name in ("rows", "bytes")}
        seconds = round(time.monotonic() - self._started_at, 3)
        return {**totals, "tables": self.tables, "finished": self.is_finished, "seconds": seconds}


def run_exclusively(
    name: str, work: Callable[[Run], dict[str, Any]], *, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Do `work` unless a run of that name goes on anywhere; return its result with the figures of its Run.

    Beside another run it is {"skipped": "already running"}. Raises InvalidLimit for an impossible `max_seconds`.
    """
    window_seconds(max_seconds)
    with exclusive_lock(name) as check_lock:
        if check_lock is None:
            return {"skipped": "already running"}
        run = Run(dry_run=dry_run, max_seconds=max_seconds, check_lock=check_lock)
        said = work(run)
        return {"dry_run": dry_run, **said, **run.result()}


def window_seconds(max_seconds: float | None) -> float:
    """How long a run may take, settings.CLEANUP_MAX_SECONDS by default. Raises InvalidLimit."""
    if max_seconds is None:
        return settings.CLEANUP_MAX_SECONDS
    if isinstance(max_seconds, bool) or not 0 < max_seconds <= MAX_WINDOW_SECONDS:
        raise InvalidLimit(_("max_seconds must be more than 0 and at most %(most)d.") % {"most": MAX_WINDOW_SECONDS})
    return max_seconds


def scalar(sql: str, *values: Any) -> Any:
    """The one value a query answers."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchone()[0]


def cutoff(now: datetime, days: int, *, name: str = "days_to_keep") -> datetime:
    """The time `days` before `now`. Raises InvalidLimit unless days is from 1 to 36 500."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= MAX_DAYS:
        raise InvalidLimit(
            _("%(name)s must be a whole number from 1 to %(most)d, not %(value)r.")
            % {"name": name, "most": MAX_DAYS, "value": days}
        )
    return now - timedelta(days=days)


def delete_in_batches(queryset: QuerySet[Any], run: Run, *, order_by: str = "pk", batch_rows: int = BATCH_ROWS) -> int:
    """Delete these rows, oldest in `order_by` first, one transaction per batch; return the number deleted (or that would be).

    What refers to them follows its own `on_delete`. Raises JobCancelled between two batches.
    """
    model, total = queryset.model, 0
    with run.interruptible():
        total = queryset.count() if run.has_time() else 0
    row_bytes = bytes_per_row(model._meta.db_table)
    rows = total if run.dry_run else _delete(queryset.order_by(order_by), total, batch_rows, run)
    run.add(model._meta.db_table, rows, int(rows * row_bytes))
    return rows


def _delete(ordered: QuerySet[Any], total: int, batch_rows: int, run: Run) -> int:
    model, deleted = ordered.model, 0
    while deleted < total and run.has_time():
        keys = list(ordered.values_list("pk", flat=True)[:batch_rows])
        if not keys:
            break
        with run.interruptible(at_window_end=False), transaction.atomic():
            # Under the conditions once more: a row may have changed since its key was read (a session that is prolonged).
            _all, rows = ordered.filter(pk__in=keys).delete()
        deleted += rows.get(model._meta.label, 0)
        current_job().progress(min(deleted, total), total, model._meta.label)
    return deleted


def bytes_per_row(table: str) -> float:
    """Bytes of one row with its share of the indexes, by PostgreSQL's estimate of the rows."""
    return float(
        scalar(
            "SELECT pg_total_relation_size(c.oid) / greatest(c.reltuples, pg_stat_get_live_tuples(c.oid),"
            " pg_total_relation_size(c.oid) / 8192.0, 1) FROM pg_class c WHERE c.oid = to_regclass(%s)",
            f'"{table}"',
        )
        or 0
    )
