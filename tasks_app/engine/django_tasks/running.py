"""One attempt of a declared task: its context, coroutines, and the framework's signals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from typing import Any

from tasks_app.engine.attempt import storable
from tasks_app.engine.consumers import HOST
from tasks_app.engine.context import CurrentJob, current_job
from tasks_app.engine.database import TROUBLE, is_database_away, is_transaction_open
from tasks_app.engine.django_tasks.coroutines import run_coroutine
from tasks_app.engine.django_tasks.framework import (
    Task,
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from tasks_app.engine.django_tasks.results import (
    as_enqueued,
    first_start,
    make_result,
    set_outcome,
    task_errors,
    worker_ids,
)
from tasks_app.engine.errors import TransactionLeftOpen, UnserialisableResult
from tasks_app.engine.failures import describe, is_cancellation
from tasks_app.engine.job_fields import datetime_of_ms
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.retry import RetryPolicy, retry_delay_seconds


def run_attempt(task: Task[..., Any], policy: RetryPolicy, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call the task's function as the present attempt of the current job; return its result as JSON types.

    Sends task_started, and task_finished unless another attempt follows. An error of a receiver is logged and changes
    nothing. Raises what the function raises, UnserialisableResult, TransactionLeftOpen.
    """
    result = _begun(task, current_job(), args, kwargs)
    sender = type(task.get_backend())
    task_started.send_robust(sender, task_result=result)
    try:
        value = _call(task, result)
    except BaseException as error:
        # Inside of the except block: the framework's own receiver logs the exception.
        if _is_last(policy, result.attempts, error):
            _note_failure(result, error)
            task_finished.send_robust(sender, task_result=result)
        raise
    set_outcome(result, status=TaskResultStatus.SUCCESSFUL, finished_at=datetime.now(UTC), _return_value=value)
    task_finished.send_robust(sender, task_result=result)
    return value


def _begun(task: Task[..., Any], job: CurrentJob, args: Sequence[Any], kwargs: dict[str, Any]) -> TaskResult[..., Any]:
    now, claim, worker = datetime.now(UTC), job.claim, f"{HOST}:{os.getpid()}"
    if claim is None:
        # A direct call, outside of a job.
        times = {"started_at": now, "last_attempted_at": now}
        return make_result(task, "", TaskResultStatus.RUNNING, (args, kwargs), worker_ids=[worker], **times)
    return make_result(
        as_enqueued(task, job.queue, PRIORITIES[claim.priority - 1]),
        claim.job_id,
        TaskResultStatus.RUNNING,
        (args, kwargs),
        enqueued_at=datetime_of_ms(claim.created_ms),
        started_at=first_start(claim.failures) or now,
        last_attempted_at=now,
        errors=task_errors(claim.failures),
        worker_ids=worker_ids(claim.failures, claim.attempt, worker),
    )


def _call(task: Task[..., Any], result: TaskResult[..., Any]) -> Any:
    """Call the function; return its result as JSON types."""
    was_open = is_transaction_open()
    args = [TaskContext(task_result=result), *result.args] if task.takes_context else result.args
    run = run_coroutine if iscoroutinefunction(task.func) else _run_function
    value = run(task.func, *args, **result.kwargs)
    if is_transaction_open() and not was_open:
        raise TransactionLeftOpen("The task ended inside a transaction, which was rolled back.")
    try:
        value = normalize_json(value)
    except (TypeError, ValueError) as error:
        raise UnserialisableResult(f"The result cannot be stored. {error}") from error
    # Before task_finished says that it succeeded: too large a result fails, too.
    storable(value)
    return value


def _run_function(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _is_last(policy: RetryPolicy, attempt: int, error: BaseException) -> bool:
    """Return whether the job ends with this error, by the rules of the worker."""
    if issubclass(type(error), TROUBLE) and is_database_away(error):
        return False
    return is_cancellation(error) or retry_delay_seconds(policy, attempt, error, jitter=0.5) is None


def _note_failure(result: TaskResult[..., Any], error: BaseException) -> None:
    failed = describe(error)
    result.errors.append(TaskError(exception_class_path=failed.error_path, traceback=failed.traceback))
    set_outcome(result, status=TaskResultStatus.FAILED, finished_at=datetime.now(UTC))
