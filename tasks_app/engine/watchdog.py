"""The watchdog: a thread beside a worker's loop that looks after a job which takes long.

It stores the results that wait behind it, hands back the jobs that wait behind it, hears of its cancellation, and
interrupts it when it is cancelled or out of time. Short jobs never meet it.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

import redis
from django.db import DatabaseError, InterfaceError, connections

from tasks_app.engine.config import engine_config
from tasks_app.engine.errors import JobCancelled, JobInterrupted, JobTimeout
from tasks_app.engine.worker import Worker

logger = logging.getLogger(__name__)

LONG_SECONDS = 0.1
LOOK_SECONDS = 0.05
CANCEL_POLL_SECONDS = 0.5
# A task that looks at raise_if_cancelled() gets this long to stop by itself.
COOPERATIVE_SECONDS = 2.0


class Watchdog(threading.Thread):
    """One per worker process, started after the fork."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.worker = worker
        self._main_thread = threading.main_thread().ident
        self._polled_at = 0.0
        self._cancelled_at: float | None = None
        self._serial = 0
        self._interrupted_serial = 0

    def install(self) -> None:
        """Take SIGUSR1 for interrupts, then start."""
        signal.signal(signal.SIGUSR1, self._raise_in_task)
        self.start()

    def _raise_in_task(self, signum: int, frame: FrameType | None) -> None:
        """In the main thread: raise what the watchdog decided, only inside the very job it was decided for."""
        worker = self.worker
        if worker.interrupt and worker.in_task and worker.interrupt[0] == worker.serial:
            error, worker.interrupt = worker.interrupt[1], None
            raise error

    def run(self) -> None:
        while True:
            busy = self.worker.current is not None
            time.sleep(LOOK_SECONDS if busy else LONG_SECONDS)
            if not busy:
                continue
            try:
                self._look()
            except (redis.RedisError, DatabaseError, InterfaceError) as error:
                logger.warning("watchdog: %s", error)
                connections.close_all()
            except Exception:
                # Without this thread no job of this worker could be cancelled or would end at its time limit.
                logger.exception("watchdog: unexpected; going on")
                connections.close_all()

    def _look(self) -> None:
        worker = self.worker
        attempt, serial, since = worker.current, worker.serial, worker.current_since
        elapsed = time.monotonic() - since
        if attempt is None or elapsed < LONG_SECONDS:
            return
        if worker.done or worker.waiting:
            worker.flush()
            worker.hand_back_waiting()
            connections.close_all()
        if serial != self._serial:
            self._serial, self._cancelled_at = serial, None
        self._hear_of_cancellation(serial)
        if self._cancelled_at and time.monotonic() - self._cancelled_at > COOPERATIVE_SECONDS:
            self._interrupt(serial, JobCancelled("Cancelled while running."))
        elif elapsed > attempt.timeout_seconds:
            self._interrupt(serial, JobTimeout(f"Ran longer than {attempt.timeout_seconds:g} s."))

    def _hear_of_cancellation(self, serial: int) -> None:
        worker, now = self.worker, time.monotonic()
        attempt = worker.current
        if attempt is None or self._cancelled_at or now - self._polled_at < CANCEL_POLL_SECONDS:
            return
        self._polled_at = now
        answer = worker.queue.progress(attempt.claim, None)
        if answer and worker.serial == serial:
            if answer < 0:
                # This host was taken for dead, and another one has the job: stop, and store nothing.
                worker.taken_over.add(attempt.claim.stream_id)
            worker.cancel_asked = True
            self._cancelled_at = now

    def _interrupt(self, serial: int, error: JobInterrupted) -> None:
        worker = self.worker
        if worker.serial != serial or self._interrupted_serial == serial or not worker.in_task:
            return
        # Once per job: what it does in its finally blocks is not interrupted again; the supervisor kills what does not end.
        self._interrupted_serial = serial
        worker.interrupt = (serial, error)
        if worker.slots and isinstance(error, JobCancelled) and worker.current:
            kill_at = time.monotonic() + engine_config().kill_after_seconds
            worker.slots.begin(worker.slot_index, worker.current.claim.job_id, kill_at)
        if self._main_thread:
            signal.pthread_kill(self._main_thread, signal.SIGUSR1)
