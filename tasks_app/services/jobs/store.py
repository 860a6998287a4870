"""The engine's job store (TASK_ENGINE["JOB_STORE"]): rows of jobs that ended, written many at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from tasks_app.engine import JobState
from tasks_app.engine.records import FinishedJob
from tasks_app.models import Job
from tasks_app.services.jobs.lane_claims import claim_lanes as claim_lanes
from tasks_app.services.jobs.lane_claims import hold_lanes as hold_lanes
from tasks_app.signals import jobs_not_done

logger = logging.getLogger(__name__)

# A statement is held in memory several times over, here and in PostgreSQL.
MAX_STATEMENT_BYTES = 16 * 1024 * 1024
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
    "parent_id": "uuid",
    "member_index": "int",
    "flow": "jsonb",
    "label": "text",
    "request_id": "text",
}
_COLUMNS = ", ".join(_TYPES)
_FIELDS = ", ".join(f"{name} {kind}" for name, kind in _TYPES.items())


def _selected(field: msgspec.structs.FieldInfo) -> str:
    """Return the expression of a column: what the JSON has, else the default of the field."""
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    if default is msgspec.NODEFAULT or default is None:
        return field.name
    literal = default if isinstance(default, str) else msgspec.json.encode(default).decode()
    return f"COALESCE({field.name}, '{literal}'::{_TYPES[field.name]})"


_FIELD = {field.name: field for field in msgspec.structs.fields(FinishedJob)}
_VALUES = ", ".join(_selected(_FIELD[name]) for name in _TYPES)
# One JSON parameter instead of one per value: half the work here and in PostgreSQL, which need not parse a statement per
# batch. Defaults, most of a row, are not in it: reading them took PostgreSQL a third of its time. The first final state that
# is stored is the job's final state.
_INSERT = (
    f"INSERT INTO tasks_app_job (id, {_COLUMNS})"  # noqa: S608 - the names above
    f" SELECT job_id, {_VALUES} FROM json_to_recordset(%s) AS job(job_id uuid, {_FIELDS}) ON CONFLICT (id) DO NOTHING"
)
_INSERT_AND_TELL = f"{_INSERT} RETURNING id::text"

# A worker asks this for every batch. In a query of its own the array is no constant whose every value would be estimated.
_STATES = "SELECT id::text, state FROM tasks_app_job WHERE id = ANY((SELECT %s::uuid[])::uuid[])"

_RESULTS = "SELECT id::text, result::text FROM tasks_app_job WHERE id = ANY((SELECT %s::uuid[])::uuid[])"


def store_finished(jobs: list[FinishedJob]) -> int:
    """Write a row for each job; a job that has a row keeps it. Return how many were new.

    Raises DatabaseError and encoding errors.
    """
    if all(job.state == JobState.SUCCEEDED for job in jobs):
        return sum(_insert(rows) for rows in _encoded(jobs))
    new = {job_id for rows in _encoded(jobs) for job_id in _insert_new(rows)}
    # Another process may have stored the same end, or another one that counts.
    if not_done := [job for job in jobs if job.state != JobState.SUCCEEDED and job.job_id in new]:
        _signal(not_done)
    return len(new)


def _signal(jobs: list[FinishedJob]) -> None:
    """Send the signal to other packages. Their errors are logged: the rows are stored, and their sweepers find them."""
    for receiver, answer in jobs_not_done.send_robust(sender=None, jobs=jobs):
        if isinstance(answer, Exception):
            logger.error("%s failed for jobs that ended", receiver, exc_info=answer)


def stored_states(job_ids: list[str]) -> dict[str, str]:
    """Return the final state of those of the jobs that have a row."""
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [f"{{{','.join(job_ids)}}}"])
        return dict(cursor.fetchall())


def find_results(job_ids: list[str]) -> dict[str, Any]:
    """Return the results of those of the jobs that have a row, by id."""
    with connection.cursor() as cursor:
        cursor.execute(_RESULTS, [f"{{{','.join(job_ids)}}}"])
        return {job_id: None if text is None else msgspec.json.decode(text) for job_id, text in cursor.fetchall()}


def find_finished(job_id: str) -> FinishedJob | None:
    """Return the row of this job, None when it has none."""
    return find_ended([job_id]).get(job_id)


def find_ended(job_ids: list[str]) -> dict[str, FinishedJob]:
    """Return the rows of those of the jobs that have one, by id."""
    rows = Job.objects.filter(pk__in=job_ids).values("id", *_TYPES)
    return {str(row["id"]): _finished_job(**row) for row in rows}


def find_labelled(label: str) -> list[FinishedJob]:
    """Return the rows of jobs with this label, in the order in which they ended."""
    rows = Job.objects.filter(label=label).order_by("finished_at", "pk").values("id", *_TYPES)
    return [_finished_job(**row) for row in rows]


def count_labelled(label: str, *, failed_only: bool) -> int:
    """Return how many jobs with this label have a row."""
    jobs = Job.objects.filter(label=label)
    return (jobs.exclude(state=JobState.SUCCEEDED) if failed_only else jobs).count()


def remove_label(label: str) -> int:
    """Take the label off all rows; return their number."""
    return Job.objects.filter(label=label).update(label="")


def _finished_job(*, id: UUID, state: str, retry_of: UUID | None, parent_id: UUID | None, **values: Any) -> FinishedJob:
    return FinishedJob(
        job_id=str(id),
        state=JobState(state),
        retry_of=str(retry_of) if retry_of else None,
        parent_id=str(parent_id) if parent_id else None,
        **values,
    )


def _encoded(jobs: list[FinishedJob]) -> Iterator[str]:
    """Yield the rows of all jobs in as few parameters as are small enough."""
    encoded = msgspec.json.encode(jobs)
    if len(encoded) > MAX_STATEMENT_BYTES and len(jobs) > 1:
        half = len(jobs) // 2
        yield from _encoded(jobs[:half])
        yield from _encoded(jobs[half:])
    else:
        yield encoded.decode()


def _insert(rows: str) -> int:
    """Write the rows; return how many were new."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT, [rows])
        count: int = cursor.rowcount
    return count


def _insert_new(rows: str) -> list[str]:
    """Write the rows; return the ids of those that were new."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_INSERT_AND_TELL, [rows])
        return [job_id for (job_id,) in cursor.fetchall()]
