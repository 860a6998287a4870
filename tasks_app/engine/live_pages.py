"""Paging through the live jobs of one state, however many there are: every page reads a bounded part of each queue.

Queued jobs come newest first, running ones longest first, scheduled and retrying ones soonest first. A place in the
order is a list of plain values (so that it can travel in a cursor): a job that moves on meanwhile may be missed by the
page it leaves, but none that stays is skipped or shown twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from tasks_app.engine.connection import RedisClient
from tasks_app.engine.job_fields import read_text
from tasks_app.engine.job_hash import JobHash, read_job_hashes
from tasks_app.engine.keys import GROUP
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import JobQueue

# (milliseconds, number, index of the stream) of a stream entry; (due in milliseconds, job id, 0) of a delayed job.
Place = tuple[int, Any, int]


@dataclass(frozen=True, slots=True)
class PlacedJob:
    """A live job and its place in the order; `job` is None if it ended while the page was read."""

    place: Place
    job: JobHash | None


def live_jobs_after(
    client: RedisClient, state: JobState, queue_names: list[str], after: Place | None, count: int
) -> list[PlacedJob]:
    """Return at most `count` entries that follow `after` (None: from the beginning); none are left when it is empty.

    Jobs of another state than `state` are among them: a stream holds queued and running ones.
    """
    queues = [JobQueue(name, client) for name in queue_names]
    read = {JobState.QUEUED: _queued, JobState.RUNNING: _running}.get(state, _delayed)
    found = read(queues, after, count)
    found.sort(key=lambda entry: entry[0], reverse=state == JobState.QUEUED)
    return _with_hashes(client, found[:count])


def is_place(state: JobState, value: Any) -> bool:
    """Return whether a decoded cursor is a place in the order of this state."""
    if not isinstance(value, list) or len(value) != 3:
        return False
    kinds = (int, int, int) if state in (JobState.QUEUED, JobState.RUNNING) else (int, str, int)
    fits = all(type(item) is kind for item, kind in zip(value, kinds, strict=True))
    return fits and all(0 <= item < 2**53 for item in value if isinstance(item, int))


def _queued(queues: list[JobQueue], after: Place | None, count: int) -> list[tuple[Place, JobQueue, str]]:
    found: list[tuple[Place, JobQueue, str]] = []
    for index, queue, stream in _streams(queues):
        newest = "+"
        if after:
            newest = f"{'' if index < after[2] else '('}{after[0]}-{after[1]}"
        for sid, fields in queue.client.xrevrange(stream, max=newest, count=count):
            found.append((_place(sid, index), queue, read_text(fields.get(b"i"))))
    return found


def _running(queues: list[JobQueue], after: Place | None, count: int) -> list[tuple[Place, JobQueue, str]]:
    found: list[tuple[Place, JobQueue, str]] = []
    for index, queue, stream in _streams(queues):
        oldest = "-"
        if after:
            oldest = f"{'' if index > after[2] else '('}{after[0]}-{after[1]}"
        try:
            pending = queue.client.xpending_range(stream, GROUP, oldest, "+", count)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            continue
        pipe = queue.client.pipeline(transaction=False)
        for entry in pending:
            pipe.xrange(stream, entry["message_id"], entry["message_id"])
        for entries in pipe.execute():
            found += [(_place(sid, index), queue, read_text(fields.get(b"i"))) for sid, fields in entries]
    return found


def _delayed(queues: list[JobQueue], after: Place | None, count: int) -> list[tuple[Place, JobQueue, str]]:
    found: list[tuple[Place, JobQueue, str]] = []
    for queue in queues:
        first = _rank_after(queue, after) if after else 0
        entries = queue.client.zrange(queue.keys.delayed, first, first + count - 1, withscores=True)
        found += [((int(due), read_text(job_id), 0), queue, read_text(job_id)) for job_id, due in entries]
    return found


def _rank_after(queue: JobQueue, after: Place) -> int:
    """Return the rank of the first delayed job that follows `after`; jobs due in one millisecond are ordered by id."""
    key, client = queue.keys.delayed, queue.client
    low, high = client.zcount(key, "-inf", f"({after[0]}"), client.zcount(key, "-inf", after[0])
    while low < high:
        middle = (low + high) // 2
        at_middle = client.zrange(key, middle, middle)
        if at_middle and read_text(at_middle[0]) <= after[1]:
            low = middle + 1
        else:
            high = middle
    return low


def _streams(queues: list[JobQueue]) -> list[tuple[int, JobQueue, str]]:
    pairs = [(queue, stream) for queue in queues for stream in queue.keys.streams]
    return [(index, queue, stream) for index, (queue, stream) in enumerate(pairs)]


def _place(sid: bytes, index: int) -> Place:
    milliseconds, _, number = sid.partition(b"-")
    return int(milliseconds), int(number), index


def _with_hashes(client: RedisClient, found: list[tuple[Place, JobQueue, str]]) -> list[PlacedJob]:
    hashes = read_job_hashes(client, [(queue.keys, job_id) for _, queue, job_id in found])
    return [PlacedJob(place, job) for (place, _, _), job in zip(found, hashes, strict=True)]
