"""The jobs of a worker process, shared by its main thread and its watchdog thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Set

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.batches import Halves
from tasks_app.engine.errors import JobInterrupted, WrongBatchResult
from tasks_app.engine.streams import ClaimedAttempt
from tasks_app.engine.workers.batch_attempts import take_next

NONE: Set[str] = frozenset()


class RunningCall:
    """The call that runs now, of one attempt or of a batch.

    The watchdog keeps a reference to it, so that its decisions never reach the next one.
    """

    __slots__ = ("attempts", "began", "cancelled", "error", "first", "interrupt", "is_cancelled", "is_in_task")

    def __init__(self, attempts: list[Attempt]) -> None:
        self.attempts = attempts
        # The attempt after which the call is named.
        self.first = attempts[0]
        # time.monotonic()
        self.began = time.monotonic()
        self.is_cancelled = False
        # Stream ids of the attempts that were cancelled or taken over.
        self.cancelled: Set[str] = NONE
        # True while the main thread is inside the task's function, the only place where `interrupt` may be raised.
        self.is_in_task = False
        self.interrupt: JobInterrupted | None = None
        # Raised by the call. Errors of single attempts of a batch are kept there.
        self.error: BaseException | None = None

    @property
    def claims(self) -> list[ClaimedAttempt]:
        """The claims of all its attempts."""
        return [attempt.claim for attempt in self.attempts]

    @property
    def lanes(self) -> Set[int]:
        """The lanes of its jobs; none for jobs that may run anywhere."""
        return {attempt.claim.lane for attempt in self.attempts if attempt.claim.lane is not None}

    @property
    def has_failed(self) -> bool:
        """Return whether the call raised, or one of its attempts failed."""
        return self.error is not None or (len(self.attempts) > 1 and any(attempt.failed for attempt in self.attempts))

    @property
    def leaves_a_row(self) -> bool:
        """Return whether one of its attempts is kept as a row, as they have ended so far."""
        return not all(attempt.leaves_no_row for attempt in self.attempts)

    @property
    def must_run_again(self) -> bool:
        """Return whether the call raised, and not all its attempts have ended with that."""
        return self.error is not None and not all(attempt.failed for attempt in self.attempts)

    def fail(self, error: BaseException) -> None:
        """Keep the error of the call: that of its only attempt, while those of a batch are tried again."""
        self.error = error
        if len(self.attempts) == 1 or type(error) is WrongBatchResult:
            for attempt in self.attempts:
                attempt.fail(error)

    def note_answers(self, answers: list[int]) -> None:
        """Note what Redis answered for each claim: 1 cancellation was requested, -1 another attempt owns the job."""
        found = {claim.stream_id for claim, answer in zip(self.claims, answers, strict=True) if answer}
        self.cancelled = self.cancelled | found
        self.is_cancelled = self.is_cancelled or bool(found)


class WorkerJobs:
    """Claims that wait, the call that runs, and attempts that ended and whose rows are not written.

    `lock` may be held around several steps: the rows of `done` are written under it.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting: deque[ClaimedAttempt] = deque()
        self.running: RunningCall | None = None
        self.done: list[Attempt] = []
        self._halves = Halves()

    @property
    def is_halving(self) -> bool:
        """Return whether parts of a batch that failed wait. They have to stay together, or it is begun anew as a whole."""
        return bool(self._halves.sizes)

    def add(self, claims: Iterable[ClaimedAttempt]) -> None:
        """Queue claims behind those that wait."""
        with self.lock:
            self.waiting.extend(claims)

    def drop_waiting(self) -> list[ClaimedAttempt]:
        """Forget the claims that wait and return them; Redis still lists them as this worker's."""
        with self.lock:
            dropped = list(self.waiting)
            self.waiting.clear()
            self._halves.sizes.clear()
            return dropped

    def take_waiting(self, lane: int) -> list[ClaimedAttempt]:
        """Forget the claims of this lane that wait, and return them."""
        with self.lock:
            taken = [claim for claim in self.waiting if claim.lane == lane]
            if taken:
                self.waiting = deque(claim for claim in self.waiting if claim.lane != lane)
                # The halves of a batch that failed are of the lane whose jobs run now.
                self._halves.sizes.clear()
            return taken

    def begin_next(self, queue_name: str, *, flush: Callable[[], None]) -> RunningCall | None:
        """Make the first waiting claim the running call, with those that one call serves with it; None when none waits.

        A job that a worker died with may kill this one, too: `flush` first stores the results of the jobs before it.
        """
        with self.lock:
            if self.waiting and self.waiting[0].lost:
                flush()
            if not self.waiting:
                return None
            attempts = take_next(queue_name, self.waiting, self._halves)
            self.running = RunningCall(attempts)
            return self.running

    def put_back(self, attempts: list[Attempt], *, divided: bool) -> None:
        """Put attempts of a batch at the head of the claims that wait: to run again in two halves, or together."""
        with self.lock:
            self.waiting.extendleft(attempt.claim for attempt in reversed(attempts))
            (self._halves.divide if divided else self._halves.repeat)(len(attempts))
