"""Outcomes of a generation: recorded on the row, with the notifications, in one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.exceptions import MAX_ERROR_LENGTH
from reports_app.models import UNFINISHED, Report, ReportState
from reports_app.services.files import delete_files
from reports_app.services.notify import notify_failed, notify_ready
from reports_app.services.requests import task_name_of
from reports_app.services.schedules import advance_runs
from tasks_app.engine import JobCancelled, JobState, JobTimeout, PermanentError, current_job, get_task
from tasks_app.engine.retry import retry_delay_seconds
from tasks_app.queries.retention import days_to_keep


def ready_values(now: datetime) -> dict[str, Any]:
    """Return the values of a row that becomes ready, except the content."""
    expires_at = now + timedelta(days=days_to_keep("reports"))
    return {"state": ReportState.READY, "error": "", "finished_at": now, "expires_at": expires_at}


def report_is_ready(report_id: int, *, now: datetime) -> None:
    """Delete the files of former content and notify, in the transaction in which the report became ready."""
    delete_files([report_id])
    notify_ready(report_id, now=now)
    transaction.on_commit(partial(advance_runs, report_id), robust=True)


def end_report(report_id: int, state: str, error: str, *, held_by: UUID | None, now: datetime) -> bool:
    """Record that an unfinished report failed or was cancelled, unless another job holds it; return whether it was
    recorded."""
    held = Report.objects.filter(pk=report_id, state__in=UNFINISHED)
    held = held if held_by is None else held.filter(job_id=held_by)
    with transaction.atomic():
        values = {"state": state, "error": error.replace("\x00", "")[:MAX_ERROR_LENGTH], "finished_at": now}
        if not held.update(**values):
            return False
        notify_failed(report_id, now=now)
        transaction.on_commit(partial(advance_runs, report_id), robust=True)
    return True


def end_with_job(report: Report, job_state: str, error_message: str, *, now: datetime) -> bool:
    """End the report of a job that ended without making it ready; return whether the report changed."""
    if job_state == JobState.CANCELLED:
        return end_report(report.pk, ReportState.CANCELLED, cancelled_text(), held_by=report.job_id, now=now)
    reason = error_message or _("Its job ended early.")
    return end_report(report.pk, ReportState.FAILED, reason, held_by=report.job_id, now=now)


def cancelled_text() -> str:
    return _("The report was cancelled.")


class FailureRecorder:
    """Record an error on the report and let it propagate.

    If the job will be retried, the report becomes pending with the error, without notifications.
    """

    def __init__(self, report: Report, owner: UUID | None) -> None:
        self.report, self.owner = report, owner

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        if self._is_tried_again(error):
            waiting = Report.objects.filter(pk=self.report.pk, state=ReportState.RUNNING, job_id=self.owner)
            waiting.update(state=ReportState.PENDING, error=describe_error(error))
            return
        state = ReportState.CANCELLED if isinstance(error, JobCancelled) else ReportState.FAILED
        end_report(self.report.pk, state, describe_error(error), held_by=self.owner, now=timezone.now())

    def _is_tried_again(self, error: BaseException) -> bool:
        if self.owner is None:
            return False
        policy = get_task(task_name_of(self.report)).retry_policy
        return retry_delay_seconds(policy, current_job().attempt, error, jitter=0.5) is not None


def describe_error(error: BaseException) -> str:
    """Return one sentence for the requester."""
    if isinstance(error, JobCancelled):
        return cancelled_text()
    if isinstance(error, JobTimeout):
        return _("The report took longer than its time limit.")
    text = str(error) if isinstance(error, PermanentError) else f"{type(error).__name__}: {error}"
    return text.replace("\x00", "")[:MAX_ERROR_LENGTH]
