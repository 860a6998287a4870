"""Lanes: a fixed number of ordered sub-queues of a queue, each run by one worker at a time."""

from tasks_app.engine.lanes.counts import change_lanes, open_new_lanes
from tasks_app.engine.lanes.keying import MAX_KEY_CHARS, LaneKey, lane_key, lane_number
from tasks_app.engine.lanes.lane import Lane
from tasks_app.engine.lanes.leases import Leases, lease_holders, ring_for_any_lane
from tasks_app.engine.lanes.parts import lanes_of, part_of_job, parts_of_jobs, queue_parts
from tasks_app.engine.lanes.upkeep import holders_without_beat, recover_lanes
from tasks_app.engine.lanes.worker_queue import WorkerQueue

__all__ = [
    "MAX_KEY_CHARS",
    "Lane",
    "LaneKey",
    "Leases",
    "WorkerQueue",
    "change_lanes",
    "holders_without_beat",
    "lane_key",
    "lane_number",
    "lanes_of",
    "lease_holders",
    "open_new_lanes",
    "part_of_job",
    "parts_of_jobs",
    "queue_parts",
    "recover_lanes",
    "ring_for_any_lane",
]
