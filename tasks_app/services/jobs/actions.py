"""Actions of users on jobs: start, cancel, retry. Each leaves an audit row with the user and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from tasks_app.engine import EngineError, JobHandle, JobState, NotRepeatable, TaskNotPermitted, get_task
from tasks_app.engine.backends import current_backend
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_all_ended
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.flows import TASK, Step
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.members import cancel, queues_of
from tasks_app.engine.groups.repeating import call_of, calls_in, step_to_repeat
from tasks_app.engine.job_ids import new_job_id
from tasks_app.engine.lanes import Lane, part_of_job
from tasks_app.engine.live import find_live_job
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import (
    JobAlreadyFinished,
    JobNotFound,
    JobNotRepeatable,
    JobNotWaiting,
    JobStillLive,
    JobWaitsNoMore,
    PriorityNotChangeable,
)
from tasks_app.models import Job, JobAction
from tasks_app.queries.jobs import JobView, find_job
from tasks_app.queries.task_rights import check_may_start
from tasks_app.services.audit import job_subject, record
from tasks_app.signals import job_repeat_asked

# Rows are written at once, for who acts looks at them next; after so long the schedulers of the clusters write the rest.
RECORD_SECONDS = 2.0


def start_task(
    *,
    task_name: str,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    user: Any,
    countdown: float | None = None,
    eta: datetime | None = None,
    unique_key: str | None = None,
    instead_of: UUID | None = None,
) -> UUID:
    """Enqueue a task for `user`; return the job id. It repeats the job `instead_of`, with arguments of its own.

    Raises EngineError (not permitted, unknown task, wrong arguments, full queue).
    """
    task = get_task(task_name)
    if not task.is_startable:
        raise TaskNotPermitted(_("Only code starts the task %(name)s.") % {"name": task.name})
    check_may_start(user, task, args, kwargs or {})
    job_id = task.apply_async(
        args, kwargs, countdown=countdown, eta=eta, unique_key=unique_key, requested_by=user, retry_of=instead_of
    )
    _audit(job_id, task.name, JobAction.Verb.START, user, "", more=task.arguments.by_name(args, kwargs or {}))
    if instead_of:
        _audit(instead_of, task.name, JobAction.Verb.AGAIN, user, "", job_id)
    return job_id


def cancel_job(*, job_id: UUID | str, user: Any, reason: str = "", seen_by: Any = None) -> JobState:
    """Cancel a waiting job at once, or ask a running one to stop; return the state after it (cancelled or running).

    Cancelling a cancelled job again is fine. `seen_by` (SHELL) is for callers that checked themselves that `user` may.
    Raises JobNotFound, JobAlreadyFinished.
    """
    view, state = stop_job(job_id=job_id, user=user, reason=reason, seen_by=seen_by)
    if view.state != JobState.CANCELLED:
        if view.kind != TASK:
            state = _record_members(view)
        elif state == JobState.CANCELLED:
            record_all_ended(JobQueue(view.queue, client()), RECORD_SECONDS)
        _audit(view.id, view.task, JobAction.Verb.CANCEL, user, reason)
    return state


def _record_members(view: JobView) -> JobState:
    """Write rows of the members of a group that were cancelled with it; return the state of the group after that."""
    queue = JobQueue(view.queue, client())
    for one in (*reversed(queues_of(queue, str(view.id))), queue):
        record_all_ended(one, RECORD_SECONDS)
    return JobHandle(view.id, view.queue).state


def stop_job(*, job_id: UUID | str, user: Any, reason: str, seen_by: Any = None) -> tuple[JobView, JobState]:
    """The engine's part of `cancel_job`, for callers that write rows and audit of many at once.

    Return the job as it was, and the state after it. Raises JobNotFound, JobAlreadyFinished.
    """
    view = _visible(job_id, seen_by or user)
    if view.state == JobState.CANCELLED:
        return view, view.state
    if not view.is_live:
        raise JobAlreadyFinished(view.state)
    part = part_of_job(view.queue, client(), str(job_id))
    state = cancel(part, str(job_id), {"by": user.pk, "reason": reason}) if part else ""
    if state not in (JobState.CANCELLED, JobState.RUNNING):
        raise JobAlreadyFinished(JobState(state) if state else _visible(job_id, seen_by or user).state)
    return view, JobState(state)


def run_job_now(*, job_id: UUID | str, user: Any, reason: str = "") -> JobState:
    """Let a scheduled or retrying job start at once; return its state after it.

    Raises JobNotFound, JobNotWaiting (it is queued, running or ended), UnknownTask, TaskNotPermitted.
    """
    view = _visible(job_id, user)
    if view.kind != TASK:
        raise JobNotWaiting(view.state)
    check_may_start(user, get_task(view.task), view.args, view.kwargs)
    part = part_of_job(view.queue, client(), str(job_id))
    moved, state = part.run_now(str(job_id)) if part else (False, "")
    if not moved:
        raise JobNotWaiting(JobState(state) if state else _visible(job_id, user).state)
    _audit(view.id, view.task, JobAction.Verb.RUN_NOW, user, reason)
    return JobState(state)


def change_priority(*, job_id: UUID | str, user: Any, priority: str, reason: str = "") -> JobState:
    """Give a job that waits another priority within its queue; return its state.

    Raises JobNotFound, JobWaitsNoMore (it runs or has ended), PriorityNotChangeable (it is in a lane, or a group).
    """
    view = _visible(job_id, user)
    part = part_of_job(view.queue, client(), str(job_id))
    if isinstance(part, Lane):
        detail = _("Jobs of a lane keep the order in which they were accepted: they have no priority.")
        raise PriorityNotChangeable(view.state, detail)
    if view.kind != TASK:
        raise PriorityNotChangeable(view.state, _("A group or chain has no priority of its own."))
    changed, state = part.set_priority(str(job_id), priority) if part else (False, "")
    if not changed:
        raise JobWaitsNoMore(JobState(state) if state else _visible(job_id, user).state)
    _audit(view.id, view.task, JobAction.Verb.PRIORITY, user, reason or priority, more={"priority": priority})
    return JobState(state)


def retry_job(*, job_id: UUID | str, user: Any, reason: str = "", new_id: UUID | None = None) -> UUID:
    """Make a new job with the arguments and callbacks of an ended one; return its id, which is `new_id` if given.

    Of a group or chain that failed, those members are made again that did not succeed, and the steps after them; the
    results of the others count for the new one, too. Of one that succeeded, all are made again. Raises JobNotFound,
    JobStillLive, JobNotRepeatable, EngineError.
    """
    view = _visible(job_id, user)
    if view.is_live:
        raise JobStillLive(view.state)
    step = _step_again(view, user)
    new_id = new_id or new_job_id()
    make(current_backend(), step, new_id, JobOptions(requested_by_id=user.pk, retry_of=view.id, priority=view.priority))
    _audit(view.id, view.task, JobAction.Verb.RETRY, user, reason, new_id)
    return new_id


def _step_again(view: JobView, user: Any) -> Step:
    """Return what makes an ended job again. Raises JobNotRepeatable, EngineError."""
    try:
        step = step_to_repeat(str(view.id))
    except NotRepeatable as error:
        reason = _("Not all of the job's arguments are kept, so it cannot be made again from them.")
        raise JobNotRepeatable(reason) from error
    for one in calls_in(step):
        args, kwargs = call_of(one)
        check_may_start(user, get_task(one.task), args, kwargs)
        check_may_repeat(one.task, args, kwargs)
    return step


def why_not_repeatable(view: JobView, user: Any) -> str:
    """Return why `retry_job` would refuse this ended job; empty if it would not."""
    try:
        _step_again(view, user)
    except (EngineError, JobNotRepeatable) as error:
        return str(error)
    return ""


def check_may_repeat(task: str, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Raise JobNotRepeatable, with the reason, where a package knows why this call cannot be made again."""
    answers = job_repeat_asked.send(sender=Job, task=task, args=args, kwargs=kwargs)
    if reason := next((answer for _receiver, answer in answers if answer), None):
        raise JobNotRepeatable(reason)


def _visible(job_id: UUID | str, user: Any) -> JobView:
    view = find_job(job_id, user=user)
    if view is None:
        raise JobNotFound(JobNotFound.__doc__)
    return view


def _audit(
    job_id: UUID,
    task: str,
    verb: JobAction.Verb,
    user: Any,
    reason: str,
    new_job_id: UUID | None = None,
    more: dict[str, Any] | None = None,
) -> None:
    given = {} if new_job_id is None else {"new_job_id": new_job_id}
    with transaction.atomic():
        JobAction.objects.create(
            job_id=job_id, task=task, verb=verb, user_id=user.pk, reason=reason[:500], new_job_id=new_job_id
        )
        record(verb, job_subject(job_id, task), user=user, reason=reason, given={**given, **(more or {})})


def is_known(job_id: UUID | str | None) -> bool:
    """Whether this job is live, or ended and has its row: for sweepers that look for abandoned rows."""
    if job_id is None:
        return False
    return find_live_job(client(), str(job_id)) is not None or Job.objects.filter(pk=job_id).exists()
