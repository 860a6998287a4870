"""Reports whose job is gone: enqueued again, or told why they will never be ready."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.models import Report, ReportState
from reports_app.services.request import enqueue_report
from tasks_app.engine import JobState
from tasks_app.models import Job

STUCK_AFTER = timedelta(minutes=10)
BATCH = 500


def sweep_stuck_reports(*, now: datetime | None = None) -> dict[str, int]:
    """Look after pending and running reports older than ten minutes; return {"enqueued", "failed"}.

    A report whose job ended without making it ready fails with the job's reason. Any other is enqueued under its own
    job id, which changes nothing while that job lives and brings it back when Redis lost it.
    """
    stuck = _unfinished().filter(created_at__lt=(now or timezone.now()) - STUCK_AFTER)
    reports = list(stuck.defer("content").order_by("created_at")[:BATCH])
    ended = {job.pk: job for job in Job.objects.filter(pk__in=[report.job_id for report in reports if report.job_id])}
    failed = sum(_fail(report, ended[report.job_id]) for report in reports if report.job_id in ended)
    waiting = [report for report in reports if report.job_id is not None and report.job_id not in ended]
    for report in waiting:
        enqueue_report(report)
    return {"enqueued": len(waiting), "failed": failed}


def _unfinished() -> QuerySet[Report]:
    return Report.objects.filter(state__in=[ReportState.PENDING, ReportState.RUNNING])


def _fail(report: Report, job: Job) -> int:
    reason = _("The report was cancelled.") if job.state == JobState.CANCELLED else job.error_message
    values = {"state": ReportState.FAILED, "error": reason or _("Its job ended early."), "finished_at": timezone.now()}
    return _unfinished().filter(pk=report.pk, job_id=report.job_id).update(**values)
