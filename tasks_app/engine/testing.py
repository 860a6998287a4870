"""A test double for projects that use this engine: jobs run inline, with the same checks and states, without Redis.

    from tasks_app.engine.testing import inline_jobs

    def test_it_greets():
        with inline_jobs() as jobs:
            greet.delay("Ana")
        assert jobs.finished[0].state == "succeeded"

A job runs where it is enqueued, all its attempts at once and without waiting in between. A job with a countdown or eta waits
in `jobs.waiting` until `run_waiting()`. An error of a task does not reach the caller, as in production; it is on the job.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.backends import use_backend
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.retry import retry_delay_seconds
from tasks_app.engine.storing import row_of
from tasks_app.engine.streams import ClaimedAttempt


class InlineJobs:
    """Backend that runs jobs inline: `finished` ones in the order in which they ended, `waiting` ones due later."""

    def __init__(self) -> None:
        self.finished: list[FinishedJob] = []
        self.waiting: list[tuple[str, ClaimedAttempt]] = []
        self._known: set[UUID] = set()
        self._unique: dict[tuple[str, str], UUID] = {}

    def run_waiting(self) -> int:
        """Run the jobs that wait for a later time; return how many ran."""
        waiting, self.waiting = self.waiting, []
        for queue, claim in waiting:
            self._run(queue, claim)
        return len(waiting)

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Run the jobs, or keep those with a later time in `waiting`; see `backends.Backend`."""
        unique_keys = options.unique_keys or [""] * len(calls)
        return [
            self._enqueue_one(queue, task_name, call, unique_key, options)
            for call, unique_key in zip(calls, unique_keys, strict=True)
        ]

    def _enqueue_one(
        self, queue: str, task_name: str, call: tuple[UUID, str], unique_key: str, options: JobOptions
    ) -> UUID:
        job_id, call_json = call
        key = (queue, unique_key)
        if job_id in self._known or key in self._unique:
            return job_id if job_id in self._known else self._unique[key]
        self._known.add(job_id)
        now_ms = time.time_ns() // 1_000_000
        priority = PRIORITIES.index(options.priority) + 1
        message = options.envelope(queue, task_name, now_ms).seal(str(job_id), call_json)
        claim = ClaimedAttempt(priority, "0-1", str(job_id), 1, 0, now_ms, task_name, message, [])
        if unique_key:
            self._unique[key] = job_id
        if options.due_ms(now_ms):
            self.waiting.append((queue, claim))
        else:
            self._run(queue, claim)
            self._unique.pop(key, None)
        return job_id

    def _run(self, queue: str, claim: ClaimedAttempt) -> None:
        attempt = Attempt(queue, claim, datetime.now(UTC))
        job = CurrentJob(job_id=UUID(claim.job_id), attempt=claim.attempt, log_lines=attempt.log_lines)
        set_current_job(job)
        try:
            attempt.open()
            job.requested_by_id = attempt.payload.requested_by_id if attempt.payload else None
            attempt.run()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a task does, as in a worker
            attempt.fail(error)
        finally:
            set_current_job(None)
        attempt.progress = job.last_progress
        attempt.finished_at = datetime.now(UTC)
        if attempt.error is not None and attempt.task:
            delay = retry_delay_seconds(attempt.task.retry_policy, claim.attempt, attempt.error, jitter=0.5)
            if delay is not None:
                failures = [*claim.failures, attempt.failure()]
                self._run(queue, replace(claim, attempt=claim.attempt + 1, failures=failures))
                return
        finished = row_of(attempt)
        finished.result = msgspec.json.decode(msgspec.json.encode(finished.result))
        self.finished.append(finished)


@contextmanager
def inline_jobs() -> Iterator[InlineJobs]:
    """Run every job that is enqueued inside of the block inline. Nests; not for use by several threads at once."""
    jobs = InlineJobs()
    with use_backend(jobs):
        yield jobs
