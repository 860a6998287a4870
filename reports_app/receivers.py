"""What this package does when a package below asks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from notifications_app.models import Notification
from notifications_app.signals import attachments_about_to_go
from reports_app.models import Report, ReportState
from reports_app.queries import visible_report, visible_reports
from reports_app.services.files import delete_orphaned_files
from reports_app.services.generation import follow_jobs
from reports_app.services.schedules import follow_deliveries
from tasks_app.engine.records import FinishedJob
from tasks_app.signals import job_reader_asked, jobs_not_done, needed_positions_asked, orphans_cleanup_requested


@receiver(orphans_cleanup_requested)
def remove_orphaned_files(sender: Any, *, now: datetime, dry_run: bool, **kwargs: Any) -> dict[str, int]:
    """Report files without a row, rows without a file, and files nobody finished."""
    counts = delete_orphaned_files(now=now, dry_run=dry_run)
    return {f"report_{name}": count for name, count in counts.items()}


@receiver(jobs_not_done)
def end_reports_of_jobs(sender: Any, *, jobs: list[FinishedJob], **kwargs: Any) -> None:
    """A report whose job was cancelled while it waited, or lost its workers, ends with it at once; so does a run."""
    follow_jobs(jobs)
    follow_deliveries(jobs)


@receiver(attachments_about_to_go)
def refuse_reports_of_others(sender: Any, *, notification: Notification, **kwargs: Any) -> str:
    """Files of reports that the reader no longer sees are not sent, however long the message waited."""
    names = notification.attachments.values("storage_name")
    reports = Report.objects.filter(files__file__in=names)
    lost = reports.exclude(pk__in=visible_reports(notification.user).order_by().values("pk"))
    return _("The user may no longer see this report.") if lost.exists() else ""


@receiver(needed_positions_asked)
def name_times_of_unfinished_reports(sender: Any, **kwargs: Any) -> list[tuple[datetime, datetime]]:
    """A finished report holds its rows itself; one that is yet to be written needs the positions of its time."""
    unfinished = Report.objects.filter(state__in=[ReportState.PENDING, ReportState.RUNNING])
    return list(unfinished.values_list("range_start", "range_end"))


@receiver(job_reader_asked)
def read_job_of_report(sender: Any, *, user: Any, job_id: Any, **kwargs: Any) -> bool:
    """Who may see a report may see the job that makes it: several may have asked for it, and one job has one requester."""
    reports = Report.objects.filter(job_id=job_id).values_list("pk", flat=True)
    return any(visible_report(user, report_id) for report_id in reports)
