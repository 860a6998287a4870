"""The engine's job store (TASK_ENGINE["JOB_STORE"]): rows of jobs that ended, written many at a time."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from django.db import DataError, connection, transaction
from psycopg2.extras import execute_values

from tasks_app.engine.records import FinishedJob
from tasks_app.models import Job

logger = logging.getLogger(__name__)

_COLUMNS = (
    "id",
    "task",
    "queue",
    "state",
    "args",
    "kwargs",
    "result",
    "error_class",
    "error_message",
    "traceback",
    "attempts",
    "attempt_count",
    "progress",
    "logs",
    "requested_by_id",
    "schedule_id",
    "retry_of",
    "created_at",
    "started_at",
    "finished_at",
    "wait_seconds",
    "run_seconds",
    "worker_host",
    "worker_pid",
    "priority",
)
# The first final state that is stored is the job's final state.
_INSERT = f"INSERT INTO tasks_app_job ({', '.join(_COLUMNS)}) VALUES %s ON CONFLICT (id) DO NOTHING"  # noqa: S608


def store_finished(jobs: list[FinishedJob]) -> None:
    """Write a row for each job, in one statement; a job that has a row keeps it. Raises DatabaseError."""
    try:
        _insert([_row(job) for job in jobs])
    except DataError:
        # One value PostgreSQL cannot take must not keep the others from being stored, nor be tried for ever.
        for job in jobs:
            _insert_readable_part(job)


def stored_states(job_ids: list[str]) -> dict[str, str]:
    """Return the final state of those of the jobs that have a row."""
    rows = Job.objects.filter(pk__in=job_ids).values_list("pk", "state")
    return {str(job_id): state for job_id, state in rows}


def _insert(rows: list[tuple[Any, ...]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        execute_values(cursor.cursor, _INSERT, rows, page_size=500)


def _insert_readable_part(job: FinishedJob) -> None:
    try:
        _insert([_row(job)])
    except DataError as error:
        logger.exception("job %s is stored without its arguments, result and attempts", job.job_id)
        job.args, job.kwargs, job.result, job.attempts, job.progress, job.logs = [], {}, None, [], None, []
        job.error_message = f"{job.error_message[:500]} (Its details could not be stored: {error})".strip()
        job.traceback = ""
        _insert([_row(job)])


def _row(job: FinishedJob) -> tuple[Any, ...]:
    return (
        job.job_id,
        job.task,
        job.queue,
        str(job.state),
        _json(job.args),
        _json(job.kwargs),
        None if job.result is None else _json(job.result),
        job.error_class[:200],
        job.error_message,
        job.traceback,
        _json(job.attempts),
        job.attempt_count,
        None if job.progress is None else _json(job.progress),
        _json(job.logs),
        job.requested_by_id,
        job.schedule_id,
        job.retry_of,
        job.created_at,
        job.started_at,
        job.finished_at,
        job.wait_seconds,
        job.run_seconds,
        job.worker_host,
        job.worker_pid,
        job.priority,
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
