"""Results of the tasks framework, made of rows of ended jobs and of jobs in Redis."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ParamSpec, TypeVar

from django.utils.dateparse import parse_datetime

from tasks_app.engine import errors
from tasks_app.engine.django_tasks.framework import Task, TaskError, TaskResult, TaskResultStatus
from tasks_app.engine.django_tasks.options import queue_name_of
from tasks_app.engine.errors import BadPayload
from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.states import FINAL_STATES, JobState

P = ParamSpec("P")
R = TypeVar("R")
# Stands for the worker of an attempt that ended with the worker's death.
LOST_WORKER = "lost"
# The priority that stands for each of the engine's, where the exact one is not known.
PRIORITY_OF_LEVEL = {"high": 1, "normal": 0, "low": -1}
STATUSES = {JobState.RUNNING: TaskResultStatus.RUNNING, JobState.SUCCEEDED: TaskResultStatus.SUCCESSFUL}


def level_of(priority: int) -> str:
    """Return the engine's priority for one of the framework: above 0 high, 0 normal, below 0 low."""
    return "high" if priority > 0 else "low" if priority < 0 else "normal"


def status_of(state: JobState | None) -> TaskResultStatus:
    """Return the framework's word for a state. A cancelled job has failed; one that waits for a retry is ready again."""
    if state in STATUSES:
        return STATUSES[state]
    return TaskResultStatus.FAILED if state in FINAL_STATES else TaskResultStatus.READY


def as_enqueued(task: Task[..., Any], queue: str, level: str, run_after: datetime | None = None) -> Task[..., Any]:
    """Return the declared task with queue, priority and earliest start of one job, as near as they are known."""
    changes: dict[str, Any] = {}
    if level != level_of(task.priority):
        changes["priority"] = PRIORITY_OF_LEVEL[level]
    if (name := queue_name_of(task.get_backend(), queue, task.queue_name)) != task.queue_name:
        changes["queue_name"] = name
    if run_after != task.run_after:
        changes["run_after"] = run_after
    return replace(task, **changes) if changes else task


def make_result(
    task: Task[P, R],
    job_id: str,
    status: TaskResultStatus,
    call: tuple[Sequence[Any], dict[str, Any]],
    **known: Any,
) -> TaskResult[P, R]:
    """Return a result of this call with what is `known` of it. Raises TypeError for arguments that are not JSON."""
    times: dict[str, Any] = dict.fromkeys(("enqueued_at", "started_at", "finished_at", "last_attempted_at"))
    fields: dict[str, Any] = {**times, "backend": task.backend, "errors": [], "worker_ids": [], **known}
    # A list, not the tuple of a call: results are compared.
    args, kwargs = list(call[0]), dict(call[1])
    return TaskResult(task=task, id=job_id, status=status, args=args, kwargs=kwargs, **fields)


def set_outcome(result: TaskResult[..., Any], **values: Any) -> None:
    """Set fields of a result, which is frozen for others."""
    for name, value in values.items():
        object.__setattr__(result, name, value)


def result_of_row(task: Task[..., Any], row: FinishedJob) -> TaskResult[..., Any]:
    """Return the result of a job that ended. Its arguments are as the job history shows them."""
    worker = f"{row.worker_host}:{row.worker_pid}" if row.worker_pid else ""
    failures = task_errors(row.attempts)
    if not worker and row.error_class:
        failures.append(TaskError(exception_class_path=_guessed_path(row.error_class), traceback=row.error_message))
    result = make_result(
        as_enqueued(task, row.queue, row.priority),
        row.job_id,
        status_of(row.state),
        (row.args, row.kwargs),
        enqueued_at=row.created_at,
        started_at=first_start(row.attempts) or row.started_at,
        last_attempted_at=row.started_at,
        finished_at=row.finished_at,
        errors=failures,
        worker_ids=worker_ids(row.attempts, row.attempt_count, worker),
    )
    if row.state == JobState.SUCCEEDED:
        set_outcome(result, _return_value=row.result)
    return result


def result_of_hash(task: Task[..., Any], job: JobHash) -> TaskResult[..., Any]:
    """Return the present result of a job that lives."""
    last_start = job.started_at or _start_of(job.failures[-1] if job.failures else {})
    # Until its first attempt a job is due when it was asked to be, later when it is tried again.
    run_after = None if job.attempt_count else job.due_at
    return make_result(
        as_enqueued(task, job.queue, job.priority, run_after),
        job.job_id,
        status_of(job.state),
        _call_of(job),
        enqueued_at=job.created_at,
        started_at=first_start(job.failures) or job.started_at,
        last_attempted_at=last_start,
        errors=task_errors(job.failures),
        # The name of a consumer begins with its host and process.
        worker_ids=worker_ids(job.failures, job.attempt_count, ":".join(job.owner.split(":")[:2])),
    )


def _call_of(job: JobHash) -> tuple[list[Any], dict[str, Any]]:
    try:
        return unseal(job.queue, job.job_id, job.message).call
    except BadPayload:
        return [], {}


def task_errors(failures: Sequence[dict[str, Any]]) -> list[TaskError]:
    """Return the failed attempts as the framework's errors."""
    return [
        TaskError(
            exception_class_path=one.get("error_path") or _guessed_path(one.get("error_class") or ""),
            traceback=one.get("traceback") or "",
        )
        for one in failures
    ]


def _guessed_path(error_class: str) -> str:
    """Return the dotted path of an error whose row has its name only: one of the engine's, or of Python's own."""
    for module in (errors, builtins):
        if hasattr(module, error_class):
            return f"{module.__name__}.{error_class}"
    return error_class


def worker_ids(failures: Sequence[dict[str, Any]], attempt_count: int, present: str) -> list[str]:
    """Return the worker of each attempt: its number of items is the number of attempts."""
    known = {one.get("attempt"): one.get("worker") for one in failures}
    if present:
        known[attempt_count] = present
    return [known.get(attempt) or LOST_WORKER for attempt in range(1, attempt_count + 1)]


def first_start(failures: Sequence[dict[str, Any]]) -> datetime | None:
    """Return when the first of these attempts started."""
    return _start_of(failures[0]) if failures else None


def _start_of(failure: dict[str, Any]) -> datetime | None:
    try:
        return parse_datetime(str(failure.get("started_at") or ""))
    except ValueError:
        return None
