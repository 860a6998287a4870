"""Retention of the rows of jobs that ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.engine import JobState
from tasks_app.models import Job
from tasks_app.queries.retention import days_to_keep
from tasks_app.services.cleanup.runs import Run, cutoff, delete_in_batches, run_exclusively


def remove_job_history(
    *,
    now: datetime,
    succeeded_days: int | None = None,
    failed_days: int | None = None,
    dry_run: bool = False,
    max_seconds: float | None = None,
) -> dict[str, Any]:
    """Remove jobs that succeeded before `succeeded_days`, and that failed or were cancelled before `failed_days`.

    Returns succeeded, failed (with the cancelled) and the figures of the run. Raises InvalidLimit, JobCancelled.
    """
    succeeded_days = days_to_keep("jobs_succeeded") if succeeded_days is None else succeeded_days
    failed_days = days_to_keep("jobs_failed") if failed_days is None else failed_days
    is_success = Job.objects.filter(state=JobState.SUCCEEDED)
    succeeded = is_success.filter(finished_at__lt=cutoff(now, succeeded_days, name="succeeded_days"))
    others = Job.objects.filter(state__in=[JobState.FAILED, JobState.CANCELLED])
    failed = others.filter(finished_at__lt=cutoff(now, failed_days, name="failed_days"))

    def work(run: Run) -> dict[str, Any]:
        counts = [delete_in_batches(rows, run, order_by="finished_at") for rows in (succeeded, failed)]
        return {"succeeded": counts[0], "failed": counts[1]}

    return run_exclusively("job_history", work, dry_run=dry_run, max_seconds=max_seconds)
