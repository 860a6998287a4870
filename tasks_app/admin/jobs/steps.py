"""Cancelling, retrying and starting one job: each acts, shows the user the outcome, and returns the next address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tasks_app.admin.jobs.rows import job_url
from tasks_app.engine import EngineError, JobState
from tasks_app.exceptions import (
    JobAlreadyFinished,
    JobNotFound,
    JobNotRepeatable,
    JobNotWaiting,
    JobStillLive,
    JobWaitsNoMore,
    PriorityNotChangeable,
)
from tasks_app.models.jobs import PRIORITY_CHOICES, STATE_LABELS
from tasks_app.queries.jobs import JobView
from tasks_app.services.jobs import cancel_job, change_priority, retry_job, run_job_now


class ReasonForm(forms.Form):
    """Reason of an action on a job or a queue, kept with the user's name."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        # The only field of these pages: the keyboard begins there, and Enter ends it.
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=gettext_lazy("Kept with your name in the history."),
    )

    def __init__(self, data: Any = None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        self.label_suffix = ""
        # Of the first field: Enter in it confirms.
        next(iter(self.fields.values())).widget.attrs["autofocus"] = True


def cancel_with_message(request: HttpRequest, job: JobView, reason: str) -> str:
    """Cancel, show the user the outcome, and return the next address."""
    try:
        state = cancel_job(job_id=job.id, user=request.user, reason=reason)
    except JobAlreadyFinished as error:
        messages.warning(request, _("The job had already ended: %s.") % STATE_LABELS[JobState(error.state)])
    except JobNotFound as error:
        raise Http404(_("There is no such job.")) from error
    else:
        message = _("The job is being cancelled.") if state == JobState.RUNNING else _("The job was cancelled.")
        messages.success(request, message)
    return job_url(job.id)


def run_now_with_message(request: HttpRequest, job: JobView, reason: str) -> str:
    """Start a waiting job at once, show the user the outcome, and return the next address."""
    try:
        run_job_now(job_id=job.id, user=request.user, reason=reason)
    except JobNotWaiting as error:
        messages.warning(
            request, _("The job does not wait for a later time: %s.") % STATE_LABELS[JobState(error.state)]
        )
    except JobNotFound as error:
        raise Http404(_("There is no such job.")) from error
    except EngineError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The job starts as soon as a worker is free."))
    return job_url(job.id)


class PriorityForm(ReasonForm):
    """Another priority of a job that waits, and the reason."""

    field_order = ("priority", "reason")
    priority = forms.ChoiceField(
        label=gettext_lazy("Priority"), choices=PRIORITY_CHOICES, widget=UnfoldAdminSelectWidget
    )


def change_priority_with_message(request: HttpRequest, job: JobView, priority: str, reason: str) -> str:
    """Change the priority, show the user the outcome, and return the next address."""
    try:
        change_priority(job_id=job.id, user=request.user, priority=priority, reason=reason)
    except JobWaitsNoMore as error:
        messages.warning(request, _("The job does not wait any more: %s.") % STATE_LABELS[JobState(error.state)])
    except PriorityNotChangeable as error:
        messages.error(request, str(error))
    except JobNotFound as error:
        raise Http404(_("There is no such job.")) from error
    else:
        messages.success(request, _("The job's priority was changed."))
    return job_url(job.id)


def retry_with_message(request: HttpRequest, job: JobView, reason: str) -> str:
    """Make a new job of the same call, show the user the outcome, and return the next address."""
    try:
        new_id = retry_job(job_id=job.id, user=request.user, reason=reason)
    except JobStillLive as error:
        messages.warning(request, _("The job has not ended yet: %s.") % STATE_LABELS[JobState(error.state)])
    except JobNotFound as error:
        raise Http404(_("There is no such job.")) from error
    except (EngineError, JobNotRepeatable) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The job runs again as a new job."))
        return job_url(new_id)
    return job_url(job.id)
