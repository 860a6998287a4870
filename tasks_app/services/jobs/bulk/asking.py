"""Asking for a bulk action: what it is about is stored, and a job of its own carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.engine import EngineError, JobHandle, Task, TaskNotPermitted, get_task
from tasks_app.engine.job_ids import new_job_id
from tasks_app.models import BulkAction, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.job_rights import may_act_in_bulk
from tasks_app.queries.job_search import fixed_search
from tasks_app.queries.jobs import JobFilters, list_workers, queue_stats, search_of
from tasks_app.services.audit import job_subject, record

CHANGE_TASK = "change_jobs"
# Chosen one by one; filters may match more.
MAX_CHOSEN = 1000


def ask_for_bulk_action(
    *,
    verb: str,
    user: Any,
    job_ids: Sequence[UUID] | None = None,
    filters: JobFilters | None = None,
    until: datetime | None = None,
    reason: str = "",
) -> JobHandle:
    """Make a job that cancels or retries the jobs with these ids, or those that match; return it.

    It is about what has matched before `until`, now at the latest: jobs that come later are not meant. Raises EngineError (not
    permitted, full queue), InvalidSearch.
    """
    task, now, action_id = get_task(CHANGE_TASK), timezone.now(), new_job_id()
    if not may_act_in_bulk(user, verb):
        raise TaskNotPermitted(_("You may not do this to jobs."))
    fields: dict[str, Any] = {"filters": None, "job_ids": None, "total_count": 0}
    if filters is not None:
        fields["filters"] = _stored(user, replace(filters, until=min(until or now, now)))
    else:
        ids = list(dict.fromkeys(job_ids or ()))[:MAX_CHOSEN]
        fields |= {"job_ids": b"".join(one.bytes for one in ids), "total_count": len(ids)}
    with transaction.atomic():
        action = BulkAction.objects.create(
            id=action_id,
            verb=verb,
            user_id=user.pk,
            is_of_shell=user is SHELL,
            reason=reason[:500],
            created_at=now,
            **fields,
        )
        _audit(action, user)
        on_queue = task.on_queue(quickest_queue(task))
        transaction.on_commit(partial(_enqueue, on_queue, action, user))
    about = {"filters": action.filters} if filters is not None else {"job_ids": [str(one) for one in ids]}
    record(f"bulk_{verb}", job_subject(action_id, CHANGE_TASK), user=user, reason=reason, given=about)
    return JobHandle(action_id, on_queue.queue)


def _enqueue(task: Task[Any, Any], action: BulkAction, user: Any) -> None:
    """Make the job of a stored action, or remove it. Raises EngineError."""
    kwargs = {"action_id": str(action.pk)}
    try:
        task.apply_async((), kwargs, job_id=action.pk, priority="high", requested_by=user)
    except EngineError:
        JobAction.objects.filter(job_id=action.pk).delete()
        action.delete()
        raise


def _audit(action: BulkAction, user: Any) -> None:
    JobAction.objects.create(
        job_id=action.pk, task=CHANGE_TASK, verb=JobAction.Verb.START, user_id=user.pk, reason=action.reason
    )


def quickest_queue(task: Task[Any, Any]) -> str:
    """The queue of the task whose worker is idle, else one that runs jobs: what is to be cancelled may keep the others busy."""
    stats = {queue.name: queue for queue in queue_stats()}
    open_queues = [name for name in task.queues if not stats[name].paused and task.name not in stats[name].paused_tasks]
    workers = [worker for worker in list_workers() if worker.mode == "working" and not worker.is_late]
    idle = {worker.queue for worker in workers if not worker.current_job_id}
    working = {worker.queue for worker in workers}
    for wanted in (idle, working):
        if found := [name for name in open_queues if name in wanted]:
            return found[0]
    return open_queues[0] if open_queues else task.queue


def _stored(user: Any, filters: JobFilters) -> dict[str, Any]:
    """The filters as JSON, with times in place of words for them. Raises InvalidSearch."""
    fixed = replace(filters, search=fixed_search(filters.search, user))
    search_of(user, fixed)
    return {name: _json_of(value) for name, value in asdict(fixed).items() if value is not None}


def _json_of(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value if isinstance(value, int) else str(value)


def why_not_continued(kwargs: dict[str, Any]) -> str | None:
    """Return why the job of a bulk action cannot be made again, None while it has jobs left."""
    fields = ("job_ids", "done_count", "total_count")
    action = BulkAction.objects.filter(pk=kwargs["action_id"]).only(*fields).first()
    if action is None:
        return _("What it was about is not kept any more.")
    if action.job_ids is not None and action.done_count >= action.total_count:
        return _("All of its jobs were acted on.")
    return None
