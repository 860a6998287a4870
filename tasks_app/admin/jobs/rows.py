"""Jobs as the pages show them: texts, badges and links made once, here, so that templates only print."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Schedule

from tasks_app.admin.common import MISSING, STATE_BADGES, format_seconds, format_time, pretty_json, short_json
from tasks_app.engine import FINAL_STATES, JobState
from tasks_app.engine.flows import CHAIN, GROUP, TASK
from tasks_app.models import JobAction
from tasks_app.models.jobs import PRIORITY_CHOICES, STATE_LABELS
from tasks_app.queries.jobs import JobView

PRIORITIES = dict(PRIORITY_CHOICES)
KIND_LABELS = {GROUP: gettext_lazy("Group"), CHAIN: gettext_lazy("Chain")}
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
    state: Any
    badge: str
    arguments: str
    requested_by: str
    created: SafeString | str
    waited: str
    ran: str
    progress: Progress | None
    error: str
    # Empty for the normal priority: only what differs is worth a word in a list.
    priority: str


@dataclass(frozen=True)
class Step:
    """One point of a job's timeline."""

    label: str
    at: datetime | None
    note: str
    badge: str


def job_url(job_id: Any) -> str:
    return reverse("admin:tasks_app_job_change", args=[job_id])


def job_rows(jobs: list[JobView]) -> list[JobRow]:
    """Rows for a list, with one query for the names of all requesters."""
    names = user_names({job.requested_by_id for job in jobs if job.requested_by_id})
    return [job_row(job, names) for job in jobs]


def job_row(job: JobView, names: dict[int, str]) -> JobRow:
    return JobRow(
        job=job,
        url=job_url(job.id),
        state=STATE_LABELS[job.state],
        badge=STATE_BADGES[job.state],
        arguments=call_text(job),
        requested_by=requester(job, names),
        created=format_time(job.created_at),
        waited=format_seconds(job.wait_seconds),
        ran=format_seconds(job.run_seconds),
        progress=progress_of(job),
        error=error_text(job),
        priority="" if job.priority == "normal" else str(_("%s priority") % PRIORITIES[job.priority]),
    )


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
