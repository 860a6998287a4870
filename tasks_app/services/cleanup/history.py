"""Retention of history: filtered fixes, commands, audit records, imports, archives, sizes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from tasks_app.models import (
    AuditEntry,
    BulkAction,
    Command,
    DeviceDay,
    FilterCount,
    FilteredFix,
    JobAction,
    PositionArchive,
    PositionUpload,
    QuarantinedFix,
    QueueAction,
    StorageSample,
)
from tasks_app.models.uploads import UNFINISHED
from tasks_app.queries.retention import days_to_keep
from tasks_app.services.accounts import remove_forgotten_users
from tasks_app.services.audit import prune_audit
from tasks_app.services.cleanup.position_archives import discard_archive
from tasks_app.services.cleanup.runs import (
    BATCH_ROWS,
    Run,
    bytes_per_row,
    cutoff,
    delete_in_batches,
    run_exclusively,
)

# Kind of retention -> the rows of it that are older than a moment, oldest first in a field.
_Rows = Callable[[datetime], QuerySet[Any]]
_KINDS: tuple[tuple[str, str, _Rows], ...] = (
    ("quarantine", "received_at", lambda at: QuarantinedFix.objects.filter(received_at__lt=at)),
    ("filtered", "pk", lambda at: FilteredFix.objects.filter(received_at__lt=at)),
    ("filter_counts", "pk", lambda at: FilterCount.objects.filter(day__lt=at.date())),
    ("device_days", "pk", lambda at: DeviceDay.objects.filter(day__lt=at.date())),
    ("uploads", "pk", lambda at: _ended_uploads().filter(created_at__lt=at)),
    ("audit", "pk", lambda at: JobAction.objects.filter(created_at__lt=at)),
    ("audit", "created_at", lambda at: BulkAction.objects.filter(created_at__lt=at)),
    ("audit", "pk", lambda at: QueueAction.objects.filter(created_at__lt=at)),
    ("audit", "pk", lambda at: LogEntry.objects.filter(action_time__lt=at)),
    ("audit", "pk", lambda at: AccessAttempt.objects.filter(attempt_time__lt=at)),
    ("audit", "pk", lambda at: AccessLog.objects.filter(attempt_time__lt=at)),
    ("audit", "pk", lambda at: AccessFailureLog.objects.filter(attempt_time__lt=at)),
    # With their attempts, as long as the events that tell of them.
    ("events", "created_at", lambda at: Command.objects.filter(created_at__lt=at, ended_at__lt=at)),
    ("storage_samples", "pk", lambda at: StorageSample.objects.filter(day__lt=at.date())),
)


def remove_old_history(*, now: datetime, dry_run: bool = False, max_seconds: float | None = None) -> dict[str, Any]:
    """Remove rows older than their retention setting; archives of positions with their files.

    Returns the figures of the run. Raises JobCancelled.
    """

    def work(run: Run) -> dict[str, Any]:
        for kind, order_by, rows_before in _KINDS:
            delete_in_batches(rows_before(cutoff(now, days_to_keep(kind))), run, order_by=order_by)
        _remove_audit(cutoff(now, days_to_keep("audit")), run)
        _remove_archives(cutoff(now, days_to_keep("archives")), run)
        if not run.dry_run and (forgotten := remove_forgotten_users()):
            run.add("auth_user", forgotten)
        return {}

    return run_exclusively("old_history", work, dry_run=dry_run, max_seconds=max_seconds)


def _ended_uploads() -> QuerySet[PositionUpload]:
    """Return the imports that no job takes up again: one that failed may, while it has its file."""
    return PositionUpload.objects.exclude(state__in=UNFINISHED).filter(file="")


def _remove_audit(before: datetime, run: Run) -> None:
    """By the database's own function: it refuses to delete an entry by any other way."""
    table = AuditEntry._meta.db_table
    total = AuditEntry.objects.filter(created_at__lt=before).count()
    row_bytes = bytes_per_row(table)
    removed = total if run.dry_run else 0
    while removed < total and run.has_time():
        pruned = prune_audit(before, BATCH_ROWS)
        if not pruned:
            break
        removed += pruned
    run.add(table, removed, int(removed * row_bytes))


def _remove_archives(before: datetime, run: Run) -> None:
    for archive in PositionArchive.objects.filter(created_at__lt=before).order_by("pk"):
        if not run.has_time():
            return
        if not run.dry_run:
            discard_archive(archive)
        run.add(PositionArchive._meta.db_table, 1, archive.size_bytes)
