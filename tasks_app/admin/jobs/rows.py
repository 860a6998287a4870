"""Jobs as the pages show them: texts, badges and links made once, here, so that templates only print."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.admin.common import MISSING, STATE_BADGES, badge, format_seconds, pretty_json, short_json
from tasks_app.admin.jobs.columns import Cell, RowFacts, cells_of, mark_of
from tasks_app.engine import FINAL_STATES, JobState
from tasks_app.engine.flows import CHAIN, GROUP, TASK
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


@dataclass(frozen=True)
class Step:
    """One point of a job's timeline."""

    label: str
    at: datetime | None
    note: str
    badge: str


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
        badge=_state_badge(job.state, get_language()),
        mark=badge(kind, word) if word else "",
        arguments=call_text(job),
        progress=progress_of(job) if job.is_live else None,
        error=error_text(job),
        priority="" if job.priority == "normal" else str(_("%s priority") % PRIORITIES[job.priority]),
        cells=cells_of(job, facts, state),
    )


@lru_cache(maxsize=64)
def _state_badge(state: JobState, _language: str) -> SafeString:
    """The badge of a state: a list has many of each, and a template makes it."""
    return badge(STATE_BADGES[state], STATE_LABELS[state])


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
    return Progress(text=f"{current} / {total}", message=message, percent=max(0, min(100, int(100 * current / total))))


def timeline(job: JobView) -> list[Step]:
    """Created, due, started and finished, each with the time since the one before."""
    steps = [Step(_("Created"), job.created_at, "", "")]
    if job.due_at and job.due_at != job.created_at:
        steps.append(Step(_("Due"), job.due_at, "", "info"))
    waited = _("waited %s") % format_seconds(job.wait_seconds) if job.wait_seconds is not None else ""
    steps.append(Step(_("Started"), job.started_at, waited, "primary" if job.started_at else ""))
    label = STATE_LABELS[job.state] if job.state in FINAL_STATES else _("Finished")
    ran = _("ran %s") % format_seconds(job.run_seconds) if job.run_seconds is not None else ""
    steps.append(Step(str(label), job.finished_at, ran, STATE_BADGES[job.state] if job.finished_at else ""))
    return steps


def facts(job: JobView) -> list[tuple[str, str, str]]:
    """(label, text, link) of everything that is known beside the timeline."""
    names = user_names({job.requested_by_id} if job.requested_by_id else set())
    worker = f"{job.worker_host} · {job.worker_pid}" if job.worker_host else MISSING
    schedule = Schedule.objects.filter(pk=job.schedule_id).first() if job.schedule_id else None
    rows = [
        (_("Queue"), job.queue, f"{reverse('admin:tasks_app_job_changelist')}?queue={job.queue}"),
        (_("Priority"), str(PRIORITIES[job.priority]), ""),
        (_("Requested by"), requester(job, names), ""),
        (_("Worker"), worker, ""),
        (_("Attempts"), str(job.attempt_count), ""),
    ]
    if schedule:
        url = reverse("admin:django_q_schedule_change", args=[schedule.pk])
        rows.append((_("Schedule"), schedule.name or schedule.func, url))
    if job.kind != TASK:
        rows.append((_("Kind"), str(KIND_LABELS[job.kind]), ""))
    if job.parent_id:
        rows.append((_("Part of"), str(job.parent_id), job_url(job.parent_id)))
    if job.retry_of:
        rows.append((_("Retry of"), str(job.retry_of), job_url(job.retry_of)))
    return rows


def attempt_rows(job: JobView) -> list[dict[str, Any]]:
    """Attempts newest first, every one with the traceback that was kept of it."""
    return [_attempt_row(attempt) for attempt in reversed(job.attempts)]


def _attempt_row(attempt: dict[str, Any]) -> dict[str, Any]:
    started_at, finished_at = (parse_datetime(attempt.get(key) or "") for key in ("started_at", "finished_at"))
    seconds = (finished_at - started_at).total_seconds() if started_at and finished_at else None
    return {
        "number": attempt.get("attempt"),
        "started_at": started_at,
        "seconds": format_seconds(seconds),
        "worker": attempt.get("worker") or "",
        "error_class": attempt.get("error_class") or "",
        "error_message": attempt.get("error_message") or "",
        "traceback": attempt.get("traceback") or "",
    }


def job_context(job: JobView) -> dict[str, Any]:
    """Context of the page of one job."""
    attempts = attempt_rows(job)
    return {
        "job": job,
        "state": STATE_LABELS[job.state],
        "badge": STATE_BADGES[job.state],
        "facts": facts(job),
        "timeline": timeline(job),
        "progress": progress_of(job),
        "args_json": pretty_json(job.args) if job.args else "",
        "kwargs_json": pretty_json(job.kwargs) if job.kwargs else "",
        "result_json": pretty_json(job.result) if job.state is JobState.SUCCEEDED else "",
        "log_text": "\n".join(job.logs),
        "attempts": attempts,
        "show_traceback": bool(job.traceback) and not any(row["traceback"] == job.traceback for row in attempts),
        "actions": JobAction.objects.filter(job_id=job.id).select_related("user")[:50],
        "is_live": job.state not in FINAL_STATES,
        "parts_url": f"{reverse('admin:tasks_app_job_changelist')}?parent_id={job.id}",
    }
