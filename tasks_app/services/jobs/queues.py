"""Actions of users on a queue: pause, resume, purge; pause and resume of one task.

Each leaves an audit row with the user and the reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from tasks_app.engine import UnknownTask, get_task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_all_ended
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import QueueNotFound, TaskNotFound
from tasks_app.models import QueueAction
from tasks_app.services.audit import Subject, record
from tasks_app.services.jobs.actions import RECORD_SECONDS


def pause_queue(*, name: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let no worker of any host take jobs from the queue until it is resumed; running jobs go on. Twice is fine.

    Raises QueueNotFound, RedisError.
    """
    queue = _queue(name)
    queue.pause({"by": user.pk, "at": now.isoformat(), "reason": reason[:500]})
    _audit(name, QueueAction.Verb.PAUSE, user, reason, now)


def resume_queue(*, name: str, user: Any, reason: str = "", now: datetime) -> None:
    """End a pause; a queue that is not paused stays as it is. Raises QueueNotFound, RedisError."""
    queue = _queue(name)
    queue.resume()
    _audit(name, QueueAction.Verb.RESUME, user, reason, now)


def purge_queue(*, name: str, user: Any, reason: str = "", now: datetime) -> int:
    """Cancel every waiting job of the queue, queued or delayed; return their number. Running jobs go on.

    The audit row counts what was cancelled, also when an error ends it half way. Of very many jobs the clusters write
    the last rows afterwards. Raises QueueNotFound, RedisError.
    """
    queue = _queue(name)
    action = _audit(name, QueueAction.Verb.PURGE, user, reason, now)
    try:
        for part in queue_parts(name, client()):
            for cancelled in part.purge({"by": user.pk, "reason": reason[:500]}):
                action.job_count += cancelled
    finally:
        action.save(update_fields=["job_count"])
    # Only now: while rows are written, workers would start what is to be cancelled.
    record_all_ended(queue, RECORD_SECONDS)
    return action.job_count


def pause_task(*, task: str, user: Any, reason: str = "", now: datetime) -> None:
    """Let no worker of any host begin jobs of this task until it is resumed; they keep their places. Twice is fine.

    Raises TaskNotFound, RedisError.
    """
    queue, task = _found(task)
    queue.pause_task(task, {"by": user.pk, "at": now.isoformat(), "reason": reason[:500]})
    _audit(queue.name, QueueAction.Verb.PAUSE_TASK, user, reason, now, task)


def resume_task(*, task: str, user: Any, reason: str = "", now: datetime) -> None:
    """End the pause of a task; one that is not paused stays as it is. Raises TaskNotFound, RedisError."""
    queue, task = _found(task)
    queue.resume_task(task)
    _audit(queue.name, QueueAction.Verb.RESUME_TASK, user, reason, now, task)


def _found(name: str) -> tuple[JobQueue, str]:
    """Return the queue of a task and the name that its jobs have, which may be given as its dotted path."""
    try:
        task = get_task(name)
    except UnknownTask as error:
        raise TaskNotFound(TaskNotFound.__doc__) from error
    return JobQueue(task.queue, client()), task.name


def _queue(name: str) -> JobQueue:
    if name not in engine_config().queues:
        raise QueueNotFound(QueueNotFound.__doc__)
    return JobQueue(name, client())


def _audit(name: str, verb: QueueAction.Verb, user: Any, reason: str, now: datetime, subject: str = "") -> QueueAction:
    with transaction.atomic():
        about = Subject("task", subject, subject) if subject else Subject("queue", name, name)
        record(verb, about, user=user, reason=reason, given={"queue": name} if subject else {})
        return QueueAction.objects.create(
            queue=name, verb=verb, subject=subject, user_id=user.pk, reason=reason[:500], created_at=now
        )
