"""The attempts of a batch: which waiting claims go together, and their call. The I/O is that of the calls."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django_q.signals import post_execute, pre_execute

from tasks_app.engine.attempt import Attempt, storable
from tasks_app.engine.batches import BatchCall, Halves
from tasks_app.engine.errors import UnserialisableResult, WrongBatchResult
from tasks_app.engine.metrics.jobs import JOB_BATCH_SIZE, JOB_FAILURES, error_label
from tasks_app.engine.registered_task import Task
from tasks_app.engine.registry import find_task
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import class_name
from tasks_app.engine.streams import ClaimedAttempt
from tasks_app.engine.workers.split_ends import MAX_ENDS, run_ends
from tasks_app.tracing import is_tracing, span

logger = logging.getLogger(__name__)


def take_next(queue: str, waiting: deque[ClaimedAttempt], halves: Halves) -> list[Attempt]:
    """Take the attempt of the first claim off `waiting` and, where its task is batched, those behind it that go along.

    Ends of calls that were split go together, too: each needs little more than the results that Redis keeps of its parts. The
    first one that differs ends the batch, so that the order stays. A job that a worker died with, and one with a time limit of
    its own, runs alone.
    """
    first = Attempt(queue, waiting.popleft(), datetime.now(UTC))
    task = find_task(first.claim.task)
    if task is None or (task.batch is None and task.split is None):
        return [first]
    attempts = [first, *_those_along(first, task, waiting, halves)]
    if task.batch is not None and not first.is_end_of_group:
        JOB_BATCH_SIZE.observe([len(attempts)], queue, task.name)
    return attempts


def _those_along(
    first: Attempt, task: Task[Any, Any], waiting: deque[ClaimedAttempt], halves: Halves
) -> Iterator[Attempt]:
    """Take the attempts off `waiting` that go with the first one."""
    count = 1
    if not _goes_along(first, task):
        halves.take(task.max_batch)
        return
    at_most = halves.take(MAX_ENDS if first.is_end_of_split else task.max_batch)
    left_bytes = task.max_batch_bytes - len(first.claim.message)
    while waiting and count < at_most and waiting[0].task == first.claim.task:
        attempt = Attempt(first.queue, waiting[0], first.started_at)
        left_bytes -= len(attempt.claim.message)
        if left_bytes < 0 or not _goes_along(attempt, task) or attempt.is_end_of_split != first.is_end_of_split:
            break
        waiting.popleft()
        count += 1
        yield attempt


def _goes_along(attempt: Attempt, task: Task[Any, Any]) -> bool:
    """Return whether the attempt can be one of a batch of this task, or of ends of its split calls; its message is read."""
    if attempt.claim.lost:
        return False
    try:
        attempt.open()
    except Exception:  # noqa: BLE001 - a message that cannot be read fails where it runs alone
        return False
    if attempt.is_end_of_split:
        return True
    return attempt.task is task and task.batch is not None and not (attempt.payload and attempt.payload.timeout_seconds)


def share_secrets(attempts: Sequence[Attempt]) -> None:
    """Hide the values that are hidden in the arguments of one in the texts of all: they have their log in common."""
    for attempt in attempts:
        attempt.note_call()
    if attempts[0].hidden is not None and attempts[0].hidden is attempts[-1].hidden:
        return
    secrets = list(dict.fromkeys(chain.from_iterable(attempt.secrets for attempt in attempts)))
    for attempt in attempts:
        attempt.hidden = secrets


def shown_progress(attempts: Sequence[Attempt], progress: dict[str, Any]) -> dict[str, Any] | None:
    """Return the progress of running attempts without the values that are hidden in the arguments of any."""
    share_secrets(attempts)
    return attempts[0].shown_progress(progress)


def run_attempts(attempts: Sequence[Attempt]) -> None:
    """Run an attempt, or several in one call. Raises any error of the task's function."""
    if not is_tracing():
        _run(attempts)
        return
    first = attempts[0]
    about = {
        "messaging.system": "tracker",
        "messaging.operation.type": "process",
        "messaging.destination.name": first.queue,
        "messaging.batch.message_count": len(attempts),
        "messaging.message.id": first.claim.job_id,
        "job.attempt": first.claim.attempt,
        "request.id": (first.payload.request_id or "") if first.payload else "",
    }
    parents = [(one.payload.trace or "") if one.payload else "" for one in attempts]
    with span(f"run {first.task_label}", "consumer", parents, about):
        _run(attempts)


def _run(attempts: Sequence[Attempt]) -> None:
    if len(attempts) == 1:
        attempts[0].run()
    else:
        run_batch(attempts)


def run_batch(attempts: Sequence[Attempt]) -> None:
    """Call the batch function for these attempts, which are open, or end their groups; keep a result or an error for each.

    Raises any error of the function, and WrongBatchResult for an answer of another length.
    """
    if attempts[0].is_end_of_split:
        run_ends(attempts)
        return
    task = attempts[0].task
    if task is None or task.batch is None:
        raise RuntimeError("take_next() comes first")
    calls = [_call_of(attempt, task) for attempt in attempts]
    hears = bool(pre_execute.receivers or post_execute.receivers)
    jobs = [_signalled(attempt, task) if hears else {} for attempt in attempts]
    if pre_execute.receivers:
        for job in jobs:
            pre_execute.send_robust(sender="django_q", func=task.function, task=job)
    outcomes = task.batch(calls)
    if not isinstance(outcomes, (list, tuple)) or len(outcomes) != len(calls):
        given = f"{len(outcomes)} results" if isinstance(outcomes, (list, tuple)) else class_name(outcomes)
        raise WrongBatchResult(f"The batch function of {task.name} returned {given} for {len(calls)} calls.")
    for attempt, job, outcome in zip(attempts, jobs, outcomes, strict=True):
        _keep(attempt, outcome)
        if attempt.error is None and post_execute.receivers:
            post_execute.send_robust(sender="django_q", task={**job, "result": attempt.result, "success": True})


def _call_of(attempt: Attempt, task: Task[Any, Any]) -> BatchCall:
    """Return the call of an attempt. Raises InvalidArguments where its function has changed since: alone it fails alone."""
    args, kwargs = attempt.payload.call if attempt.payload else ([], {})
    requested_by_id = attempt.payload.requested_by_id if attempt.payload else None
    arguments = task.arguments.with_defaults(args, kwargs)
    return BatchCall(arguments, UUID(attempt.claim.job_id), requested_by_id, attempt.claim.attempt)


def _signalled(attempt: Attempt, task: Task[Any, Any]) -> dict[str, Any]:
    """Return a job as django-q2's signals name it."""
    args, kwargs = attempt.payload.call if attempt.payload else ([], {})
    return {"id": attempt.claim.job_id, "func": task.name, "args": args, "kwargs": kwargs}


def _keep(attempt: Attempt, outcome: Any) -> None:
    # By its type: isinstance() asks the object, too, which may raise.
    if issubclass(type(outcome), BaseException):
        attempt.fail(outcome)
        return
    try:
        attempt.result = storable(outcome)
    except UnserialisableResult as error:
        attempt.fail(error)


def log_errors(attempts: Iterable[Attempt]) -> None:
    """Log and count how these attempts failed, those that did."""
    for attempt in attempts:
        if attempt.error is not None:
            failed, claim = attempt.failure(), attempt.claim
            if attempt.state is JobState.FAILED:
                JOB_FAILURES.add(1, attempt.queue, attempt.task_label, error_label(failed["error_class"]))
            error = failed["error_class"], failed["error_message"]
            logger.info("job %s (%s) attempt %s: %s: %s", claim.job_id, claim.task, claim.attempt, *error)
