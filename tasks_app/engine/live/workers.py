"""The workers of all hosts, as their heartbeats and leases tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import read_number, read_object, read_text
from tasks_app.engine.lanes import lanes_of, lease_holders
from tasks_app.engine.streams import JobQueue


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process as described by its last heartbeat."""

    name: str
    queue: str
    host: str
    pid: int
    started_at: str
    current_job_id: str
    memory_bytes: int
    heartbeat_age_seconds: float
    # How long its process had not run when the heartbeat was sent: a worker that is frozen, or starved of processor time.
    pulse_age_seconds: float
    # working, quiet or stopping
    mode: str
    # <host>:<process id of the supervisor>, and how many workers of this queue that may have.
    cluster: str
    most_workers: int
    # Numbers of the lanes that it holds.
    lanes: list[int]


def list_workers(client: RedisClient) -> list[WorkerInfo]:
    """Return the workers of all hosts that have sent a heartbeat."""
    seconds, microseconds = client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    found: list[WorkerInfo] = []
    for name in engine_config().queues:
        found += _workers_of(JobQueue(name, client), now_ms)
    return sorted(found, key=lambda worker: (worker.queue, worker.host, worker.pid))


def _workers_of(queue: JobQueue, now_ms: int) -> list[WorkerInfo]:
    beats = {read_text(name): beat for name, beat in queue.client.zrange(queue.keys.beats, 0, -1, withscores=True)}
    lanes = _lanes_held(queue)
    found: list[WorkerInfo] = []
    for raw_name, raw in queue.client.hgetall(queue.keys.consumers).items():
        name, about = read_text(raw_name), read_object(raw)
        found.append(
            WorkerInfo(
                name=name,
                queue=queue.name,
                host=str(about.get("host", "")),
                pid=read_number(about.get("pid")),
                started_at=str(about.get("started_at", "")),
                current_job_id=str(about.get("job_id", "")),
                memory_bytes=read_number(about.get("memory_bytes")),
                heartbeat_age_seconds=max(0.0, (now_ms - beats.get(name, 0)) / 1000),
                pulse_age_seconds=_read_seconds(about.get("pulse_age_seconds")),
                mode=str(about.get("mode", "working")),
                # The name of a worker is <cluster>:<queue>:<place>:<random>.
                cluster=name.rsplit(":", 3)[0],
                most_workers=read_number(about.get("most_workers")),
                lanes=lanes.get(name, []),
            )
        )
    return found


def _read_seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _lanes_held(queue: JobQueue) -> dict[str, list[int]]:
    """Return the numbers of the lanes that each worker of the queue holds, by its name."""
    found: dict[str, list[int]] = defaultdict(list)
    if lanes := lanes_of(queue.name, queue.client):
        for number, holder in lease_holders(lanes, queue.client).items():
            found[holder].append(number)
    return found
