"""The watchdog: a thread beside a worker's loop that looks after a job which takes long.

It stores the results behind it, hands back the jobs behind it, polls for a request to cancel it, and interrupts it when it
is cancelled or out of time. It leaves short jobs alone.
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
from tasks_app.engine.workers.jobs import RunningCall
from tasks_app.engine.workers.worker import Worker

logger = logging.getLogger(__name__)

LONG_SECONDS = 0.1
LOOK_SECONDS = 0.05
CANCEL_POLL_SECONDS = 0.5
# A job that runs for so long leaves the lanes of its worker, but for its own, to others: asked again at this interval.
GIVE_UP_LANES_SECONDS = 1.0
# A task that calls raise_if_cancelled() gets this long to stop by itself.
COOPERATIVE_SECONDS = 2.0


class Watchdog(threading.Thread):
    """One per worker process, started after the fork."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._worker = worker
        self._jobs = worker.jobs
        self._main_thread = threading.main_thread().ident
        self._polled_at = self._gave_up_at = 0.0
        # The call looked at last, and what was done about it.
        self._watched: RunningCall | None = None
        self._cancelled_at: float | None = None
        self._has_interrupted = False

    def install(self) -> None:
        """Handle SIGUSR1, which interrupts the task, then start."""
        signal.signal(signal.SIGUSR1, self._raise_in_task)
        self.start()

    def _raise_in_task(self, signum: int, frame: FrameType | None) -> None:
        """Raise the interrupt of the running call, in the main thread and only inside the task's function."""
        running = self._jobs.running
        if running and running.is_in_task and running.interrupt:
            error, running.interrupt = running.interrupt, None
            raise error

    def run(self) -> None:
        """Look at the running call for ever."""
        while True:
            is_busy = self._jobs.running is not None
            time.sleep(LOOK_SECONDS if is_busy else LONG_SECONDS)
            if not is_busy:
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
        running = self._jobs.running
        if running is None or (elapsed := time.monotonic() - running.began) < LONG_SECONDS:
            return
        if self._worker.clear_others():
            connections.close_all()
        if running is not self._watched:
            self._watched, self._cancelled_at, self._has_interrupted = running, None, False
        if elapsed > GIVE_UP_LANES_SECONDS and time.monotonic() - self._gave_up_at > GIVE_UP_LANES_SECONDS:
            self._gave_up_at = time.monotonic()
            self._worker.give_up_lanes(running)
        self._poll_cancellation(running)
        timeout_seconds = running.first.timeout_seconds
        if self._cancelled_at and time.monotonic() - self._cancelled_at > COOPERATIVE_SECONDS:
            self._interrupt(running, JobCancelled("Cancelled while running."))
        elif elapsed > timeout_seconds:
            self._interrupt(running, JobTimeout(f"Ran longer than {timeout_seconds:g} s."))

    def _poll_cancellation(self, running: RunningCall) -> None:
        now = time.monotonic()
        if self._cancelled_at or now - self._polled_at < CANCEL_POLL_SECONDS or running is not self._jobs.running:
            return
        self._polled_at = now
        self._worker.ask(running)
        if running.is_cancelled and running is self._jobs.running:
            self._cancelled_at = now

    def _interrupt(self, running: RunningCall, error: JobInterrupted) -> None:
        # Once per call: its finally blocks are not interrupted again; the supervisor kills it if it does not end.
        if self._has_interrupted or running is not self._jobs.running or not running.is_in_task:
            return
        self._has_interrupted = True
        running.interrupt = error
        if isinstance(error, JobCancelled):
            kill_at = time.monotonic() + engine_config().kill_after_seconds
            self._worker.slot.kill_at(kill_at)
        if self._main_thread:
            signal.pthread_kill(self._main_thread, signal.SIGUSR1)
