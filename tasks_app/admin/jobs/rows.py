"""Jobs as the pages show them: texts, badges and links made once, here, so that templates only print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.admin.common import MISSING, STATE_BADGES, badge, short_json
from tasks_app.admin.jobs.columns import Cell, RowFacts, cells_of, mark_of
from tasks_app.engine import JobState
from tasks_app.engine.flows import CHAIN, GROUP
from tasks_app.models import JobAction
from tasks_app.models.jobs import PRIORITY_CHOICES, STATE_LABELS
from tasks_app.queries.jobs import JobView

PRIORITIES = dict(PRIORITY_CHOICES)
KIND_LABELS = {GROUP: gettext_lazy("Group"), CHAIN: gettext_lazy("Chain")}
# So many jobs of one task in a row are shown as the first few and the number of the others.
FOLDED_FROM, SHOWN_OF_FOLDED = 5, 2
# On the page of a group; a link leads to all of them.
MEMBERS_SHOWN = 50


@dataclass(frozen=True)
class Progress:
    text: str
    message: str
    percent: int | None


@dataclass(frozen=True)
class JobRow:
    """One job in a list."""

    job: JobView
    url: str
    badge: SafeString
    # A word on what the state does not say; empty for most.
    mark: SafeString | str
    arguments: str
    progress: Progress | None
    error: str
    # Empty for the normal priority: only what differs is worth a word in a list.
    priority: str
    cells: list[Cell]
    # One of many of its task in a row, of which the first stand for all.
    is_folded: bool = False
    folded_count: int = 0


def job_url(job_id: Any) -> str:
    return reverse("admin:tasks_app_job_change", args=[job_id])


def job_rows(
    jobs: list[JobView], *, state: JobState | None = None, workers: frozenset[str] | None = None
) -> list[JobRow]:
    """Rows for the list of a state (None: of all), with one query for all requesters and one for all cancellations.

    `workers` are the names of those that live, where lost ones shall be marked.
    """
    names = user_names({job.requested_by_id for job in jobs if job.requested_by_id})
    cancelled = _cancellations([job.id for job in jobs if job.state is JobState.CANCELLED])
    return [_job_row(job, RowFacts(requester(job, names), cancelled.get(job.id, ""), workers), state) for job in jobs]


def _job_row(job: JobView, facts: RowFacts, state: JobState | None) -> JobRow:
    word, kind = mark_of(job, facts)
    return JobRow(
        job=job,
        url=job_url(job.id),
        badge=badge(STATE_BADGES[job.state], STATE_LABELS[job.state]),
        mark=badge(kind, word) if word else "",
        arguments=call_text(job),
        progress=progress_of(job) if job.is_live else None,
        error=error_text(job),
        priority="" if job.priority == "normal" else str(_("%s priority") % PRIORITIES[job.priority]),
        cells=cells_of(job, facts, state),
    )


def folded(rows: list[JobRow]) -> list[JobRow]:
    """Fold what is one of many jobs of a task that follow each other in one state, with one error."""
    found: list[JobRow] = []
    for _key, group in groupby(rows, key=lambda row: (row.job.task, row.job.state, row.job.error_class)):
        run = list(group)
        if len(run) > FOLDED_FROM:
            run[SHOWN_OF_FOLDED - 1] = replace(run[SHOWN_OF_FOLDED - 1], folded_count=len(run) - SHOWN_OF_FOLDED)
            run[SHOWN_OF_FOLDED:] = [replace(row, is_folded=True) for row in run[SHOWN_OF_FOLDED:]]
        found += run
    return found


def _cancellations(job_ids: list[UUID]) -> dict[UUID, str]:
    """Return the user and reason of each cancellation, by job."""
    if not job_ids:
        return {}
    actions = JobAction.objects.filter(job_id__in=job_ids, verb=JobAction.Verb.CANCEL).select_related("user")
    return {action.job_id: cancellation_text(action) for action in actions}


def cancellation_text(action: JobAction) -> str:
    who = action.user.get_username() if action.user else _("the shell")
    return f"{who}: {action.reason}" if action.reason else who


def error_text(job: JobView) -> str:
    """Error of the job or its latest attempt; a cancelled job did not fail."""
    if not job.error_class or job.state is JobState.CANCELLED:
        return ""
    return f"{job.error_class}: {job.error_message}"[:160]


def user_names(user_ids: set[int]) -> dict[int, str]:
    if not user_ids:
        return {}
    return {user.pk: user.get_username() for user in User.objects.filter(pk__in=user_ids).only("id", "username")}


def requester(job: JobView, names: dict[int, str]) -> str:
    """The user or schedule that requested the job."""
    if job.requested_by_id:
        return names.get(job.requested_by_id, _("user %d") % job.requested_by_id)
    return _("schedule") if job.schedule_id else MISSING


def call_text(job: JobView) -> str:
    """The arguments on one short line, as in a call."""
    parts = [short_json(value, 60) for value in job.args]
    parts += [f"{name}={short_json(value, 60)}" for name, value in job.kwargs.items()]
    text = ", ".join(parts)
    return text if len(text) <= 98 else text[:97] + "…"


def progress_of(job: JobView) -> Progress | None:
    """Progress as text and, where the total is known, percent; None without progress."""
    if not job.progress:
        return None
    current, total = job.progress.get("current") or 0, job.progress.get("total")
    message = str(job.progress.get("message") or "")
    if not total:
        return Progress(text=f"{current}", message=message, percent=None)
    try:
        percent = max(0, min(100, int(100 * current / total)))
    except (TypeError, ValueError, ArithmeticError):  # what another program, or a former release, wrote
        percent = None
    return Progress(text=f"{current} / {total}", message=message, percent=percent)
