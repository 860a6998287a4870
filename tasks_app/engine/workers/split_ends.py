"""The ends of calls that were split, several in one call of a worker: the results of all are read at once."""

from __future__ import annotations

from collections.abc import Sequence

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.backends import current_backend
from tasks_app.engine.context import CurrentJob, current_job, set_current_job
from tasks_app.engine.database import TROUBLE
from tasks_app.engine.groups.ending import end_of_split

# So many groups are ended in one call; each may have to read rows.
MAX_ENDS = 64


def run_ends(attempts: Sequence[Attempt]) -> None:
    """Combine the results of these groups, which are read at once. An error is that of its group alone.

    Raises errors of the database and of Redis, and interrupts.
    """
    kept = current_backend().groups.results(attempts[0].queue, [attempt.claim.job_id for attempt in attempts])
    whole = current_job()
    for attempt, results in zip(attempts, kept, strict=True):
        claim, payload = attempt.claim, attempt.payload
        own = CurrentJob(
            job_id=claim.job_id,
            queue=attempt.queue,
            attempt=claim.attempt,
            is_cancelled=lambda: whole.is_cancelled,
            log_lines=whole.log_lines,
            claim=claim,
        )
        own.note_payload(payload)
        set_current_job(own)
        try:
            attempt.run(end_of_split(attempt.queue, claim.job_id, payload, results))
        except TROUBLE:
            # It may not be the fault of this group: all are tried again.
            raise
        except Exception as error:  # noqa: BLE001 - `combine` may raise anything
            attempt.fail(error)
        finally:
            set_current_job(whole)
        attempt.progress = own.last_progress
