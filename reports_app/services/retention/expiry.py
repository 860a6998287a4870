"""Expiry of reports: content and files are deleted, the row with the parameters stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Length

from reports_app.models import Report, ReportChunk, ReportFile, ReportState
from reports_app.services.files import delete_files
from tasks_app.engine import current_job
from tasks_app.services.cleanup import Run, run_exclusively

# One with a million rows has hundreds of chunks.
BATCH_REPORTS = 20


def expire_reports(*, now: datetime, dry_run: bool = False, max_seconds: float | None = None) -> dict[str, Any]:
    """Delete content and files of reports past their `expires_at`; their rows become expired.

    Returns reports and files (how many of each) and the figures of the run. Raises InvalidLimit, JobCancelled.
    """
    due = Report.objects.filter(state=ReportState.READY, expires_at__lte=now)

    def work(run: Run) -> dict[str, Any]:
        return _expire_all(due, run)

    return run_exclusively("expired_reports", work, dry_run=dry_run, max_seconds=max_seconds)


def _expire_all(due: QuerySet[Report], run: Run) -> dict[str, int]:
    counts = {"reports": 0, "files": 0}
    report_ids = list(due.order_by("expires_at").values_list("pk", flat=True))
    for start in range(0, len(report_ids), BATCH_REPORTS):
        if not run.has_time():
            break
        reports, files = _expire(due.filter(pk__in=report_ids[start : start + BATCH_REPORTS]), run)
        counts["reports"] += reports
        counts["files"] += files
        current_job().progress(min(start + BATCH_REPORTS, len(report_ids)), len(report_ids), Report._meta.label)
    return counts


def _expire(due: QuerySet[Report], run: Run) -> tuple[int, int]:
    """Expire these reports; return the numbers of reports and files. One that was made again meanwhile is due no more."""
    with transaction.atomic():
        report_ids = list(due.select_for_update(of=("self",)).values_list("pk", flat=True))
        chunks = ReportChunk.objects.filter(report__in=report_ids)
        files = ReportFile.objects.filter(report__in=report_ids)
        chunk_bytes = chunks.aggregate(sum=Sum(Length("data")))["sum"] or 0
        file_bytes = files.aggregate(sum=Sum("size_bytes"))["sum"] or 0
        chunk_count, file_count = chunks.count(), files.count()
        if not run.dry_run:
            Report.objects.filter(pk__in=report_ids).update(state=ReportState.EXPIRED, content=None)
            chunks.delete()
            delete_files(report_ids)
    run.add(Report._meta.db_table, len(report_ids))
    run.add(ReportChunk._meta.db_table, chunk_count, chunk_bytes)
    run.add(ReportFile._meta.db_table, file_count, file_bytes)
    return len(report_ids), file_count
