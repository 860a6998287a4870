"""A job that ended without a worker, before its row is written."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import storable_text


def record_of_hash(job: JobHash) -> FinishedJob:
    """Return all that the hash says of the end of its job, without the arguments."""
    now = datetime.now(UTC)
    state = job.state or JobState.FAILED
    error_class, error_message = _reason(job, state)
    return FinishedJob(
        job_id=job.job_id,
        task=job.task,
        queue=job.queue,
        state=state,
        created_at=job.created_at or now,
        finished_at=now,
        error_class=error_class,
        error_message=error_message,
        attempts=job.failures,
        attempt_count=job.attempt_count,
        progress=job.progress,
        started_at=job.started_at,
        priority=job.priority,
    )


def _reason(job: JobHash, state: JobState) -> tuple[str, str]:
    """Return class and message of the error that ended the job."""
    if state == JobState.CANCELLED:
        reason = (job.cancellation or {}).get("reason")
        return "JobCancelled", storable_text(reason or "Cancelled before it started.")
    return "JobLost", storable_text(f"Its worker died {job.loss_count} times while running it: {job.loss_reason}")
