"""Writing the results of a worker's jobs: rows first, then callbacks and groups, then the acknowledgement in Redis."""

from __future__ import annotations

import logging
import time

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.groups.following import follow
from tasks_app.engine.slots import WorkerSlot
from tasks_app.engine.storing import row_of, store_rows
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.ended_counts import count_ended
from tasks_app.engine.workers.jobs import WorkerJobs

logger = logging.getLogger(__name__)

# A worker that was silent for so long may have been taken for dead: it asks for its jobs before it stores them.
DOUBT_SECONDS = 4.0


class ResultWriter:
    """Writes the rows of the attempts in `jobs.done`."""

    def __init__(self, queue: JobQueue, jobs: WorkerJobs, slot: WorkerSlot) -> None:
        self._queue = queue
        self._jobs = jobs
        self._slot = slot
        self._must_ask = False
        self.note_answer()

    def note_answer(self) -> None:
        """Note that Redis answered just now."""
        # Both clocks: the monotonic one stands still while the host sleeps, the other may be set.
        self._answered_at = (time.monotonic(), time.time())

    def doubt_ownership(self) -> None:
        """Ask, before the next rows are written, which of the jobs are still this worker's."""
        self._must_ask = True

    def flush(self) -> None:
        """Write the rows of the ended jobs, then take the jobs off the queue.

        Raises redis.RedisError or a database error when either server is away: call again. A job that a worker died with
        is written by itself: if it kills another one, no other job is suspected.
        """
        jobs = self._jobs
        with jobs.lock:
            if not jobs.done:
                return
            jobs.done = self._still_owned(jobs.done)
            trusted = [attempt for attempt in jobs.done if not attempt.claim.lost]
            for attempts in (trusted, *([attempt] for attempt in jobs.done if attempt.claim.lost)):
                self._store(attempts)

    def _store(self, attempts: list[Attempt]) -> None:
        """Write these rows and acknowledge; meanwhile the slot names the jobs, so that a death counts as their loss."""
        if not attempts:
            return
        kept = [attempt for attempt in attempts if not attempt.leaves_no_row]
        self._slot.begin_writing(attempt.claim.job_id for attempt in kept)
        try:
            rows = store_rows([row_of(attempt) for attempt in kept])
        finally:
            self._slot.end_writing()
        ended = list(zip(kept, rows, strict=True))
        if len(kept) < len(attempts):
            ended += [(attempt, attempt.end_of_part()) for attempt in attempts if attempt.leaves_no_row]
        follow((attempt.payload, row) for attempt, row in ended)
        ends = [(attempt.claim, row.state) for attempt, row in ended]
        owned = self._queue.finish(ends)
        count_ended(self._queue.name, ended)
        stored = set(map(id, attempts))
        self._jobs.done = [attempt for attempt in self._jobs.done if id(attempt) not in stored]
        if owned < len(attempts):
            logger.warning("%d results were stored after their jobs had been taken over", len(attempts) - owned)

    def _still_owned(self, attempts: list[Attempt]) -> list[Attempt]:
        """Leave out the attempts whose jobs were given to other workers, whose results count."""
        silent_for = max(time.monotonic() - self._answered_at[0], time.time() - self._answered_at[1])
        if silent_for < DOUBT_SECONDS and not self._must_ask:
            return attempts
        owned = self._queue.still_owned([attempt.claim for attempt in attempts])
        self._must_ask = False
        self.note_answer()
        if len(owned) < len(attempts):
            logger.warning("%d results are dropped: their jobs had been taken over", len(attempts) - len(owned))
        return [attempt for attempt in attempts if attempt.claim.stream_id in owned]
