"""Retention of the rows of jobs that ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.engine import JobState
from tasks_app.models import Job
from tasks_app.services.cleanup.runs import cutoff, delete_in_batches, run_exclusively


def remove_job_history(
    *, succeeded_days: int, failed_days: int, now: datetime, dry_run: bool = False
) -> dict[str, Any]:
    """Remove jobs that succeeded before `succeeded_days`, and that failed or were cancelled before `failed_days`.

    Returns succeeded, failed (with the cancelled), rows (their sum), seconds. Raises InvalidLimit, JobCancelled.
    """
    is_success = Job.objects.filter(state=JobState.SUCCEEDED)
    succeeded = is_success.filter(finished_at__lt=cutoff(now, succeeded_days, name="succeeded_days"))
    others = Job.objects.filter(state__in=[JobState.FAILED, JobState.CANCELLED])
    failed = others.filter(finished_at__lt=cutoff(now, failed_days, name="failed_days"))

    def work() -> dict[str, Any]:
        counts = [delete_in_batches(rows, order_by="finished_at", dry_run=dry_run) for rows in (succeeded, failed)]
        return {"dry_run": dry_run, "succeeded": counts[0], "failed": counts[1], "rows": sum(counts)}

    return run_exclusively("job_history", work)
