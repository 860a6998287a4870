"""A worker: reads jobs of one queue, runs them one after the other, stores results in batches, then acknowledges.

Between reading and acknowledging nothing leaves Redis, so a worker may die anywhere. Short jobs share a read, a commit and
an acknowledgement; a job that turns out long never holds others back: the watchdog thread stores what is finished and hands
back what has not begun (see `watchdog.py`).
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import redis
from django.db import Error as DatabaseTrouble
from django.db import close_old_connections, reset_queries

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import BLOCK_MS, RedisClient
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.database import (
    TROUBLE,
    close_connections,
    is_database_away,
    is_transaction_open,
    require_database,
)
from tasks_app.engine.errors import JobInterrupted, TransactionLeftOpen
from tasks_app.engine.failures import is_cancellation
from tasks_app.engine.job_fields import are_job_ids, is_job_id
from tasks_app.engine.retry import retry_delay_seconds
from tasks_app.engine.slots import Slots
from tasks_app.engine.states import JobState
from tasks_app.engine.storable import storable_text
from tasks_app.engine.storing import job_store, row_of, store_rows
from tasks_app.engine.streams import ClaimedAttempt, Fetched, JobQueue

logger = logging.getLogger(__name__)

MAX_BATCH = 256
# A batch is sized so that running it takes about this long, given how long the last jobs took.
BATCH_SECONDS = 0.02
RECONNECT_SECONDS = 0.25
PAUSED_SECONDS = 0.25
# An idle worker asks this often whether Redis delivered it something it never heard of.
RECONCILE_SECONDS = 5.0
# Whoever was silent for so long may have been taken for dead: it asks before it stores.
DOUBT_SECONDS = 4.0


class Worker:
    """Runs the jobs of one queue. `lock` guards `waiting` and `done`, which the watchdog thread also touches."""

    def __init__(
        self, queue_name: str, consumer: str, client: RedisClient, *, slots: Slots | None = None, slot_index: int = 0
    ) -> None:
        self.queue = JobQueue(queue_name, client)
        self.consumer = consumer
        self.slots = slots
        self.slot_index = slot_index
        self.lock = threading.RLock()
        self.waiting: deque[ClaimedAttempt] = deque()
        self.done: list[Attempt] = []
        self.current: Attempt | None = None
        self.current_since = 0.0
        self.serial = 0
        self.in_task = False
        self.interrupt: tuple[int, JobInterrupted] | None = None
        self.cancel_asked = False
        self.stopping = False
        self._average_seconds = BATCH_SECONDS
        self.taken_over: set[str] = set()
        self._must_reconcile = True
        self._reconciled_at = 0.0
        self._heard_at = (time.monotonic(), time.time())
        self._doubts_database = False
        self._is_registered = False

    # --- The loop ---

    def run_forever(self, *, until_empty: bool = False) -> None:
        """Work until `stopping` (or the queue is empty), whatever Redis, PostgreSQL and the jobs do in between."""
        while not self.stopping:
            try:
                self._register()
                if self.turn(None if until_empty else BLOCK_MS) == 0 and until_empty:
                    self.stopping = True
            except redis.RedisError as error:
                logger.warning("Redis: %s; trying again", error)
                self._start_over()
            except DatabaseTrouble as error:
                logger.warning("PostgreSQL: %s; trying again", storable_text(error))
                self._doubt_database()
            except Exception:
                # What has ended stays in `done`; a worker that left would take it along.
                logger.exception("unexpected; trying again")
                self._doubt_database()
        self.shut_down()

    def _doubt_database(self) -> None:
        close_connections()
        self._doubts_database = True
        self._start_over()

    def _start_over(self) -> None:
        """After trouble we hold what Redis says we hold, in its order; what has ended stays in `done`."""
        with self.lock:
            self.waiting.clear()
        self._must_reconcile = True
        time.sleep(RECONNECT_SECONDS)

    def _register(self) -> None:
        """Be known as alive before taking the first job: only then are its jobs given back if this host dies."""
        if not self._is_registered:
            self.queue.beat({self.consumer: describe_worker(os.getpid(), "")})
            self._is_registered = True

    def turn(self, block_ms: int | None) -> int:
        """Read, run and finish one batch; wait up to `block_ms` for a first job; return how many were dealt with."""
        self.flush()
        if self._doubts_database:
            require_database()
            self._doubts_database = False
        fetched = self._fetch(block_ms)
        self._heard_at = (time.monotonic(), time.time())
        if not fetched.claims:
            return fetched.dropped
        close_old_connections()
        claims = self._not_yet_stored(fetched.claims)
        with self.lock:
            self.waiting.extend(claims)
        return len(fetched.claims) - len(claims) + self._run_waiting()

    def _fetch(self, block_ms: int | None) -> Fetched:
        if self._must_reconcile or time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            # After a lost answer, what Redis already delivered to us would otherwise wait for ever. A frozen Redis may
            # carry out later what we asked before we gave up: hence now and then, too.
            fetched = self.queue.fetch(self.consumer, MAX_BATCH, own=True)
            self._reconciled_at = time.monotonic()
            self._must_reconcile = bool(fetched.claims)
            if fetched.claims:
                return fetched
        fetched = self.queue.fetch(self.consumer, self._batch_size())
        if fetched.paused and block_ms:
            time.sleep(PAUSED_SECONDS)
        elif not fetched.claims and block_ms and self.queue.wait(self.consumer, block_ms):
            return self.queue.fetch(self.consumer, MAX_BATCH, own=True)
        return fetched

    def shut_down(self) -> None:
        """Before leaving: store what is finished, hand back what has not begun."""
        try:
            self.flush()
            self.hand_back_waiting()
        except Exception as error:  # noqa: BLE001 - nothing more can be done here
            reason = storable_text(error)
            logger.warning("Stopping without a last flush (%s): the supervisor gives the jobs back", reason)

    def _batch_size(self) -> int:
        return max(1, min(MAX_BATCH, int(BATCH_SECONDS / max(self._average_seconds, 1e-6))))

    def _not_yet_stored(self, claims: list[ClaimedAttempt]) -> list[ClaimedAttempt]:
        """Acknowledge, without running it again, a job that has its row.

        A lost worker had stored its end; or someone put a message back that was signed for a job which has ended since.
        """
        ids = [claim.job_id for claim in claims]
        proper = ids if are_job_ids(ids) else list(filter(is_job_id, ids))
        states = job_store().stored_states(proper)
        if not states and proper is ids:
            return claims
        ended = [claim for claim in claims if claim.job_id in states or not is_job_id(claim.job_id)]
        for claim in ended:
            logger.warning("job %s is not run: it has ended, or has no proper id", claim.job_id)
        self.queue.finish([(claim, JobState(states.get(claim.job_id, JobState.FAILED))) for claim in ended])
        return [claim for claim in claims if claim not in ended]

    def _run_waiting(self) -> int:
        ran = 0
        while not self.stopping:
            with self.lock:
                if not self.waiting:
                    break
                if self.waiting[0].lost:
                    # It may kill this worker, too: nothing that has ended is to be lost with it.
                    self.flush()
                claim = self.waiting.popleft()
                self._begin(claim)
            self._run_one()
            ran += 1
        self.flush()
        reset_queries()
        return ran

    # --- One attempt ---

    def _begin(self, claim: ClaimedAttempt) -> None:
        self.serial += 1
        self.cancel_asked = False
        self.interrupt = None
        self.current = Attempt(self.queue.name, claim, datetime.now(UTC))
        self.current_since = time.monotonic()

    def _run_one(self) -> None:
        attempt = self.current
        if attempt is None:
            raise RuntimeError("_begin() comes first")
        job = self._current_job(attempt)
        self._try(attempt, job)
        set_current_job(None)
        if is_transaction_open():
            # Rows of ended jobs would be written into it.
            close_connections()
        if self.slots:
            self.slots.end(self.slot_index)
        if attempt.error is not None and issubclass(type(attempt.error), TROUBLE) and is_database_away():
            self._keep_for_later(attempt)
            raise attempt.error
        attempt.progress = job.last_progress
        attempt.finished_at = datetime.now(UTC)
        elapsed = time.monotonic() - self.current_since
        self._average_seconds += 0.2 * (elapsed - self._average_seconds)
        with self.lock:
            self.current = None
            if not self._put_back_for_retry(attempt):
                self.done.append(attempt)
        if attempt.error is not None:
            self._clean_up_after_error(attempt)

    def _try(self, attempt: Attempt, job: CurrentJob) -> None:
        """Run it and note how it ended; nothing that a task raises, nor an interrupt that comes late, leaves this.

        A failure is put into words while the slot still names the job: if the str() of its exception ends the process,
        or does not end, that counts as a loss of this job.
        """
        try:
            try:
                self._call(attempt, job)
            except BaseException as error:  # noqa: BLE001 - whatever a task does
                attempt.fail(error)
            self.in_task = False
        except BaseException as error:  # noqa: BLE001 - an interrupt between two of these lines
            self.in_task = False
            if attempt.error is None or attempt.failed is None:
                attempt.fail(error)

    def _keep_for_later(self, attempt: Attempt) -> None:
        """That the database is away is no fault of the job: the same attempt runs again when it is back."""
        said = storable_text(attempt.error)
        logger.warning("job %s waits for the database: %s", attempt.claim.job_id, said)
        with self.lock:
            self.current = None

    def _call(self, attempt: Attempt, job: CurrentJob) -> None:
        """Run the task's function as the current job. An interrupt from the watchdog can only land inside of it."""
        attempt.open()
        job.requested_by_id = attempt.payload.requested_by_id if attempt.payload else None
        if self.slots:
            kill_at = self.current_since + attempt.timeout_seconds + engine_config().kill_after_seconds
            self.slots.begin(self.slot_index, attempt.claim.job_id, kill_at)
        set_current_job(job)
        self.in_task = True
        attempt.run()
        if is_transaction_open():
            raise TransactionLeftOpen("The task ended inside a transaction, which was rolled back.")

    def _current_job(self, attempt: Attempt) -> CurrentJob:
        claim = attempt.claim

        def report(progress: dict[str, Any]) -> None:
            self.cancel_asked = self.cancel_asked or self.queue.progress(claim, progress) == 1

        return CurrentJob(
            job_id=claim.job_id,
            attempt=claim.attempt,
            report_progress=report,
            is_cancelled=lambda: self.cancel_asked,
            log_lines=attempt.log_lines,
        )

    def _put_back_for_retry(self, attempt: Attempt) -> bool:
        if attempt.error is None or attempt.task is None or is_cancellation(attempt.error):
            return False
        policy = attempt.task.retry_policy
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        delay = retry_delay_seconds(policy, attempt.claim.attempt, attempt.error, jitter)
        if delay is None:
            return False
        failures = [*attempt.claim.failures, attempt.failure()]
        try:
            self.queue.retry(attempt.claim, delay, failures)
        except redis.RedisError as error:
            # Still in our pending list: it is read and run again once Redis is back.
            logger.warning("Redis: %s; %s is tried again later", error, attempt.claim.job_id)
            self._must_reconcile = True
        return True

    def _clean_up_after_error(self, attempt: Attempt) -> None:
        failed = attempt.failure()
        said = failed["error_class"], failed["error_message"]
        claim = attempt.claim
        logger.info("job %s (%s) attempt %s: %s: %s", claim.job_id, claim.task, claim.attempt, *said)
        if issubclass(type(attempt.error), (JobInterrupted, *TROUBLE)):
            # A connection interrupted in the middle of a statement is of no more use.
            close_connections()

    # --- Results ---

    def flush(self) -> None:
        """Write the finished jobs' rows, then take the jobs off the queue. Raises when either server is away: call again.

        A job that a worker died with is written by itself: if it kills another one, none beside it is suspected.
        """
        with self.lock:
            if not self.done:
                return
            self.done = self._still_ours(self.done)
            trusted = [attempt for attempt in self.done if not attempt.claim.lost]
            for attempts in (trusted, *([attempt] for attempt in self.done if attempt.claim.lost)):
                self._store(attempts)

    def _store(self, attempts: list[Attempt]) -> None:
        """Write these rows and take the jobs off the queue, while the slot says that a death is theirs."""
        if not attempts:
            return
        if self.slots:
            self.slots.begin_writing(self.slot_index, (attempt.claim.job_id for attempt in attempts))
        try:
            rows = store_rows([row_of(attempt) for attempt in attempts])
        finally:
            if self.slots:
                self.slots.end_writing(self.slot_index)
        owned = self.queue.finish([(one.claim, row.state) for one, row in zip(attempts, rows, strict=True)])
        stored = set(map(id, attempts))
        self.done = [attempt for attempt in self.done if id(attempt) not in stored]
        if owned < len(attempts):
            logger.warning("%d results came late: their jobs had been taken over", len(attempts) - owned)

    def _still_ours(self, attempts: list[Attempt]) -> list[Attempt]:
        """Leave out those whose job was given to another worker while we were taken for dead: theirs is the result."""
        silent_for = max(time.monotonic() - self._heard_at[0], time.time() - self._heard_at[1])
        if silent_for < DOUBT_SECONDS and not self.taken_over:
            return attempts
        still_owned = self.queue.still_owned([attempt.claim for attempt in attempts])
        self.taken_over.clear()
        self._heard_at = (time.monotonic(), time.time())
        if len(still_owned) < len(attempts):
            logger.warning("%d results came too late: their jobs had been taken over", len(attempts) - len(still_owned))
        return [attempt for attempt in attempts if attempt.claim.stream_id in still_owned]

    def hand_back_waiting(self) -> None:
        """Give the jobs that were read but not begun to other workers."""
        with self.lock:
            if self.waiting:
                self.queue.release(list(self.waiting))
                self.waiting.clear()
