"""A test double for projects that use this engine: jobs run inline, with the same checks and states, without Redis.

    from tasks_app.engine.testing import inline_jobs

    def test_it_greets():
        with inline_jobs() as jobs:
            greet.delay("Ana")
        assert jobs.finished[0].state == "succeeded"

A job runs where it is enqueued, all its attempts at once and without waiting in between. A job with a countdown or eta waits
in `jobs.waiting` until `run_waiting()`. Jobs of a batched task run one by one, through the function of one call. An error of a
task does not reach the caller, as in production; it is on the job. A success without a row (`keeps_successes=False`) is not in
`finished`; its handle says that it succeeded, without a result.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.backends import use_backend
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import EngineError, JobCancelled, UnknownJob
from tasks_app.engine.groups.following import Follower
from tasks_app.engine.groups.inline_groups import InlineGroups
from tasks_app.engine.groups.members import children_of_ended
from tasks_app.engine.groups.redis_groups import NewGroup
from tasks_app.engine.handles import JobHandle, use_jobs
from tasks_app.engine.inline import finished_inline, inline_claim, run_inline
from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.records import FinishedJob, use_job_store
from tasks_app.engine.retry import retry_delay_seconds
from tasks_app.engine.states import JobState
from tasks_app.engine.storing import store_rows
from tasks_app.engine.streams import ClaimedAttempt


class InlineJobs:
    """Backend that runs jobs inline: `finished` ones in the order in which they ended, `waiting` ones due later."""

    def __init__(self) -> None:
        self.finished: list[FinishedJob] = []
        self.waiting: list[tuple[str, ClaimedAttempt]] = []
        self._known: set[UUID] = set()
        self._without_row: dict[str, FinishedJob] = {}
        self._unique: dict[tuple[str, str], UUID] = {}
        self.groups = InlineGroups(self._run, self._drop)

    def run_waiting(self) -> int:
        """Run the jobs that wait for a later time; return how many ran."""
        waiting, self.waiting = self.waiting, []
        for queue, claim in waiting:
            self._run(queue, claim)
        return len(waiting)

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Run the jobs, or keep those with a later time in `waiting`; see `backends.Backend`."""
        unique_keys = options.unique_keys or [""] * len(calls)
        members = options.member_indexes or [None] * len(calls)
        return [
            self._enqueue_one(queue, task_name, call, unique_key, replace(options, member_indexes=[member]))
            for call, unique_key, member in zip(calls, unique_keys, members, strict=True)
        ]

    def make_whole(self, new: NewGroup, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> bool:
        """Return False: a member runs as soon as it is made, which its group has to wait for."""
        return False

    def _enqueue_one(
        self, queue: str, task_name: str, call: tuple[UUID, str], unique_key: str, options: JobOptions
    ) -> UUID:
        job_id, call_json = call
        key = (queue, unique_key)
        if job_id in self._known or key in self._unique:
            return job_id if job_id in self._known else self._unique[key]
        self._known.add(job_id)
        now_ms = options.created_ms or time.time_ns() // 1_000_000
        claim = inline_claim(queue, task_name, (job_id, call_json), options, now_ms)
        if unique_key:
            self._unique[key] = job_id
        if options.due_ms(now_ms):
            self.waiting.append((queue, claim))
        else:
            self._run(queue, claim)
            self._unique.pop(key, None)
        return job_id

    def _run(self, queue: str, claim: ClaimedAttempt) -> None:
        attempt = run_inline(queue, claim)
        if attempt.error is not None and attempt.task:
            delay = retry_delay_seconds(attempt.task.retry_policy, claim.attempt, attempt.error, jitter=0.5)
            if delay is not None:
                failures = [*claim.failures, attempt.failure()]
                self._run(queue, replace(claim, attempt=claim.attempt + 1, failures=failures))
                return
        self._finish(attempt)

    def _finish(self, attempt: Attempt) -> None:
        row = finished_inline(attempt)
        if attempt.leaves_no_row:
            self._without_row[attempt.claim.job_id] = row
        else:
            (row,) = store_rows([row])
        if attempt.payload and attempt.payload.flow:
            Follower(self, store_rows).follow([(attempt.payload.flow, row)])

    # --- The rows of ended jobs ---

    def store_finished(self, jobs: list[FinishedJob]) -> int:
        """Keep the rows in `finished`; see `records.JobStore`."""
        known = self.find_ended([job.job_id for job in jobs])
        new = [job for job in jobs if job.job_id not in known]
        self.finished += new
        return len(new)

    def stored_states(self, job_ids: list[str]) -> dict[str, str]:
        """Return the final state of those of the jobs that have ended."""
        return {job_id: row.state for job_id, row in self.find_ended(job_ids).items()}

    def find_ended(self, job_ids: list[str]) -> dict[str, FinishedJob]:
        """Return the rows of those of the jobs that have ended, by id."""
        asked = set(job_ids)
        return {row.job_id: row for row in self.finished if row.job_id in asked}

    def find_labelled(self, label: str) -> list[FinishedJob]:
        """Return the rows of jobs with this label, in the order in which they ended."""
        return [row for row in self.finished if row.label == label]

    def count_labelled(self, label: str, *, failed_only: bool) -> int:
        """Return how many jobs with this label have ended."""
        rows = self.find_labelled(label)
        return sum(1 for row in rows if not failed_only or row.state != JobState.SUCCEEDED)

    def remove_label(self, label: str) -> int:
        """Take the label off all rows; return their number."""
        rows = self.find_labelled(label)
        for row in rows:
            row.label = ""
        return len(rows)

    def find_finished(self, job_id: str) -> FinishedJob | None:
        """Return the row of this job, None while it has not ended."""
        return self.find_ended([job_id]).get(job_id)

    def find_results(self, job_ids: list[str]) -> dict[str, Any]:
        """Return the results of those of the jobs that have ended, by id."""
        return {job_id: row.result for job_id, row in self.find_ended(job_ids).items()}

    def claim_lanes(self, queue: str, lanes: list[int], holder: str) -> dict[int, int]:
        """Return an epoch for each lane: jobs that run inline are in none."""
        return dict.fromkeys(lanes, 1)

    def hold_lanes(self, queue: str, lanes: Collection[int]) -> dict[int, int]:
        """Return the epochs of these lanes."""
        return dict.fromkeys(lanes, 1)

    # --- What handles ask ---

    def state(self, job: JobHandle) -> JobState:
        """Return the state of a job that was enqueued here. Raises UnknownJob."""
        if ended := self.ended(job):
            return ended.state
        return JobState.RUNNING if self.groups.is_waiting(str(job)) else JobState.SCHEDULED

    def ended(self, job: JobHandle) -> FinishedJob | None:
        """Return how the job ended, None while it waits for a later time. Raises UnknownJob."""
        if job not in self._known and not self.groups.is_known(str(job)):
            raise UnknownJob(f"No job has the id {job}.")
        if row := self._without_row.get(str(job)):
            # As the minute in which Redis remembers it: that it succeeded, not with what result.
            return replace(row, result=None)
        return self.find_finished(str(job))

    def live(self, job: JobHandle) -> JobHash | None:
        """Return a job that waits for a later time, None for any other."""
        for queue, claim in self.waiting:
            if claim.job_id == str(job):
                return _hash_of(queue, claim)
        return None

    def wait(self, job: JobHandle, timeout_seconds: float | None) -> bool:
        """Return whether the job has ended: nothing ends it but `run_waiting`, so nothing is waited for."""
        return self.ended(job) is not None

    def cancel(self, job: JobHandle, reason: str) -> JobState:
        """Take a job, or the members of a group, that wait for a later time off the list; return the state after that."""
        for member in self.groups.cancel(str(job), reason):
            if self.groups.is_known(member) or UUID(member) in self._known:
                self.cancel(JobHandle(member), reason)
        for queue, claim in [one for one in self.waiting if one[1].job_id == str(job)]:
            self.waiting.remove((queue, claim))
            self._drop(queue, claim, reason)
        return self.state(job)

    def children(self, job: JobHandle) -> list[str]:
        """Return the ids of its members and callbacks."""
        row = self.ended(job)
        return children_of_ended(row) if row else self.groups.members(str(job))

    def _drop(self, queue: str, claim: ClaimedAttempt, reason: str) -> None:
        """End a job that has not run as cancelled."""
        attempt = Attempt(queue, claim, datetime.now(UTC))
        with suppress(EngineError):
            attempt.open()
        attempt.fail(JobCancelled(reason or "Cancelled before it started."))
        self._finish(attempt)


def _hash_of(queue: str, claim: ClaimedAttempt) -> JobHash | None:
    """Return a job that waits as Redis would hold it."""
    fields = {
        b"st": JobState.SCHEDULED.encode(),
        b"p": claim.message,
        b"t": claim.task.encode(),
        b"pri": PRIORITIES[claim.priority - 1].encode(),
        b"enq": str(claim.created_ms).encode(),
    }
    return JobHash.from_redis(queue, claim.job_id, fields)


@contextmanager
def inline_jobs() -> Iterator[InlineJobs]:
    """Run every job that is enqueued inside of the block inline. Nests; not for use by several threads at once."""
    jobs = InlineJobs()
    with use_backend(jobs), use_jobs(jobs), use_job_store(jobs):
        yield jobs
