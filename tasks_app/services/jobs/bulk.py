"""Cancelling and retrying many jobs in one step, each with its audit row; refusals are returned per job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from redis.exceptions import RedisError

from tasks_app.engine import LIVE_STATES, EngineError, JobState, QueueFull, QueueUnavailable
from tasks_app.engine.connection import client
from tasks_app.engine.scheduler import record_all_ended
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import JobError
from tasks_app.models import JobAction
from tasks_app.queries.jobs import JobFilters, JobView, list_jobs
from tasks_app.services.jobs.actions import RECORD_SECONDS, retry_job, stop_job

MAX_JOBS = 1000
_REASONS = {
    "not_found": _("There is no such job."),
    "job_already_finished": _("The job has ended already."),
    "already_cancelled": _("The job is cancelled already."),
    "job_still_live": _("The job has not ended yet."),
    "unknown_task": _("Its task does not exist any more."),
    "task_not_permitted": _("You may not start its task."),
    "invalid_arguments": _("Its task takes other arguments now."),
    "queue_full": _("The queue is full."),
    "queue_unavailable": _("The queue server does not answer."),
    "redis_unavailable": _("The queue server does not answer."),
}
# After one of these the next job would meet the same.
_HOPELESS = (QueueFull, QueueUnavailable, RedisError)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A job that was left as it is, with the reason for people and its code for machines."""

    id: str
    code: str
    reason: str


@dataclass(slots=True)
class BulkResult:
    """How many jobs were changed, and which were not."""

    changed: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def matching_jobs(*, user: Any, filters: JobFilters, for_cancel: bool, limit: int = MAX_JOBS) -> list[UUID]:
    """Ids of at most `limit` jobs that match. Without a state: the live ones to cancel, the failed ones to retry."""
    states: Sequence[JobState] = [JobState.FAILED]
    if for_cancel:
        # What is about to start first: a job that moves on while this is read is found in its later state.
        states = [state for state in JobState if state in LIVE_STATES]
    if filters.state:
        states = [filters.state]
    found: dict[UUID, None] = {}
    for state in states:
        cursor = None
        while len(found) < limit:
            page = list_jobs(user=user, filters=replace(filters, state=state), limit=200, cursor=cursor)
            found |= dict.fromkeys(job.id for job in page.jobs)
            cursor = page.next_cursor
            if cursor is None:
                break
    return list(found)[:limit]


def cancel_jobs(*, job_ids: Sequence[UUID | str], user: Any, reason: str = "") -> BulkResult:
    """Cancel each, as `cancel_job` does; a job that is cancelled already counts as skipped."""
    stopped: list[JobView] = []

    def stop(job_id: str) -> None:
        view, _ = stop_job(job_id=job_id, user=user, reason=reason)
        if view.state == JobState.CANCELLED:
            raise AlreadyCancelled(AlreadyCancelled.__doc__)
        stopped.append(view)

    try:
        return _each(job_ids, stop)
    finally:
        verb = JobAction.Verb.CANCEL
        JobAction.objects.bulk_create(
            JobAction(job_id=view.id, task=view.task, verb=verb, user_id=user.pk, reason=reason[:500])
            for view in stopped
        )
        # Where Redis is away, the scheduler writes the rows when it is back.
        with suppress(RedisError):
            for name in {view.queue for view in stopped}:
                record_all_ended(JobQueue(name, client()), RECORD_SECONDS)


def retry_jobs(*, job_ids: Sequence[UUID | str], user: Any, reason: str = "") -> BulkResult:
    """Make a new job of each, as `retry_job` does."""
    return _each(job_ids, lambda job_id: retry_job(job_id=job_id, user=user, reason=reason))


class AlreadyCancelled(JobError):
    """The job is cancelled already."""

    code = "already_cancelled"


def _each(job_ids: Sequence[UUID | str], act: Callable[[str], object]) -> BulkResult:
    result = BulkResult()
    hopeless: Exception | None = None
    for job_id in dict.fromkeys(str(job_id) for job_id in job_ids):
        try:
            if hopeless:
                raise hopeless
            act(job_id)
            result.changed += 1
        except (EngineError, JobError, RedisError) as error:
            hopeless = error if isinstance(error, _HOPELESS) else None
            code = getattr(error, "code", "redis_unavailable")
            result.skipped.append(Skipped(job_id, code, str(_REASONS.get(code, error))))
    return result
