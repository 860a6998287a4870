"""Asking a job for its state and its result: what `delay` returns is the job's id, and answers.

A caller that waits is woken by Redis (see `wk` in engine.keys). The row of the job is read when it has ended, and
where Redis does not know the job or cannot be asked.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Never, NoReturn, Protocol
from uuid import UUID, SafeUUID

import redis

from tasks_app.engine.celery_names import RESULT_NAMES, RESULT_OPTIONS, missing, refuse_options
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import BLOCK_MS, client
from tasks_app.engine.context import current_job
from tasks_app.engine.ended import record_of_hash
from tasks_app.engine.errors import InvalidArguments, JobFailed, QueueUnavailable, UnknownJob, WouldDeadlock
from tasks_app.engine.groups.members import cancel, children_of_ended, children_of_live, runs_on
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.lanes import part_of_job, queue_parts
from tasks_app.engine.number_types import is_number
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.states import FINAL_STATES, JobState
from tasks_app.engine.streams import JobQueue

# While Redis cannot be asked, the row is looked for this often.
REDIS_AWAY_SECONDS = 0.5
# UUIDs refuse to be changed.
_set = object.__setattr__


class JobHandle(UUID):
    """The id of a job, equal to the plain UUID, which can be asked about the job.

    `JobHandle(job_id)` makes one of a stored id. Each question raises UnknownJob when no such job exists. A success without a
    row (`@task(keeps_successes=False)`) is known for a minute after its end, without its result, and then unknown.
    """

    __slots__ = ("_queue",)

    def __init__(self, job_id: UUID | str, queue: str | None = None) -> None:
        # The constructor of UUID would check the number again, for every job that is enqueued.
        _set(self, "int", (job_id if isinstance(job_id, UUID) else UUID(job_id)).int)
        _set(self, "is_safe", SafeUUID.unknown)
        _set(self, "_queue", queue)

    if not TYPE_CHECKING:  # to type checkers every name would exist

        def __getattr__(self, name: str) -> NoReturn:
            raise missing(self, name, RESULT_NAMES)

    @property
    def id(self) -> str:
        """The id as text."""
        return str(self)

    @property
    def queue(self) -> str | None:
        """The queue of the job, None where only the id is known."""
        return getattr(self, "_queue", None)

    @property
    def state(self) -> JobState:
        """The present state of the job. Raises UnknownJob, QueueUnavailable."""
        return _asked[-1].state(self)

    @property
    def result(self) -> Any:
        """The value the task returned; None before that, and for a failed job. Raises UnknownJob, QueueUnavailable."""
        ended = ended_job(self)
        return ended.result if ended else None

    def wait(self, timeout_seconds: float | None = None, **others: Never) -> bool:
        """Wait until the job has ended, or for so many seconds; return whether it has ended.

        Raises UnknownJob, and WouldDeadlock inside a task of the same queue.
        """
        refuse_options("wait", others, RESULT_OPTIONS)
        if timeout_seconds is not None and not (is_number(timeout_seconds) and timeout_seconds >= 0):
            raise InvalidArguments(f"{timeout_seconds!r} is no number of seconds to wait.")
        return _asked[-1].wait(self, timeout_seconds)

    def get(self, timeout: float | None = None, **others: Never) -> Any:
        """Wait for the end of the job, for at most `timeout` seconds, and return what its task returned.

        Raises TimeoutError when it has not ended by then, JobFailed when it failed or was cancelled; and as `wait`.
        """
        refuse_options("get", others, RESULT_OPTIONS)
        ended = ended_job(self) if self.wait(timeout) else None
        if ended is None:
            raise TimeoutError(f"Job {self} has not ended within {timeout} seconds.")
        if ended.state != JobState.SUCCEEDED:
            raise JobFailed(ended.error_class, ended.error_message)
        return ended.result

    @property
    def children(self) -> list[JobHandle]:
        """The jobs that belong to this one: members of a group, steps of a chain that were made, callbacks after its end.

        Raises UnknownJob, QueueUnavailable.
        """
        return [JobHandle(job_id) for job_id in _asked[-1].children(self)]

    def cancel(self, reason: str = "", **others: Never) -> JobState:
        """Cancel the job if it waits, ask it to stop if it runs; return its state after that.

        A group or chain is running until its members have ended; those that wait are cancelled with it.

        Raises UnknownJob, QueueUnavailable, and InvalidArguments for a reason that is no text.
        """
        refuse_options("cancel", others, RESULT_OPTIONS)
        if not isinstance(reason, str):
            raise InvalidArguments(f"{reason!r:.100} is no reason: a text is meant.")
        return _asked[-1].cancel(self, reason)


class Jobs(Protocol):
    """The source that a handle asks: Redis and the job store, or in tests the jobs that ran inline."""

    def state(self, job: JobHandle) -> JobState:
        """Return the present state."""

    def ended(self, job: JobHandle) -> FinishedJob | None:
        """Return how the job ended, None while it lives."""

    def live(self, job: JobHandle) -> JobHash | None:
        """Return the job as it waits or runs, None once its row is written."""

    def wait(self, job: JobHandle, timeout_seconds: float | None) -> bool:
        """Wait until the job has ended, or for so many seconds; return whether it has ended."""

    def cancel(self, job: JobHandle, reason: str) -> JobState:
        """Cancel the job or ask it to stop; return its state after that."""

    def children(self, job: JobHandle) -> list[str]:
        """Return the ids of its members and callbacks."""


class QueuedJobs:
    """The jobs in Redis and in the job store."""

    def state(self, job: JobHandle) -> JobState:
        """Return the present state. Raises UnknownJob, QueueUnavailable."""
        try:
            live = self._find(job)
        except redis.RedisError as error:
            if (row := job_store().find_finished(str(job))) is None:
                raise _unavailable(error) from error
            return row.state
        if live and live.state:
            return live.state
        return _row_of(job).state

    def ended(self, job: JobHandle) -> FinishedJob | None:
        """Return how the job ended, None while it lives. Raises UnknownJob, QueueUnavailable."""
        try:
            live = self._find(job)
        except redis.RedisError as error:
            if row := job_store().find_finished(str(job)):
                return row
            raise _unavailable(error) from error
        if live and live.state not in FINAL_STATES:
            return None
        if live and not job_store().find_finished(str(job)):
            return record_of_hash(live)
        return _row_of(job)

    def live(self, job: JobHandle) -> JobHash | None:
        """Return the job as it waits or runs, None once its row is written. Raises QueueUnavailable."""
        try:
            return self._find(job)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def wait(self, job: JobHandle, timeout_seconds: float | None) -> bool:
        """Wait until the job has ended, or for so many seconds. Raises UnknownJob, WouldDeadlock."""
        until = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            queue, has_ended = self._watch(job)
            seconds = min(until - time.monotonic(), BLOCK_MS / 1000)
            if has_ended or seconds <= 0:
                return has_ended
            _check_deadlock(queue, job)
            _block(queue, job, seconds)

    def cancel(self, job: JobHandle, reason: str) -> JobState:
        """Cancel the job or ask it to stop. Raises UnknownJob, QueueUnavailable."""
        try:
            part = part_of_job(_queues(job), client(), str(job))
            if part and (state := cancel(part, str(job), {"by": None, "reason": reason})):
                return JobState(state)
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return _row_of(job).state

    def children(self, job: JobHandle) -> list[str]:
        """Return the ids of its members and callbacks. Raises UnknownJob, QueueUnavailable."""
        try:
            live = self._find(job)
        except redis.RedisError as error:
            raise _unavailable(error) from error
        row = job_store().find_finished(str(job)) if live is None or live.state in FINAL_STATES else None
        return children_of_live(live, client()) if live and not row else children_of_ended(row or _row_of(job))

    @staticmethod
    def _find(job: JobHandle) -> JobHash | None:
        parts = queue_parts(_queues(job), client())
        hashes = read_job_hashes(client(), [(part.keys, str(job)) for part in parts])
        return next(filter(None, hashes), None)

    @staticmethod
    def _watch(job: JobHandle) -> tuple[JobQueue | None, bool]:
        """Ask to be woken at the end; return the queue (None: Redis cannot be asked) and whether the job has ended."""
        try:
            part = part_of_job(_queues(job), client(), str(job))
            if part and (state := part.watch(str(job))):
                return part, state in FINAL_STATES
        except redis.RedisError:
            return None, job_store().find_finished(str(job)) is not None
        _row_of(job)
        return None, True


def _check_deadlock(queue: JobQueue | None, job: JobHandle) -> None:
    """Raise WouldDeadlock where this code is a job of a queue that must run the job, or a member of it, before it can end."""
    own = current_job().queue
    if queue and own and runs_on(queue, str(job), own):
        raise WouldDeadlock(f"Job {job} is on queue {own!r}, or a member of it is, as the job that would wait for it.")


def _block(queue: JobQueue | None, job: JobHandle, seconds: float) -> None:
    """Block until the job ends or the time is up; sleep where Redis cannot be asked."""
    try:
        if queue:
            queue.wait_for_end(str(job), int(seconds * 1000))
            return
    except redis.RedisError:
        pass
    time.sleep(min(seconds, REDIS_AWAY_SECONDS))


def _queues(job: JobHandle) -> list[str]:
    """The queue of the job; all of them where only its id is known."""
    return [job.queue] if job.queue else list(engine_config().queues)


def _row_of(job: JobHandle) -> FinishedJob:
    """Return the row of an ended job, or a bare one for a success without a row that Redis remembers. Raises UnknownJob."""
    if row := job_store().find_finished(str(job)):
        return row
    try:
        part = part_of_job(_queues(job), client(), str(job))
        state = part and part.watch(str(job))
    except redis.RedisError as error:
        raise _unavailable(error) from error
    if part and state == JobState.SUCCEEDED:
        now = datetime.now(UTC)
        return FinishedJob(str(job), "", part.keys.queue, JobState.SUCCEEDED, created_at=now, finished_at=now)
    raise UnknownJob(f"No job has the id {job}.")


def _unavailable(error: redis.RedisError) -> QueueUnavailable:
    return QueueUnavailable(f"The queue server did not answer: {error}")


_asked: list[Jobs] = [QueuedJobs()]


@contextmanager
def use_jobs(jobs: Jobs) -> Iterator[None]:
    """Let handles ask `jobs` inside the block, in every thread. Nests."""
    _asked.append(jobs)
    try:
        yield
    finally:
        _asked.remove(jobs)


def ended_job(job: JobHandle) -> FinishedJob | None:
    """Return how the job ended, None while it lives. Raises UnknownJob, QueueUnavailable."""
    return _asked[-1].ended(job)


def live_job(job: JobHandle) -> JobHash | None:
    """Return the job as it waits or runs, None once its row is written. Raises QueueUnavailable."""
    return _asked[-1].live(job)
