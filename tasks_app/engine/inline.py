"""Running a job where it is made, in this process: for tests, and for `sync=True` of django-q2."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.payload import seal
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.storing import row_of
from tasks_app.engine.streams import ClaimedAttempt


def inline_claim(
    queue: str, task_name: str, call: tuple[UUID, str], options: JobOptions, now_ms: int
) -> ClaimedAttempt:
    """Return the first attempt of a job, given as (id, checked arguments as JSON), that is on no queue."""
    job_id, call_json = str(call[0]), call[1]
    message = seal(queue, job_id, options.payload(task_name, now_ms), call_json, *options.member_indexes)
    return ClaimedAttempt(PRIORITIES.index(options.priority) + 1, "0-1", job_id, 1, 0, now_ms, task_name, message, [])


def run_inline(queue: str, claim: ClaimedAttempt) -> Attempt:
    """Run the attempt here, as the current job; return it with how it ended. Raises KeyboardInterrupt only."""
    attempt = Attempt(queue, claim, datetime.now(UTC))
    job = CurrentJob(
        job_id=UUID(claim.job_id), queue=queue, attempt=claim.attempt, log_lines=attempt.log_lines, claim=claim
    )
    former = set_current_job(job)
    try:
        attempt.open()
        job.note_payload(attempt.payload)
        attempt.run()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a task does, as in a worker
        attempt.fail(error)
    finally:
        set_current_job(former)
    attempt.progress = job.last_progress
    attempt.finished_at = datetime.now(UTC)
    return attempt


def finished_inline(attempt: Attempt) -> FinishedJob:
    """Return the row of an attempt that ran inline and was its job's last, with the result as it reads back."""
    finished = row_of(attempt)
    return replace(finished, result=msgspec.json.decode(msgspec.json.encode(finished.result)))
