"""Actions on a requested report: cancel, retry, delete."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.exceptions import ReportStateConflict
from reports_app.models import UNFINISHED, Report, ReportState
from reports_app.services.files import delete_files
from reports_app.services.generation.outcome import cancelled_text, end_report
from reports_app.services.requests import REPEATABLE, enqueue_report, revive_report
from tasks_app.exceptions import JobAlreadyFinished, JobNotFound
from tasks_app.queries.access import SHELL
from tasks_app.services.audit import record, subject_of_row
from tasks_app.services.jobs import cancel_job


def cancel_report(report: Report, *, user: Any, reason: str = "") -> str:
    """Cancel the generation of a report; return its state: cancelled, or running until its job notices.

    Cancelling a cancelled report changes nothing. Raises ReportStateConflict, QueueUnavailable.
    """
    if report.state == ReportState.CANCELLED:
        return report.state
    if report.state not in UNFINISHED:
        raise ReportStateConflict(_("Only an unfinished report can be cancelled."), state=report.state)
    record("cancel", subject_of_row(report), user=user, reason=reason)
    if report.job_id is not None:
        try:
            cancel_job(job_id=report.job_id, user=user, reason=reason, seen_by=SHELL)
        except (JobNotFound, JobAlreadyFinished):
            # Its job was lost, or ended just now: the row alone is left.
            end_report(report.pk, ReportState.CANCELLED, cancelled_text(), held_by=report.job_id, now=timezone.now())
    else:
        end_report(report.pk, ReportState.CANCELLED, cancelled_text(), held_by=None, now=timezone.now())
    report.refresh_from_db(fields=["state", "error"])
    return report.state


def retry_report(report: Report) -> Report:
    """Generate a failed, cancelled or expired report again with the same parameters. Raises ReportStateConflict."""
    with transaction.atomic():
        if not revive_report(report, uuid4(), among=REPEATABLE):
            report.refresh_from_db(fields=["state"])
            raise ReportStateConflict(
                _("Only a report that ended without a result can be retried."), state=report.state
            )
        record("retry", subject_of_row(report))
        transaction.on_commit(lambda: enqueue_report(report))
    return report


def delete_report(report: Report, *, user: Any) -> None:
    """Delete a report with its content and files, cancelling its job if it has one. Raises QueueUnavailable."""
    if report.state in UNFINISHED:
        cancel_report(report, user=user, reason=_("The report was deleted."))
    with transaction.atomic():
        delete_files([report.pk])
        Report.objects.filter(pk=report.pk).delete()
