"""Writing rows of ended jobs to the job store. A row that cannot be written is that job's failure, never another's."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from msgspec.structs import replace

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.database import is_servers_fault
from tasks_app.engine.enqueueing import MAX_ROW_ID
from tasks_app.engine.flow_rows import links_to_keep
from tasks_app.engine.job_fields import is_job_id
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import class_name, storable_text, storable_value
from tasks_app.engine.task_options import MAX_TASK_CHARS

logger = logging.getLogger(__name__)

MAX_CLASS_CHARS = 200
MAX_REASON_CHARS = 500
UNSTORABLE = "UnstorableJob"


def store_rows(jobs: list[FinishedJob]) -> list[FinishedJob]:
    """Write a row for each job and return the rows as they are stored. Raises only errors of the database server."""
    if not jobs:
        return []
    try:
        count = job_store().store_finished(jobs)
        return jobs if count == len(jobs) else _as_stored(jobs)
    except Exception as error:
        if is_servers_fault(error):
            raise
        if len(jobs) == 1:
            return [_store_alone(jobs[0], error)]
    half = len(jobs) // 2
    return store_rows(jobs[:half]) + store_rows(jobs[half:])


def _as_stored(jobs: list[FinishedJob]) -> list[FinishedJob]:
    """Return the rows that these jobs have: one of them was stored before, by a worker that was taken for dead."""
    stored = job_store().find_ended([job.job_id for job in jobs])
    return [stored.get(job.job_id, job) for job in jobs]


def _store_alone(job: FinishedJob, error: Exception) -> FinishedJob:
    """Write as much of the job as can be written. Raises when even the bare row is refused, though its id is proper."""
    logger.error("job %s cannot be stored as it is: %s", job.job_id, storable_text(error, MAX_REASON_CHARS))
    for make in (_repaired, _bare):
        row = make(job, error)
        try:
            job_store().store_finished([row])
            return row
        except Exception as again:
            if is_servers_fault(again) or (make is _bare and is_job_id(job.job_id)):
                raise
    # Reached only with an id that no row can have.
    return row


def _repaired(job: FinishedJob, _error: Exception) -> FinishedJob:
    """Return the same row with each value made storable once more."""
    return replace(
        job,
        task=storable_text(job.task, MAX_TASK_CHARS),
        error_class=storable_text(job.error_class, MAX_CLASS_CHARS),
        error_message=storable_text(job.error_message),
        traceback=storable_text(job.traceback),
        args=storable_value(job.args),
        kwargs=storable_value(job.kwargs),
        result=storable_value(job.result),
        attempts=storable_value(job.attempts),
        progress=storable_value(job.progress),
        logs=storable_value(job.logs),
    )


def _bare(job: FinishedJob, error: Exception) -> FinishedJob:
    """Return a row with the end of the job and the reason only: a failure, unless it was cancelled."""
    reason = f"(Its details could not be stored: {class_name(error)}: {storable_text(error, MAX_REASON_CHARS)})"
    message = storable_text(job.error_message, MAX_REASON_CHARS)
    return FinishedJob(
        job_id=job.job_id,
        task=storable_text(job.task, MAX_TASK_CHARS),
        queue=job.queue,
        state=JobState.CANCELLED if job.state == JobState.CANCELLED else JobState.FAILED,
        created_at=job.created_at,
        finished_at=job.finished_at,
        started_at=job.started_at,
        attempt_count=min(max(job.attempt_count, 0), 2**31 - 1),
        error_class=storable_text(job.error_class, MAX_CLASS_CHARS) or UNSTORABLE,
        error_message=f"{message} {reason}".strip(),
        worker_host=job.worker_host,
        worker_pid=job.worker_pid,
        requested_by_id=job.requested_by_id if 0 < (job.requested_by_id or 0) <= MAX_ROW_ID else None,
        request_id=job.request_id,
        parent_id=job.parent_id,
        member_index=job.member_index,
        label=job.label,
    )


def row_of(attempt: Attempt) -> FinishedJob:
    """Return the row of a job whose last attempt this was; a bare one if its details cannot be put together."""
    try:
        return attempt.finished_job()
    except Exception as error:
        claim = attempt.claim
        logger.exception("job %s is kept without its details", claim.job_id)
        now = datetime.now(UTC)
        bare = FinishedJob(claim.job_id, claim.task, attempt.queue, attempt.state, attempt.started_at, now)
        bare.parent_id, bare.member_index, _, bare.label = links_to_keep(attempt.payload)
        return _bare(replace(bare, started_at=attempt.started_at, attempt_count=claim.attempt), error)
