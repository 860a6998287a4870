"""One lane: jobs of a queue that run one after the other, in the order in which they were accepted.

Only the worker that holds the lane's lease fetches from it. A job keeps its place in line until it ends: one that is released,
retried or recovered stands before all that came after it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.scripts import Call, run_script
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import PURGE_LIMIT, ClaimedAttempt, Fetched, JobQueue, claimed_attempt

NORMAL = PRIORITIES.index("normal") + 1


class Lane(JobQueue):
    """The operations of a queue, on one of its lanes."""

    def __init__(self, name: str, client: RedisClient, number: int) -> None:
        super().__init__(name, client, number)
        self.number = number

    # --- Leases ---

    def take_call(self, consumer: str) -> Call:
        """Return the script call that gives the lane to a worker if it is free; it answers 1 or 0."""
        return self._call("take", consumer)

    def leave_call(self, consumer: str) -> Call:
        """Return the script call that ends a worker's lease, and hands back what it had begun there."""
        return self._call("leave", consumer)

    def open_call(self, step: str, lanes: int) -> Call:
        """Return the script call of a step of opening or closing (see `counts`); it answers how many jobs the lane holds."""
        return self._call("open", step, lanes)

    # --- Steps of a worker ---

    def fetch(self, consumer: str, count: int, *, own: bool = False) -> Fetched:
        """Begin the attempts of up to `count` jobs, in order; with `own`, return those that this worker had begun."""
        return self.fetched(self._run_call(self.fetch_call(consumer, count, own=own)))

    def fetch_call(self, consumer: str, count: int, *, own: bool = False, paused_tasks: Collection[str] = ()) -> Call:
        """Return the script call of `fetch`. Its answer begins with 0 if the worker does not hold the lane."""
        return self._call("fetch", consumer, count, int(own), self.number, *paused_tasks)

    def fetched(self, answer: Any) -> Fetched:
        """Read the answer to `fetch_call`."""
        _, started, dropped = answer
        return Fetched(False, [claimed_attempt(*[NORMAL, *fields, self.number]) for fields in started], dropped)

    def finish_call(self, ended: list[tuple[ClaimedAttempt, JobState]]) -> Call:
        """Return the script call of `finish`."""
        fields = [text for claim, state in ended for text in (claim.stream_id, claim.job_id, str(state))]
        return self._call("finish", self._tombstone_ms, *fields)

    def retry(self, claim: ClaimedAttempt, delay_seconds: float, failures: list[dict[str, Any]]) -> bool:
        """Delay the job of a failed attempt and with it those behind it; return False if the attempt no longer owned it."""
        delay_ms = int(delay_seconds * 1000)
        arguments = (claim.stream_id, claim.job_id, delay_ms, json.dumps(failures))
        return bool(self._run_call(self._call("retry", *arguments)))

    def release_call(self, claims: list[ClaimedAttempt]) -> Call:
        """Return the script call of `release`."""
        return self._call("release", *(text for claim in claims for text in (claim.stream_id, claim.job_id)))

    # --- Control ---

    def cancel(self, job_id: str, by: dict[str, Any]) -> str:
        """Cancel a waiting job, request a running one to stop; return the state after it, "" for an unknown job."""
        state = super().cancel(job_id, by)
        # Those behind a job that waited to be retried may run now.
        self.ring()
        return state

    def cancel_call(self, job_id: str, by: dict[str, Any]) -> Call:
        """Return the script call of `cancel`."""
        return self._call("cancel", job_id, json.dumps(by))

    def run_now(self, job_id: str) -> tuple[bool, str]:
        """Let a job that waits for a later time take its place in line; return whether it did, and its state after it."""
        moved, state = self._run_call(self._call("run_now", job_id))
        self.ring()
        return bool(moved), state.decode()

    def purge(self, by: dict[str, Any], limit: int = PURGE_LIMIT) -> Iterator[int]:
        """Cancel every waiting job, at most about `limit` per step; yield how many each step cancelled."""
        done = 0
        while not done:
            cancelled, done = self._run_call(self._call("purge", json.dumps(by), limit))
            yield cancelled

    # --- Housekeeping ---

    def promote_call(self, limit: int = 200) -> Call:
        """Return the script call of `promote`."""
        return self._call("promote", limit)

    def recover_call(
        self, consumer: str, reason: str, running: Sequence[str] | None, written: Sequence[str] = ()
    ) -> Call:
        """Return the script call that puts back a dead worker's jobs and ends its lease; it answers {requeued, ended}."""
        ran = "*" if running is None else ",".join(running)
        return self._call("recover", consumer, reason, self._config.max_worker_losses, ran, *written)

    def orphans(self, job_ids: Sequence[str | bytes], *, apply: bool) -> tuple[int, int]:
        """Look for the places of these jobs; see `engine.live.orphans`."""
        lost, remains = self._run_call(self._call("orphans", int(apply), *job_ids))
        return lost, remains

    def _call(self, name: str, *arguments: Any) -> Call:
        return f"lane_{name}", self.keys.lane_keys, [self.keys.job_prefix, *arguments]

    def _run_call(self, call: Call) -> Any:
        return run_script(self.client, *call)
