"""The jobs of a worker process, shared by its main thread and its watchdog thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.errors import JobInterrupted
from tasks_app.engine.streams import ClaimedAttempt


class RunningAttempt:
    """The attempt that runs now. The watchdog keeps a reference to it, so that its decisions never reach the next one."""

    __slots__ = ("attempt", "began", "interrupt", "is_cancelled", "is_in_task")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        # time.monotonic()
        self.began = time.monotonic()
        self.is_cancelled = False
        # True while the main thread is inside the task's function, the only place where `interrupt` may be raised.
        self.is_in_task = False
        self.interrupt: JobInterrupted | None = None


class WorkerJobs:
    """Claims that wait, the attempt that runs, and attempts that ended and whose rows are not written.

    `lock` may be held around several steps: the rows of `done` are written under it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting: deque[ClaimedAttempt] = deque()
        self.running: RunningAttempt | None = None
        self.done: list[Attempt] = []

    def add(self, claims: Iterable[ClaimedAttempt]) -> None:
        """Queue claims behind those that wait."""
        with self.lock:
            self.waiting.extend(claims)

    def drop_waiting(self) -> None:
        """Forget the claims that wait; Redis still lists them as this worker's."""
        with self.lock:
            self.waiting.clear()

    def begin_next(self, queue_name: str, *, flush: Callable[[], None]) -> RunningAttempt | None:
        """Make the first waiting claim the running attempt; None when none waits.

        A job that a worker died with may kill this one, too: `flush` first stores the results of the jobs before it.
        """
        with self.lock:
            if self.waiting and self.waiting[0].lost:
                flush()
            if not self.waiting:
                return None
            self.running = RunningAttempt(Attempt(queue_name, self.waiting.popleft(), datetime.now(UTC)))
            return self.running
