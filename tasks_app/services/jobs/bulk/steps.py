"""Changing the jobs of one chunk. Made again after a crash, it counts what it did before as done, and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from redis.exceptions import RedisError

from tasks_app.engine import EngineError, JobState, QueueFull, QueueUnavailable
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_all_ended
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import JobError, JobNotWaiting
from tasks_app.models import BulkAction, Job, JobAction
from tasks_app.queries.jobs import JobView
from tasks_app.services.jobs.actions import RECORD_SECONDS, is_known, retry_job, run_job_now, stop_job

# After one of these the next job would meet the same.
_HOPELESS = (QueueFull, QueueUnavailable, RedisError)
# The end of a cancelled job is kept in whole seconds.
_ROUNDING = timedelta(seconds=1)


class AlreadyCancelled(JobError):
    """The job is cancelled already."""

    code = "already_cancelled"


class RetriedWithGroup(JobError):
    """The group or chain of the job is made again, and the job with it."""

    code = "retried_with_group"


@dataclass(slots=True)
class Chunk:
    """Result of a chunk. `error` is why those after `done` were not tried."""

    done: int = 0
    changed: int = 0
    skipped: list[tuple[str, UUID]] = field(default_factory=list)
    audit: list[JobAction] = field(default_factory=list)
    error: Exception | None = None


def change_chunk(action: BulkAction, job_ids: Sequence[UUID], user: Any, *, is_resumed: bool) -> Chunk:
    """Cancel these jobs, retry them or run them now; of a chunk that `is_resumed` some may be done already."""
    change = {
        BulkAction.Verb.CANCEL: _cancel_all,
        BulkAction.Verb.RETRY: _retry_all,
        BulkAction.Verb.RUN_NOW: _run_all_now,
    }
    return change[BulkAction.Verb(action.verb)](action, job_ids, user, is_resumed)


def _cancel_all(action: BulkAction, job_ids: Sequence[UUID], user: Any, is_resumed: bool) -> Chunk:
    queues: set[str] = set()

    def cancel(job_id: UUID) -> JobAction:
        view, _state = stop_job(job_id=job_id, user=user, reason=action.reason)
        if view.state == JobState.CANCELLED and not (is_resumed and _was_cancelled_here(action, view)):
            raise AlreadyCancelled(AlreadyCancelled.__doc__)
        queues.add(view.queue)
        verb = JobAction.Verb.CANCEL
        return JobAction(job_id=view.id, task=view.task, verb=verb, user_id=user.pk, reason=action.reason)

    chunk = _each(job_ids, cancel)
    # Where Redis is away, the scheduler writes the rows when it is back.
    with suppress(RedisError):
        for name in queues:
            record_all_ended(JobQueue(name, client()), RECORD_SECONDS)
    return chunk


def _was_cancelled_here(action: BulkAction, view: JobView) -> bool:
    """Whether this action cancelled the job, and its worker died before that was stored: no one else is known to have."""
    is_since = view.finished_at is None or view.finished_at >= action.created_at - _ROUNDING
    return is_since and not JobAction.objects.filter(job_id=view.id, verb=JobAction.Verb.CANCEL).exists()


def _retry_all(action: BulkAction, job_ids: Sequence[UUID], user: Any, _is_resumed: bool) -> Chunk:
    def retry(job_id: UUID) -> JobAction | None:
        if (group_id := _group_to_retry(action, job_id)) and is_retried(group_id):
            raise RetriedWithGroup(RetriedWithGroup.__doc__)
        new_id = uuid5(action.pk, str(job_id))
        if not is_known(new_id):
            retry_job(job_id=job_id, user=user, reason=action.reason, new_id=new_id)
            return None
        if JobAction.objects.filter(job_id=job_id, new_job_id=new_id).exists():
            return None
        task = Job.objects.filter(pk=job_id).values_list("task", flat=True).first() or ""
        fields = {"user_id": user.pk, "reason": action.reason, "new_job_id": new_id}
        return JobAction(job_id=job_id, task=task, verb=JobAction.Verb.RETRY, **fields)

    def is_retried(group_id: UUID) -> bool:
        """Retry a group when the first of its members comes; return whether it could be. Its own turn finds it done."""
        try:
            retry(group_id)
        except RetriedWithGroup:
            return True
        except _HOPELESS:
            raise
        except (EngineError, JobError):
            return False
        return True

    return _each(job_ids, retry)


def _group_to_retry(action: BulkAction, job_id: UUID) -> UUID | None:
    """Return the group or chain of which this job is a member, if that is to be retried, too, and makes the job again."""
    member = Job.objects.filter(pk=job_id, member_index__isnull=False).values_list("parent_id", "state").first()
    group_id, state = member or (None, None)
    if group_id is None or not _is_chosen(action, group_id):
        return None
    whole = Job.objects.filter(pk=group_id).values_list("state", flat=True).first()
    # One that failed keeps the results of members that succeeded.
    return group_id if whole and (state != JobState.SUCCEEDED or whole == JobState.SUCCEEDED) else None


def _is_chosen(action: BulkAction, job_id: UUID) -> bool:
    packed, wanted = bytes(action.job_ids or b""), job_id.bytes
    place = packed.find(wanted)
    while place % len(wanted) and place >= 0:
        place = packed.find(wanted, place + 1)
    return place >= 0


def _run_all_now(action: BulkAction, job_ids: Sequence[UUID], user: Any, is_resumed: bool) -> Chunk:
    def run_now(job_id: UUID) -> None:
        try:
            run_job_now(job_id=job_id, user=user, reason=action.reason)
        except JobNotWaiting:
            done = JobAction.objects.filter(job_id=job_id, user_id=user.pk, created_at__gte=action.created_at)
            if not (is_resumed and done.filter(verb=JobAction.Verb.RUN_NOW).exists()):
                raise

    return _each(job_ids, run_now)


def _each(job_ids: Sequence[UUID], act: Callable[[UUID], JobAction | None]) -> Chunk:
    chunk = Chunk()
    for job_id in job_ids:
        try:
            if audit := act(job_id):
                chunk.audit.append(audit)
            chunk.changed += 1
        except _HOPELESS as error:
            chunk.error = error
            break
        except (EngineError, JobError) as error:
            chunk.skipped.append((error.code, job_id))
        chunk.done += 1
    return chunk
