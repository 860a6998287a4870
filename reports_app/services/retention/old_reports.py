"""Retention of the rows of reports whose content expired, and of the runs of report schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reports_app.models import UNFINISHED, Report, ReportScheduleRun, ReportState, RunState
from tasks_app.queries.retention import days_to_keep as days_from_settings
from tasks_app.services.cleanup import Run, cutoff, delete_in_batches, run_exclusively


def remove_old_reports(
    *, now: datetime, days_to_keep: int | None = None, dry_run: bool = False, max_seconds: float | None = None
) -> dict[str, Any]:
    """Remove reports without content that were requested, and runs of schedules that were started, more than
    `days_to_keep` days ago (default: those of audit).

    Ready reports have to expire first (`expire_reports`). Returns the figures of the run. Raises InvalidLimit,
    JobCancelled.
    """
    before = cutoff(now, days_from_settings("audit") if days_to_keep is None else days_to_keep)
    old = Report.objects.filter(created_at__lt=before).exclude(state__in=[*UNFINISHED, ReportState.READY])

    old_runs = ReportScheduleRun.objects.filter(started_at__lt=before).exclude(state=RunState.RUNNING)

    def work(run: Run) -> dict[str, Any]:
        delete_in_batches(old, run)
        delete_in_batches(old_runs, run)
        return {}

    return run_exclusively("old_reports", work, dry_run=dry_run, max_seconds=max_seconds)
