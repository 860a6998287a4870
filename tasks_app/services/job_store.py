"""The engine's job store (TASK_ENGINE["JOB_STORE"]): rows of jobs that ended, written many at a time."""

from __future__ import annotations

import logging

import msgspec
from django.db import DataError, connection, transaction

from tasks_app.engine import JobState
from tasks_app.engine.records import FinishedJob
from tasks_app.models import Job
from tasks_app.signals import jobs_not_done

logger = logging.getLogger(__name__)

_TYPES = {
    "task": "text",
    "queue": "text",
    "state": "text",
    "args": "jsonb",
    "kwargs": "jsonb",
    "result": "jsonb",
    "error_class": "text",
    "error_message": "text",
    "traceback": "text",
    "attempts": "jsonb",
    "attempt_count": "int",
    "progress": "jsonb",
    "logs": "jsonb",
    "requested_by_id": "bigint",
    "schedule_id": "bigint",
    "retry_of": "uuid",
    "created_at": "timestamptz",
    "started_at": "timestamptz",
    "finished_at": "timestamptz",
    "wait_seconds": "float8",
    "run_seconds": "float8",
    "worker_host": "text",
    "worker_pid": "int",
    "priority": "text",
}
_COLUMNS = ", ".join(_TYPES)
_FIELDS = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())
# One JSON parameter instead of one per value: half the work here and in PostgreSQL, which need not parse a statement per
# batch. The first final state that is stored is the job's final state.
_INSERT = (
    f"INSERT INTO tasks_app_job (id, {_COLUMNS})"  # noqa: S608 - the names above
    f" SELECT job_id, {_COLUMNS} FROM json_to_recordset(%s) AS job(job_id uuid, {_FIELDS}) ON CONFLICT (id) DO NOTHING"
)


def store_finished(jobs: list[FinishedJob]) -> None:
    """Write a row for each job, in one statement; a job that has a row keeps it. Raises DatabaseError."""
    try:
        _insert(jobs)
    except DataError:
        # One value PostgreSQL cannot take must not keep the others from being stored, nor be tried for ever.
        for job in jobs:
            _insert_readable_part(job)
    if not_done := [job for job in jobs if job.state != JobState.SUCCEEDED]:
        _tell(not_done)


def _tell(jobs: list[FinishedJob]) -> None:
    """Let other packages know. What goes wrong there is theirs: the rows are stored, and their sweepers find them."""
    for receiver, answer in jobs_not_done.send_robust(sender=None, jobs=jobs):
        if isinstance(answer, Exception):
            logger.error("%s failed for jobs that ended", receiver, exc_info=answer)


def stored_states(job_ids: list[str]) -> dict[str, str]:
    """Return the final state of those of the jobs that have a row."""
    rows = Job.objects.filter(pk__in=job_ids).values_list("pk", "state")
    return {str(job_id): state for job_id, state in rows}


def _insert(jobs: list[FinishedJob]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, [msgspec.json.encode(jobs).decode()])


def _insert_readable_part(job: FinishedJob) -> None:
    try:
        _insert([job])
    except DataError as error:
        logger.exception("job %s is stored without its arguments, result and attempts", job.job_id)
        job.args, job.kwargs, job.result, job.attempts, job.progress, job.logs = [], {}, None, [], None, []
        job.error_message = f"{job.error_message[:500]} (Its details could not be stored: {error})".strip()
        job.traceback = ""
        _insert([job])
