"""Sweep of reports whose job was lost: they are enqueued again, or fail with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from reports_app.models import UNFINISHED, Report
from reports_app.services.generation.outcome import end_with_job
from reports_app.services.requests import REPORT_TASKS, enqueue_report
from tasks_app.engine.records import FinishedJob
from tasks_app.models import Job

STUCK_AFTER = timedelta(minutes=10)
BATCH = 500


def sweep_stuck_reports(*, now: datetime | None = None) -> dict[str, int]:
    """Check pending and running reports older than ten minutes; return {"enqueued", "failed"}.

    A report whose job ended without making it ready fails with the job's reason, or is cancelled with it. Any other is
    enqueued under its own job id, which changes nothing while that job lives and brings it back when Redis lost it.
    """
    now = now or timezone.now()
    stuck = Report.objects.filter(state__in=UNFINISHED, created_at__lt=now - STUCK_AFTER)
    reports = list(stuck.defer("content").order_by("created_at")[:BATCH])
    ended = {job.pk: job for job in Job.objects.filter(pk__in=[report.job_id for report in reports if report.job_id])}
    found = [(report, ended[report.job_id]) for report in reports if report.job_id in ended]
    failed = sum(end_with_job(report, job.state, job.error_message, now=now) for report, job in found)
    waiting = [report for report in reports if report.job_id is not None and report.job_id not in ended]
    for report in waiting:
        enqueue_report(report)
    return {"enqueued": len(waiting), "failed": failed}


def follow_jobs(jobs: Iterable[FinishedJob]) -> int:
    """End the unfinished reports of these jobs, which failed or were cancelled; return how many."""
    ended = {UUID(job.job_id): job for job in jobs if job.task in REPORT_TASKS}
    if not ended:
        return 0
    reports = Report.objects.defer("content").filter(job_id__in=list(ended), state__in=UNFINISHED)
    now = timezone.now()
    jobs_of = [(report, ended[report.job_id]) for report in reports if report.job_id]
    return sum(end_with_job(report, job.state, job.error_message, now=now) for report, job in jobs_of)
