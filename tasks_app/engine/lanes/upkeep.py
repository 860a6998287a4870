"""Housekeeping of a queue's lanes: what dead workers held, and leases that nobody can end any more."""

from __future__ import annotations

from collections.abc import Sequence

from tasks_app.engine.lanes.leases import lease_holders, ring_for_any_lane
from tasks_app.engine.lanes.parts import lanes_of
from tasks_app.engine.scripts import run_scripts
from tasks_app.engine.streams import JobQueue


def recover_lanes(
    queue: JobQueue, consumer: str, reason: str, *, running: Sequence[str] | None, written: Sequence[str] = ()
) -> tuple[int, int]:
    """Free the lanes of a dead worker and put its jobs back in line; return (requeued, ended). Arguments as of `recover`."""
    lanes = lanes_of(queue.name, queue.client)
    if not lanes:
        return 0, 0
    queue.client.zrem(queue.keys.lane_workers, consumer)
    calls = [lane.recover_call(consumer, reason, running, written) for lane in lanes]
    answers = run_scripts(queue.client, calls)
    ring_for_any_lane(queue)
    return sum(requeued for requeued, _ in answers), sum(ended for _, ended in answers)


def holders_without_beat(queue: JobQueue) -> set[str]:
    """Return the workers that hold lanes and have no heartbeat, which Redis lost or nobody wrote."""
    holders = set(lease_holders(lanes_of(queue.name, queue.client), queue.client).values()) - {""}
    return {name for name in holders if queue.client.zscore(queue.keys.beats, name) is None}
