"""The page of one job: who cancelled it, where it failed, when it moved on, what it has to do with other jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Schedule

from tasks_app.admin.common import MISSING, STATE_BADGES, badge, format_seconds, pretty_json
from tasks_app.admin.jobs.rows import PRIORITIES, JobRow, job_rows, job_url, progress_of, requester, user_names
from tasks_app.engine import FINAL_STATES, JobState, UnknownTask, get_task
from tasks_app.engine.flows import CHAIN, GROUP, TASK
from tasks_app.models import JobAction
from tasks_app.models.jobs import STATE_LABELS
from tasks_app.queries.jobs import JobView, repeats_of, same_call
from tasks_app.queries.task_rights import may_start
from tasks_app.services.jobs import why_not_repeatable
from tasks_app.utils.tracebacks import own_frames

# The last ones; the audit below names all.
REPEATS_SHOWN = 5
KIND_LABELS = {GROUP: gettext_lazy("Group"), CHAIN: gettext_lazy("Chain")}


@dataclass(frozen=True)
class Step:
    """One point of a job's timeline."""

    label: str
    at: datetime | None
    note: str
    badge: str


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
        rows.append((_("Repeats the job"), str(job.retry_of), job_url(job.retry_of)))
    if job.request_id:
        url = f"{reverse('admin:tasks_app_job_changelist')}?{urlencode({'search': f'request:{job.request_id}'})}"
        rows.append((_("Request"), job.request_id, url))
    repeats = repeats_of(job.id)
    rows += [(_("Run again as"), str(new_id), job_url(new_id)) for new_id in repeats[-REPEATS_SHOWN:]]
    return rows


def attempt_rows(job: JobView) -> list[dict[str, Any]]:
    """Attempts newest first, every one with the traceback that was kept of it."""
    return [_attempt_row(attempt) for attempt in reversed(job.attempts)]


def _attempt_row(attempt: dict[str, Any]) -> dict[str, Any]:
    started_at, finished_at = (parse_datetime(attempt.get(key) or "") for key in ("started_at", "finished_at"))
    seconds = (finished_at - started_at).total_seconds() if started_at and finished_at else None
    return {
        "number": attempt.get("attempt"),
        "anchor": f"traceback-{attempt.get('attempt')}",
        "started_at": started_at,
        "seconds": format_seconds(seconds),
        "worker": attempt.get("worker") or "",
        "error_class": attempt.get("error_class") or "",
        "error_message": attempt.get("error_message") or "",
        "traceback": attempt.get("traceback") or "",
        "own_frames": own_frames(attempt.get("traceback") or ""),
    }


def job_context(job: JobView) -> dict[str, Any]:
    """Context of the page of one job."""
    attempts = attempt_rows(job)
    actions = list(JobAction.objects.filter(job_id=job.id).select_related("user")[:50])
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
        "own_frames": own_frames(job.traceback),
        "actions": actions,
        "cancellation": next((action for action in actions if action.verb == JobAction.Verb.CANCEL), None),
        "is_cancelled": job.state is JobState.CANCELLED,
        "is_live": job.state not in FINAL_STATES,
        "parts_url": f"{reverse('admin:tasks_app_job_changelist')}?parent_id={job.id}",
    }


def confirm_context(job: JobView) -> dict[str, Any]:
    """Context of the pages that ask before something is done to one job."""
    state = badge(STATE_BADGES[job.state], STATE_LABELS[job.state])
    return {
        "facts": [(_("Task"), job.task), (_("State"), state), (_("Job"), job.id)],
        "back_url": job_url(job.id),
    }


def history_rows(job: JobView, user: Any) -> list[JobRow]:
    """Rows of the last ended jobs with the same arguments."""
    return job_rows(same_call(user, job)) if job.kind == TASK and (job.args or job.kwargs) else []


def repeat_context(job: JobView, user: Any) -> dict[str, Any]:
    """Whether the job can be made again, why not, and where to run its task with other arguments."""
    is_ended = job.state in FINAL_STATES
    refusal = why_not_repeatable(job, user) if is_ended else ""
    return {"may_retry": is_ended and not refusal, "refusal": refusal, "again_url": _again_url(job, user)}


def _again_url(job: JobView, user: Any) -> str:
    try:
        task = get_task(job.task)
    except UnknownTask:
        return ""
    if job.kind != TASK or not (task.is_startable and may_start(user, task)):
        return ""
    return f"{reverse('admin:tasks_app_job_start_task', args=[task.name])}?{urlencode({'from': job.id})}"
