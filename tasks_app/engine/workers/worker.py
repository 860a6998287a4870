"""A worker: fetches jobs of one queue, runs them one after the other, stores their results in batches, then acknowledges.

A job leaves Redis only with its acknowledgement, so a worker may die anywhere. Short jobs share a read, a commit and an
acknowledgement. A long job holds no other back: the watchdog thread stores the results behind it and hands back the jobs
behind it (see `watchdog.py`).

One job goes through here in this order: `turn` (fetch a batch, leave out jobs that have a row) > `_run_waiting` > `_run_next`
(`_call` runs the task, `_try` catches its errors) > back to the queue for a retry, or to `results.flush` (rows, then
acknowledgement). Jobs of a batched task go through it several at a time, and one by one where their call raises
(`_run_again`).
"""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime
from functools import partial
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
    close_if_interrupted,
    is_database_away,
    is_transaction_open,
    require_database,
)
from tasks_app.engine.errors import JobCancelled, LaneLost, TransactionLeftOpen
from tasks_app.engine.failures import describe
from tasks_app.engine.lanes import Leases, WorkerQueue
from tasks_app.engine.slots import Slots, WorkerSlot
from tasks_app.engine.storable import storable_text
from tasks_app.engine.streams import Fetched, JobQueue
from tasks_app.engine.workers.already_stored import without_stored
from tasks_app.engine.workers.batch_attempts import log_errors, run_attempts, share_secrets, shown_progress
from tasks_app.engine.workers.ended_counts import count_retried
from tasks_app.engine.workers.fetch_size import HAND_BACK_SECONDS, MAX_FETCHED, FetchSize
from tasks_app.engine.workers.jobs import RunningCall, WorkerJobs
from tasks_app.engine.workers.results import ResultWriter

logger = logging.getLogger(__name__)

RECONNECT_SECONDS = 0.25
PAUSED_SECONDS = 0.25
# An idle worker looks this often for jobs that Redis delivered to it in an answer that was lost.
RECONCILE_SECONDS = 5.0
# Jobs of a batch that were fetched so shortly before are run without asking whether they were cancelled meanwhile.
UNASKED_SECONDS = 0.25


class Worker:
    """Runs the jobs of one queue."""

    def __init__(
        self, queue_name: str, consumer: str, client: RedisClient, *, slots: Slots | None = None, slot_index: int = 0
    ) -> None:
        self.queue: JobQueue = JobQueue(queue_name, client)
        self.leases: Leases | None = None
        if engine_config().queue(queue_name).lanes:
            self.queue = laned = WorkerQueue(queue_name, client, consumer)
            self.leases = laned.leases
        self.consumer = consumer
        self.slot = WorkerSlot(slots or Slots(1), slot_index)
        self.jobs = WorkerJobs()
        self.results = ResultWriter(self.queue, self.jobs, self.slot)
        self.stopping = False
        self.fetch_size = FetchSize()
        self._must_reconcile = True
        self._reconciled_at = 0.0
        self._fetched_at = float("-inf")
        self._must_check_database = False
        self._is_registered = False

    # --- The loop ---

    def run_forever(self, *, until_empty: bool = False) -> None:
        """Work until `stopping` (or until the queue is empty), whatever Redis, PostgreSQL and the jobs do in between."""
        while not self.stopping:
            try:
                self._register()
                if self.turn(None if until_empty else BLOCK_MS) == 0 and until_empty:
                    self.stopping = True
            except redis.RedisError as error:
                logger.warning("Redis: %s; trying again", error)
                self.slot.note_redis_failure()
                # It may have been taken for dead meanwhile.
                self._is_registered = False
                self._start_over()
            except DatabaseTrouble as error:
                logger.warning("PostgreSQL: %s; trying again", storable_text(error))
                self._start_over_with_database()
            except Exception:
                # The results of ended jobs are in this process: it goes on, and stores them in the next turn.
                logger.exception("unexpected; trying again")
                self._start_over_with_database()
        self.shut_down()

    def _start_over_with_database(self) -> None:
        close_connections()
        self._must_check_database = True
        self._start_over()

    def _start_over(self) -> None:
        """Drop the claims and read them from Redis again; results that are not stored yet stay."""
        self.jobs.drop_waiting()
        self._must_reconcile = True
        time.sleep(RECONNECT_SECONDS)

    def _register(self) -> None:
        """Write a heartbeat before the first job is fetched: without one its jobs are not recovered if the host dies."""
        if not self._is_registered:
            self.queue.beat({self.consumer: describe_worker(os.getpid(), "")})
            self._is_registered = True

    def turn(self, block_ms: int | None) -> int:
        """Fetch, run and store one batch; wait up to `block_ms` for a first job; return how many were dealt with."""
        self.results.flush()
        if self._must_check_database:
            require_database()
            self._must_check_database = False
        fetched = self._fetch(block_ms)
        self._fetched_at = time.monotonic()
        self.results.note_answer()
        self.slot.note_redis_answer()
        if not fetched.claims:
            return fetched.dropped
        close_old_connections()
        claims = without_stored(self.queue, fetched.claims)
        self.jobs.add(claims)
        return len(fetched.claims) - len(claims) + self._run_waiting()

    def _fetch(self, block_ms: int | None) -> Fetched:
        if self._must_reconcile or time.monotonic() - self._reconciled_at > RECONCILE_SECONDS:
            # Jobs that Redis delivered in an answer that was lost would otherwise wait for ever. A frozen Redis may carry
            # out a request after its sender gave up: hence not only after an error.
            fetched = self.queue.fetch(self.consumer, MAX_FETCHED, own=True)
            self._reconciled_at = time.monotonic()
            self._must_reconcile = bool(fetched.claims)
            if fetched.claims:
                return fetched
        fetched = Fetched(True, []) if self._is_resting() else self._fetch_new()
        if fetched.paused and block_ms:
            time.sleep(PAUSED_SECONDS)
        elif not fetched.claims and block_ms and self.queue.wait(self.consumer, block_ms):
            return self.queue.fetch(self.consumer, MAX_FETCHED, own=True)
        return fetched

    def _fetch_new(self) -> Fetched:
        began = time.monotonic()
        fetched = self.queue.fetch(self.consumer, self.fetch_size.wanted())
        self.fetch_size.note_fetch(time.monotonic() - began)
        return fetched

    def _is_resting(self) -> bool:
        """Return whether this worker is to take no more jobs; then other workers have its lanes."""
        return self.leases.rest(self.slot.is_quiet) if self.leases else self.slot.is_quiet

    def _run_waiting(self) -> int:
        ran = 0
        began = time.monotonic()
        while not self.stopping:
            running = self.jobs.begin_next(self.queue.name, flush=self.results.flush)
            if running is None:
                break
            ran += self._run_next(running)
            if running.began - began > HAND_BACK_SECONDS and not self.jobs.is_halving:
                self._hand_back_waiting()
        self.results.flush()
        reset_queries()
        return ran

    def clear_others(self) -> bool:
        """Store the results behind the running job and hand back the jobs behind it; return whether there were any."""
        if not self.jobs.done and not self.jobs.waiting:
            return False
        self.results.flush()
        self._hand_back_waiting()
        return True

    def _hand_back_waiting(self) -> None:
        with self.jobs.lock:
            if self.jobs.waiting:
                self.queue.release(list(self.jobs.waiting))
                self.jobs.drop_waiting()

    def shut_down(self) -> None:
        """Store the last results and hand back the jobs that have not begun."""
        try:
            self.results.flush()
            if self.slot.has_no_redis:
                logger.warning("Stopping without Redis: the supervisor gives the jobs back")
                return
            self._hand_back_waiting()
            if self.leases:
                self.leases.leave_all()
        except Exception as error:  # noqa: BLE001 - nothing more can be done here
            logger.warning(
                "Stopping without a last flush (%s): the supervisor gives the jobs back", storable_text(error)
            )

    # --- One call: of one attempt, or of a batch ---

    def _run_next(self, running: RunningCall) -> int:
        """Run the call, then keep the results for the next flush, or put jobs back; return how many attempts ended."""
        if len(running.attempts) > 1 and self._was_cancelled(running):
            return self._run_again(running, "Cancelled before it started.")
        job = self._current_job(running)
        self._try(running, job)
        set_current_job(None)
        if running.error is not None and is_transaction_open():
            # Rows of ended jobs would be written into it.
            close_connections()
        self.slot.end()
        has_failed = running.has_failed
        if has_failed:
            self._raise_if_database_is_away(running)
        if has_failed or ((running.first.log_lines or job.last_progress) and running.leaves_a_row):
            share_secrets(running.attempts)
        if running.error is not None and issubclass(type(running.error), LaneLost):
            return self._drop_lane(running)
        self.fetch_size.note(running)
        if running.must_run_again:
            return self._run_again(running, "Cancelled while running.")
        with self.jobs.lock:
            self.jobs.running = None
            for attempt in running.attempts:
                attempt.progress = attempt.progress or job.last_progress
                attempt.log_lines = running.first.log_lines
                self._keep(attempt)
        if has_failed:
            log_errors(running.attempts)
            close_if_interrupted(running.error)
        return len(running.attempts)

    def _drop_lane(self, running: RunningCall) -> int:
        """Forget all jobs of lanes that another worker holds, which runs them again; the others of the call go on."""
        lost = getattr(running.error, "lanes", None) or running.lanes
        logger.warning("jobs of lanes %s are dropped: %s", sorted(lost), running.error)
        rest = [attempt for attempt in running.attempts if attempt.claim.lane not in lost]
        with self.jobs.lock:
            self.jobs.running = None
            for lane in lost:
                self.jobs.take_waiting(lane)
            if rest:
                self.jobs.put_back(rest, divided=False)
            if self.leases:
                # What ended before is stored, where no other worker has it: leaving hands back all that is not.
                self.results.doubt_ownership()
                self.results.flush()
                self.leases.leave(lost)
        return len(running.attempts) - len(rest)

    def give_up_lanes(self, running: RunningCall) -> None:
        """Let other workers have the lanes that would wait for this long call; its own lanes stay."""
        with self.jobs.lock:
            if self.leases and running is self.jobs.running:
                self.clear_others()
                self.leases.give_up(keep=running.lanes)

    def _keep(self, attempt: Attempt) -> None:
        attempt.finished_at = datetime.now(UTC)
        if attempt.error is None or not self._put_back_for_retry(attempt):
            self.jobs.done.append(attempt)

    def _was_cancelled(self, running: RunningCall) -> bool:
        """Return whether one of these jobs was cancelled, or taken over, while it waited in this worker's hands."""
        if time.monotonic() - self._fetched_at < UNASKED_SECONDS:
            return False
        try:
            self.ask(running)
        except redis.RedisError:
            self.jobs.running = None
            raise
        return running.is_cancelled

    def _run_again(self, running: RunningCall, reason: str) -> int:
        """Put the jobs of a batch at the head of those that wait: without the cancelled ones, or divided if none was.

        Returns how many ended.
        """
        rest = [attempt for attempt in running.attempts if attempt.claim.stream_id not in running.cancelled]
        ended = [attempt for attempt in running.attempts if attempt.claim.stream_id in running.cancelled]
        if not ended:
            error = describe(running.error or JobCancelled())
            words = running.first.claim.task, len(rest), error.error_class, error.error_message
            logger.info("a batch of %s with %d jobs is tried again in halves: %s: %s", *words)
        with self.jobs.lock:
            self.jobs.running = None
            self.jobs.put_back(rest, divided=not ended)
            for attempt in ended:
                attempt.fail(JobCancelled(reason))
                self._keep(attempt)
        close_if_interrupted(running.error)
        return len(ended)

    def _raise_if_database_is_away(self, running: RunningCall) -> None:
        """Raise the error of a call that failed since the database is away: the claims stay, and run again when it is back."""
        errors = (running.error, *(attempt.error for attempt in running.attempts))
        trouble = next((error for error in errors if issubclass(type(error), TROUBLE)), None)
        if trouble is not None and is_database_away(trouble):
            # Not the jobs' fault.
            logger.warning("job %s waits for the database: %s", running.first.claim.job_id, storable_text(trouble))
            self.jobs.running = None
            raise trouble

    def _try(self, running: RunningCall, job: CurrentJob) -> None:
        """Run the task and note how it ended. Raises nothing, neither an error of the task nor an interrupt that comes late.

        A failure is described while the slot still names the job: if the str() of its exception ends the process, or
        does not end, that counts as a loss of this job.
        """
        try:
            try:
                self._call(running, job)
            except BaseException as error:  # noqa: BLE001 - a task may raise anything
                running.fail(error)
            running.is_in_task = False
        except BaseException as error:  # noqa: BLE001 - an interrupt between two of these lines
            running.is_in_task = False
            if running.error is None or running.first.failed is None:
                running.fail(error)

    def _call(self, running: RunningCall, job: CurrentJob) -> None:
        """Run the task's function as the current job. An interrupt from the watchdog can only be raised inside of it."""
        attempts, first = running.attempts, running.first
        if first.task is None:
            first.open()
        job.note_payload(first.payload)
        kill_at = running.began + first.timeout_seconds + engine_config().kill_after_seconds
        self.slot.begin([attempt.claim.job_id for attempt in attempts], kill_at)
        set_current_job(job)
        running.is_in_task = True
        run_attempts(attempts)
        if is_transaction_open():
            raise TransactionLeftOpen("The task ended inside a transaction, which was rolled back.")

    def _current_job(self, running: RunningCall) -> CurrentJob:
        claim = running.first.claim

        def report(progress: dict[str, Any]) -> None:
            if not running.is_cancelled:
                self.ask(running, shown_progress(running.attempts, progress))

        lanes = running.lanes
        return CurrentJob(
            job_id=claim.job_id,
            queue=self.queue.name,
            attempt=claim.attempt,
            report_progress=report,
            is_cancelled=lambda: running.is_cancelled,
            log_lines=running.first.log_lines,
            claim=claim,
            hold_lane=partial(self.queue.hold_lanes, lanes) if lanes else None,
        )

    def ask(self, running: RunningCall, progress: dict[str, Any] | None = None) -> None:
        """Report progress of the running jobs, and note which of them were cancelled or taken over."""
        answers = self.queue.progress(running.claims, progress)
        if -1 in answers:
            # This host was taken for dead, and another one has the job: stop, and store nothing.
            self.results.doubt_ownership()
        running.note_answers(answers)

    def _put_back_for_retry(self, attempt: Attempt) -> bool:
        delay = attempt.retry_delay_seconds()
        if delay is None:
            return False
        failures = [*attempt.claim.failures, attempt.failure()]
        # Those behind it in its lane wait for it.
        followers = self.jobs.take_waiting(attempt.claim.lane) if attempt.claim.lane is not None else []
        try:
            if followers:
                self.queue.release(followers)
            self.queue.retry(attempt.claim, delay, failures)
            count_retried(attempt)
        except redis.RedisError as error:
            # It is still in the pending list of this consumer, and runs again once Redis is back.
            logger.warning("Redis: %s; %s is tried again later", error, attempt.claim.job_id)
            self._must_reconcile = True
        return True
