"""The leases of one worker: which lanes it may run, and its part in sharing them out.

A few times a second each worker notes that it looks for lanes, and takes or leaves some until it holds its share. A worker in a
long job does not look, so the others share its lanes among themselves; the one it runs a job of stays its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.errors import QueueLanesChanged
from tasks_app.engine.job_fields import read_number, read_text
from tasks_app.engine.lanes.counts import lanes_changed, open_new_lanes
from tasks_app.engine.lanes.lane import Lane
from tasks_app.engine.lanes.sharing import fair_share, lanes_to_leave, lanes_to_take
from tasks_app.engine.records import job_store
from tasks_app.engine.scripts import run_script, run_scripts
from tasks_app.engine.streams import JobQueue, ring_call

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
MAX_LOOK_SECONDS = 1.0
# A worker that has not looked for so long is dead or in a long job: no lanes are kept for it.
RECENT_MS = 3000


class Leases:
    """The lanes that a worker holds, each with the epoch under which PostgreSQL knows it (see `records.JobStore`)."""

    def __init__(self, queue: JobQueue, lanes: Sequence[Lane], consumer: str) -> None:
        self.held: dict[int, int] = {}
        self._queue = queue
        self._client = queue.client
        self._lanes = lanes
        self._consumer = consumer
        self._looks_at = 0.0
        self._is_resting = False

    def look_if_due(self) -> None:
        """Take or leave lanes, if the last look is a while ago. Call while no job of a lane is in hand."""
        began = time.monotonic()
        if not self._is_resting and began >= self._looks_at:
            self._look()
            # Where Redis is far away a look takes long: most of the time is for jobs.
            took = time.monotonic() - began
            self._looks_at = began + min(max(LOOK_SECONDS, 4 * took), MAX_LOOK_SECONDS)

    def rest(self, is_resting: bool) -> bool:
        """End all leases and take none while resting; return whether it is. Call while no job of a lane is in hand."""
        if is_resting and not self._is_resting:
            self.leave_all()
        self._is_resting = is_resting
        return is_resting

    def look_soon(self) -> None:
        """Let the next `look_if_due` look."""
        self._looks_at = 0.0

    def _look(self) -> None:
        workers = self._workers(self._consumer)
        if workers is None:
            self.leave(list(self.held))
            return
        holders = lease_holders(self._lanes, self._client)
        for number in [number for number in self.held if holders[number] != self._consumer]:
            del self.held[number]
        # Leases that were taken in an answer that was lost are left, and taken anew.
        unknown = [number for number, name in holders.items() if name == self._consumer and number not in self.held]
        share = fair_share(self._consumer, workers, len(self._lanes))
        self.leave([*unknown, *lanes_to_leave(self.held, share)])
        self._take(lanes_to_take([number for number, name in holders.items() if not name], len(self.held), share))

    def _workers(self, consumer: str) -> list[str] | None:
        """Return the workers that look for lanes; None if the queue has another number of lanes than this process."""
        keys = [self._queue.keys.lane_workers, self._queue.keys.lane_count]
        known, names = run_script(self._client, "lane_workers", keys, [consumer, RECENT_MS, len(self._lanes)])
        try:
            if not known:
                open_new_lanes(self._queue.name, self._client)
            elif read_number(known) != len(self._lanes):
                raise lanes_changed(self._queue.name, read_number(known), len(self._lanes))
        except QueueLanesChanged as error:
            logger.warning("no lane is taken: %s", error)
            return None
        return [read_text(name) for name in names]

    def _take(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        answers = run_scripts(self._client, [self._lanes[number].take_call(self._consumer) for number in numbers])
        taken = [number for number, is_taken in zip(numbers, answers, strict=True) if is_taken]
        claimed: dict[int, int] = {}
        try:
            if taken:
                claimed = job_store().claim_lanes(self._queue.name, taken, self._consumer)
        finally:
            # A lane whose former holder is still inside a transaction is tried again at the next look.
            self.leave([number for number in taken if number not in claimed])
        self.held |= claimed

    def leave(self, numbers: Collection[int]) -> None:
        """End these leases; attempts begun there, none of which may be running, are handed back."""
        if not numbers:
            return
        for number in numbers:
            self.held.pop(number, None)
        run_scripts(self._client, [self._lanes[number].leave_call(self._consumer) for number in numbers])
        ring_for_any_lane(self._queue)

    def leave_all(self) -> None:
        """End all leases, and look for none until the next look."""
        self._client.zrem(self._queue.keys.lane_workers, self._consumer)
        self.look_soon()
        self.leave(list(self.held))

    def give_up(self, *, keep: Collection[int]) -> None:
        """Leave all lanes but those of `keep` if there is another worker to take them."""
        if not self.held.keys() - set(keep):
            return
        workers = self._workers("")
        if workers is None or set(workers) <= {self._consumer}:
            return
        self._client.zrem(self._queue.keys.lane_workers, self._consumer)
        self.look_soon()
        self.leave([number for number in self.held if number not in keep])

    def forget(self, number: int) -> None:
        """Note that the lease of a lane turned out to be another's."""
        self.held.pop(number, None)


def lease_holders(lanes: Sequence[Lane], client: RedisClient) -> dict[int, str]:
    """Return the worker that holds each of these lanes, by the lane's number; "" for a lane that is free."""
    pipe = client.pipeline(transaction=False)
    for lane in lanes:
        pipe.get(lane.keys.lease)
    return {lane.number: read_text(name) for lane, name in zip(lanes, pipe.execute(), strict=True)}


def ring_for_any_lane(queue: JobQueue) -> None:
    """Wake all workers of the queue: a lane may be free."""
    run_scripts(queue.client, [ring_call(queue.keys, "*")])
