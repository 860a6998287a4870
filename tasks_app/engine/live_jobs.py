"""Queries of live jobs, queues and workers, by bounded reads."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import read_number, read_object, read_text
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.keys import GROUP
from tasks_app.engine.states import LIVE_STATES
from tasks_app.engine.streams import JobQueue

MAX_LISTED = 500


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The figures of a queue. `per_minute` is the mean of finished jobs over the last five minutes."""

    name: str
    depth: int
    running: int
    scheduled: int
    retrying: int
    oldest_age_seconds: float | None
    paused: bool
    workers: int
    per_minute: float
    # {by (a user id), at (ISO), reason} of the pause; empty while the queue is not paused.
    pause: dict[str, Any] = field(default_factory=dict)


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


def _queues(client: RedisClient) -> list[JobQueue]:
    return [JobQueue(name, client) for name in engine_config().queues]


def find_live_job(client: RedisClient, job_id: str) -> JobHash | None:
    """Return the live job of that id, on whichever queue it is; None when there is none (it ended, or never was)."""
    for queue in _queues(client):
        (found,) = read_job_hashes(client, [(queue.keys, job_id)])
        if found:
            return found
    return None


def list_live_jobs(client: RedisClient, queue_names: list[str], limit: int = MAX_LISTED) -> list[JobHash]:
    """Return the newest live jobs of these queues: per queue at most `limit` delayed and, per priority, `limit` others."""
    found: list[JobHash] = []
    for name in queue_names:
        queue = JobQueue(name, client)
        ids = [read_text(job_id) for job_id in client.zrange(queue.keys.delayed, 0, limit - 1)]
        for stream in queue.keys.streams:
            ids += [read_text(fields.get(b"i")) for _, fields in client.xrevrange(stream, count=limit)]
        hashes = read_job_hashes(client, [(queue.keys, job_id) for job_id in ids])
        found += [job for job in hashes if job and job.state in LIVE_STATES]
    return found


def queue_stats(client: RedisClient) -> list[QueueStats]:
    """Return the figures of every queue."""
    return [_stats_of(queue) for queue in _queues(client)]


def _stats_of(queue: JobQueue) -> QueueStats:
    keys, client = queue.keys, queue.client
    pipe = client.pipeline(transaction=False)
    pipe.zcard(keys.delayed)
    pipe.hlen(keys.consumers)
    pipe.hgetall(keys.done)
    pipe.get(keys.paused)
    delayed, workers, done, paused = pipe.execute()
    streams = [_stream_stats(client, stream) for stream in keys.streams]
    oldest_ms = min((oldest for _, _, oldest in streams if oldest is not None), default=None)
    retrying = _count_retrying(queue, delayed)
    now = time.time()
    recent = sum(read_number(n) for minute, n in done.items() if now // 60 - 5 <= read_number(minute) < now // 60)
    return QueueStats(
        name=queue.name,
        depth=sum(waiting for waiting, _, _ in streams),
        running=sum(running for _, running, _ in streams),
        scheduled=max(0, delayed - retrying),
        retrying=retrying,
        oldest_age_seconds=None if oldest_ms is None else max(0.0, now - oldest_ms / 1000),
        paused=paused is not None,
        workers=workers,
        per_minute=recent / 5,
        pause=read_object(paused),
    )


def _stream_stats(client: RedisClient, stream: str) -> tuple[int, int, int | None]:
    """Return (waiting, running, time in ms at which the oldest waiting entry was added) of one stream."""
    running, last_delivered = 0, "0-0"
    try:
        for group in client.xinfo_groups(stream):
            if group["name"] == GROUP.encode():
                running, last_delivered = group["pending"], group["last-delivered-id"].decode()
    except redis.ResponseError:
        return 0, 0, None
    waiting = max(0, client.xlen(stream) - running)
    oldest = client.xrange(stream, min=f"({last_delivered}", count=1) if waiting else []
    return waiting, running, int(oldest[0][0].split(b"-")[0]) if oldest else None


def _count_retrying(queue: JobQueue, delayed: int) -> int:
    """Count the delayed jobs that wait for another attempt, among the first MAX_LISTED."""
    if not delayed:
        return 0
    pipe = queue.client.pipeline(transaction=False)
    for job_id in queue.client.zrange(queue.keys.delayed, 0, MAX_LISTED - 1):
        pipe.hget(queue.keys.job(read_text(job_id)), "st")
    return sum(1 for state in pipe.execute(raise_on_error=False) if state == b"retrying")


def list_workers(client: RedisClient) -> list[WorkerInfo]:
    """Return the workers of all hosts that have sent a heartbeat."""
    seconds, microseconds = client.time()
    now_ms = seconds * 1000 + microseconds // 1000
    found: list[WorkerInfo] = []
    for queue in _queues(client):
        beats = {read_text(name): beat for name, beat in client.zrange(queue.keys.beats, 0, -1, withscores=True)}
        for raw_name, raw in client.hgetall(queue.keys.consumers).items():
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
                )
            )
    return sorted(found, key=lambda worker: (worker.queue, worker.host, worker.pid))
