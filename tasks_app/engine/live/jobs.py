"""Queries of live jobs, queues and workers, by bounded reads."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import read_number, read_object, read_text
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.keys import ASIDE, GROUP, PLACES_PER_MS
from tasks_app.engine.lanes import Lane, lanes_of, queue_parts
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
    # Groups and chains that wait for their members.
    groups: int = 0
    # {by (a user id), at (ISO), reason} of the pause; empty while the queue is not paused.
    pause: dict[str, Any] = field(default_factory=dict)
    # Paused task -> {by, at, reason} of its pause, and `jobs`: how many of it were put aside. `depth` counts them.
    paused_tasks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def put_aside(self) -> dict[str, int]:
        """Paused tasks, each with how many of its jobs were put aside."""
        return {task: pause["jobs"] for task, pause in self.paused_tasks.items()}


def _queues(client: RedisClient) -> list[JobQueue]:
    return [JobQueue(name, client) for name in engine_config().queues]


def find_live_job(client: RedisClient, job_id: str) -> JobHash | None:
    """Return the live job of that id, on whichever queue it is; None when there is none (it ended, or never was)."""
    parts = queue_parts(engine_config().queues, client)
    return next(filter(None, read_job_hashes(client, [(part.keys, job_id) for part in parts])), None)


def find_live_jobs(client: RedisClient, job_ids: list[str]) -> dict[str, JobHash]:
    """Return those of the jobs that live, by id, on whichever queues they are."""
    asked = [(part.keys, job_id) for part in queue_parts(engine_config().queues, client) for job_id in job_ids]
    return {job.job_id: job for job in read_job_hashes(client, asked) if job}


def list_live_jobs(client: RedisClient, queue_names: list[str], limit: int = MAX_LISTED) -> list[JobHash]:
    """Return the newest live jobs of these queues: per queue at most `limit` delayed, `limit` groups and, per
    priority, `limit` others."""
    found: list[JobHash] = []
    for part in queue_parts(queue_names, client):
        hashes = read_job_hashes(client, [(part.keys, job_id) for job_id in _newest_ids(part, limit)])
        found += [job for job in hashes if job and job.state in LIVE_STATES]
    return found


def _newest_ids(part: JobQueue, limit: int) -> list[str]:
    client, keys = part.client, part.keys
    pipe = client.pipeline(transaction=False)
    pipe.zrange(keys.delayed, 0, limit - 1)
    if isinstance(part, Lane):
        pipe.zrevrange(keys.running, 0, limit - 1)
        pipe.zrevrange(keys.queued, 0, limit - 1)
        # A job that waits to be retried is among the delayed and the queued.
        return list(dict.fromkeys(read_text(job_id) for ids in pipe.execute() for job_id in ids))
    for stream in keys.streams:
        pipe.xrevrange(stream, count=limit)
    pipe.zrevrange(keys.groups, 0, limit - 1)
    delayed, *entries, groups = pipe.execute()
    ids = [read_text(job_id) for job_id in (*delayed, *groups)]
    return ids + [read_text(fields.get(b"i")) for stream in entries for _, fields in stream]


def queue_stats(client: RedisClient) -> list[QueueStats]:
    """Return the figures of every queue."""
    return [_stats_of(queue) for queue in _queues(client)]


@dataclass(frozen=True, slots=True)
class _PartStats:
    """The figures of the streams of a queue, or of one of its lanes."""

    depth: int
    running: int
    scheduled: int
    retrying: int
    # Time in ms at which the oldest waiting job was queued, None if none waits.
    oldest_ms: float | None
    # Minute -> count of finished jobs.
    done: dict[bytes, bytes]


def _stats_of(queue: JobQueue) -> QueueStats:
    keys, client = queue.keys, queue.client
    pipe = client.pipeline(transaction=False)
    pipe.hlen(keys.consumers)
    pipe.get(keys.paused)
    pipe.zcard(keys.groups)
    pipe.hgetall(keys.paused_tasks)
    workers, paused, groups, marks = pipe.execute()
    aside = _put_aside(queue) if marks else {}
    parts = [_stats_of_streams(queue, aside), *_stats_of_lanes(lanes_of(queue.name, client), client)]
    oldest_ms = min((part.oldest_ms for part in parts if part.oldest_ms is not None), default=None)
    now = time.time()
    done = [(read_number(minute), read_number(count)) for part in parts for minute, count in part.done.items()]
    return QueueStats(
        name=queue.name,
        depth=sum(part.depth for part in parts),
        running=sum(part.running for part in parts),
        scheduled=sum(part.scheduled for part in parts),
        retrying=sum(part.retrying for part in parts),
        oldest_age_seconds=None if oldest_ms is None else max(0.0, now - oldest_ms / 1000),
        paused=paused is not None,
        workers=workers,
        per_minute=sum(count for minute, count in done if now // 60 - 5 <= minute < now // 60) / 5,
        groups=groups,
        pause=read_object(paused),
        paused_tasks={
            (task := read_text(name)): {
                **read_object(mark),
                "jobs": sum(counts.get(task, 0) for counts in aside.values()),
            }
            for name, mark in sorted(marks.items())
            if mark
        },
    )


def _put_aside(queue: JobQueue) -> dict[str, dict[str, int]]:
    """Return for each stream the number of jobs of each task that were put aside."""
    found: dict[str, dict[str, int]] = {}
    for stream in queue.keys.streams:
        with suppress(redis.ResponseError):
            consumers = queue.client.xpending(stream, GROUP)["consumers"]
            counts = {read_text(consumer["name"]): consumer["pending"] for consumer in consumers}
            found[stream] = {name[len(ASIDE) :]: count for name, count in counts.items() if name.startswith(ASIDE)}
    return found


def _stats_of_streams(queue: JobQueue, aside: dict[str, dict[str, int]]) -> _PartStats:
    pipe = queue.client.pipeline(transaction=False)
    pipe.zcard(queue.keys.delayed)
    pipe.hgetall(queue.keys.done)
    delayed, done = pipe.execute()
    streams = [
        _stream_stats(queue.client, stream, sum(aside.get(stream, {}).values())) for stream in queue.keys.streams
    ]
    retrying = _count_retrying(queue, delayed)
    return _PartStats(
        depth=sum(waiting for waiting, _, _ in streams),
        running=sum(running for _, running, _ in streams),
        scheduled=max(0, delayed - retrying),
        retrying=retrying,
        oldest_ms=min((oldest for _, _, oldest in streams if oldest is not None), default=None),
        done=done,
    )


def _stats_of_lanes(lanes: list[Lane], client: RedisClient) -> list[_PartStats]:
    """Return the figures of these lanes, read in one round trip."""
    pipe = client.pipeline(transaction=False)
    for lane in lanes:
        keys = lane.keys
        pipe.zcard(keys.queued)
        pipe.zcard(keys.running)
        pipe.zcard(keys.delayed)
        pipe.zintercard(2, [keys.queued, keys.delayed])
        pipe.zrange(keys.queued, 0, 0, withscores=True)
        pipe.hgetall(keys.done)
    answers = iter(pipe.execute())
    found = []
    for queued, running, delayed, retrying, first, done in zip(*[answers] * 6, strict=True):
        oldest_ms = first[0][1] / PLACES_PER_MS if first else None
        found.append(_PartStats(queued - retrying, running, delayed - retrying, retrying, oldest_ms, done))
    return found


def _stream_stats(client: RedisClient, stream: str, aside: int) -> tuple[int, int, int | None]:
    """Return (waiting, running, time in ms at which the oldest waiting entry was added) of one stream.

    Jobs that were put aside wait, but are not late.
    """
    running, last_delivered = 0, "0-0"
    try:
        for group in client.xinfo_groups(stream):
            if group["name"] == GROUP.encode():
                running, last_delivered = max(0, group["pending"] - aside), group["last-delivered-id"].decode()
    except redis.ResponseError:
        return 0, 0, None
    waiting = max(0, client.xlen(stream) - running)
    oldest = client.xrange(stream, min=f"({last_delivered}", count=1) if waiting > aside else []
    return waiting, running, int(oldest[0][0].split(b"-")[0]) if oldest else None


def _count_retrying(queue: JobQueue, delayed: int) -> int:
    """Count the delayed jobs that wait for another attempt, among the first MAX_LISTED."""
    if not delayed:
        return 0
    pipe = queue.client.pipeline(transaction=False)
    for job_id in queue.client.zrange(queue.keys.delayed, 0, MAX_LISTED - 1):
        pipe.hget(queue.keys.job(read_text(job_id)), "st")
    return sum(1 for state in pipe.execute(raise_on_error=False) if state == b"retrying")


def finished_per_minute(client: RedisClient) -> dict[str, dict[int, int]]:
    """Return for each queue how many jobs its workers finished in each minute (since the epoch) of the last hour."""
    found: dict[str, dict[int, int]] = {}
    for name in engine_config().queues:
        pipe = client.pipeline(transaction=False)
        for part in queue_parts(name, client):
            pipe.hgetall(part.keys.done)
        counts: dict[int, int] = defaultdict(int)
        for done in pipe.execute():
            for minute, count in done.items():
                counts[read_number(minute)] += read_number(count)
        found[name] = dict(counts)
    return found
