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
from tasks_app.engine.keys import GROUP, PLACES_PER_MS
from tasks_app.engine.lanes import Lane, queue_parts
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import JobQueue

# Of the newest jobs of a page, so many at least are asked of each stream and lane.
_LEAST_SHARE = 5
# (milliseconds, number, index of the stream or lane) of an entry; (due in milliseconds, job id, 0) of a delayed job.
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
    queues = queue_parts(queue_names, client)
    if not queues:
        return []
    if state == JobState.QUEUED:
        found = _queued(queues, after, count)
    else:
        found = (_running if state == JobState.RUNNING else _delayed)(queues, after, count)
        found.sort(key=lambda entry: entry[0])
    return _with_hashes(client, found[:count])


def is_place(state: JobState, value: Any) -> bool:
    """Return whether a decoded cursor is a place in the order of this state."""
    if not isinstance(value, list) or len(value) != 3:
        return False
    kinds = (int, int, int) if state in (JobState.QUEUED, JobState.RUNNING) else (int, str, int)
    fits = all(type(item) is kind for item, kind in zip(value, kinds, strict=True))
    return fits and all(0 <= item < 2**53 for item in value if isinstance(item, int))


def _queued(queues: list[JobQueue], after: Place | None, count: int) -> list[tuple[Place, JobQueue, str]]:
    """Return the newest entries: each part is asked for its share first, and for all of it only where that was too few."""
    places = _places(queues)
    share = min(count, _LEAST_SHARE + 2 * count // max(1, len(places)))
    answers = _newest(places, after, share)
    found = _newest_first(_entries(places, answers))
    if share < count:
        # A part that has more may have some that come before the last one of the page.
        last = found[count - 1][0] if len(found) >= count else (0, 0, 0)
        more = [
            number
            for number, (place, answer) in enumerate(zip(places, answers, strict=True))
            if len(answer) == share and _entries([place], [answer[-1:]])[0][0] > last
        ]
        if more:
            for number, answer in zip(more, _newest([places[number] for number in more], after, count), strict=True):
                answers[number] = answer
            found = _newest_first(_entries(places, answers))
    return found


def _newest_first(found: list[tuple[Place, JobQueue, str]]) -> list[tuple[Place, JobQueue, str]]:
    return sorted(found, key=lambda entry: entry[0], reverse=True)


def _newest(places: list[tuple[int, JobQueue, str]], after: Place | None, count: int) -> list[Any]:
    """Return the newest entries of each of these parts, as Redis answers them."""
    pipe = places[0][1].client.pipeline(transaction=False)
    for index, part, stream in places:
        newest = _bound(part, index, after, index < after[2] if after else True)
        if isinstance(part, Lane):
            pipe.zrevrangebyscore(part.keys.queued, newest or "+inf", "-inf", 0, count, withscores=True)
        else:
            pipe.xrevrange(stream, max=newest or "+", count=count)
    return list(pipe.execute())


def _running(queues: list[JobQueue], after: Place | None, count: int) -> list[tuple[Place, JobQueue, str]]:
    places = _places(queues)
    pipe = queues[0].client.pipeline(transaction=False)
    for index, part, stream in places:
        oldest = _bound(part, index, after, index > after[2] if after else True)
        if isinstance(part, Lane):
            pipe.zrangebyscore(part.keys.running, oldest or "-inf", "+inf", 0, count, withscores=True)
        else:
            pipe.xpending_range(stream, GROUP, oldest or "-", "+", count)
    pending = pipe.execute(raise_on_error=False)
    pipe = queues[0].client.pipeline(transaction=False)
    found, asked = [], []
    for place, answer in zip(places, pending, strict=True):
        _, part, stream = place
        if isinstance(answer, redis.ResponseError) and "NOGROUP" in str(answer):
            continue
        if isinstance(answer, redis.RedisError):
            raise answer
        if isinstance(part, Lane):
            found += _entries([place], [answer])
            continue
        for entry in answer:
            pipe.xrange(stream, entry["message_id"], entry["message_id"])
            asked.append(place)
    return found + _entries(asked, pipe.execute()) + _groups(queues, len(places), after, count)


def _groups(
    queues: list[JobQueue], first_index: int, after: Place | None, count: int
) -> list[tuple[Place, JobQueue, str]]:
    """Return groups and chains that wait for their members: they are running since they were made."""
    found: list[tuple[Place, JobQueue, str]] = []
    for index, part in enumerate(queues, start=first_index):
        if isinstance(part, Lane):
            continue
        oldest = "-inf"
        if after:
            # A place of a group has the microseconds for its second number.
            oldest = f"{'' if index > after[2] else '('}{after[0] * 1000 + min(after[1], 999)}"
        entries = part.client.zrangebyscore(part.keys.groups, oldest, "+inf", start=0, num=count, withscores=True)
        found += [((*divmod(int(made_at), 1000), index), part, read_text(group_id)) for group_id, made_at in entries]
    return found


def _bound(part: JobQueue, index: int, after: Place | None, is_inclusive: bool) -> str | None:
    """Return the end of a range that a page begins after, None for the first page."""
    if after is None:
        return None
    milliseconds, number, _ = after
    open_sign = "" if is_inclusive else "("
    if isinstance(part, Lane):
        return f"{open_sign}{milliseconds * PLACES_PER_MS + min(number, PLACES_PER_MS - 1)}"
    return f"{open_sign}{milliseconds}-{number}"


def _entries(places: list[tuple[int, JobQueue, str]], answers: list[Any]) -> list[tuple[Place, JobQueue, str]]:
    """Return the entries of streams and the members of lanes, each with its place."""
    found: list[tuple[Place, JobQueue, str]] = []
    for (index, part, _), answer in zip(places, answers, strict=True):
        for first, second in answer:
            if isinstance(part, Lane):
                found.append(((*divmod(int(second), PLACES_PER_MS), index), part, read_text(first)))
            else:
                found.append((_place(first, index), part, read_text(second.get(b"i"))))
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


def _places(queues: list[JobQueue]) -> list[tuple[int, JobQueue, str]]:
    """Number the streams and the lanes of these parts; a lane has no stream."""
    pairs = [(part, stream) for part in queues for stream in ([""] if isinstance(part, Lane) else part.keys.streams)]
    return [(index, part, stream) for index, (part, stream) in enumerate(pairs)]


def _place(sid: bytes, index: int) -> Place:
    milliseconds, _, number = sid.partition(b"-")
    return int(milliseconds), int(number), index


def _with_hashes(client: RedisClient, found: list[tuple[Place, JobQueue, str]]) -> list[PlacedJob]:
    hashes = read_job_hashes(client, [(queue.keys, job_id) for _, queue, job_id in found])
    return [PlacedJob(place, job) for (place, _, _), job in zip(found, hashes, strict=True)]
