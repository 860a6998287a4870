"""A queue as its parts: the streams of jobs that may run anywhere, and its lanes."""

from __future__ import annotations

from collections.abc import Iterable

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient
from tasks_app.engine.lanes.lane import Lane
from tasks_app.engine.streams import JobQueue


def lanes_of(name: str, client: RedisClient) -> list[Lane]:
    """Return the lanes of a queue, none for one without."""
    return [Lane(name, client, number) for number in range(engine_config().queue(name).lanes)]


def queue_parts(names: str | Iterable[str], client: RedisClient) -> list[JobQueue]:
    """Return the parts of one or several queues, of each the streams before the lanes."""
    found: list[JobQueue] = []
    for name in [names] if isinstance(names, str) else names:
        found += [JobQueue(name, client), *lanes_of(name, client)]
    return found


def part_of_job(names: str | Iterable[str], client: RedisClient, job_id: str) -> JobQueue | None:
    """Return the part of these queues that holds the job or its tombstone, found in one round trip; None for none."""
    parts = queue_parts(names, client)
    pipe = client.pipeline(transaction=False)
    for part in parts:
        pipe.exists(part.keys.job(job_id))
    return next((part for part, is_there in zip(parts, pipe.execute(), strict=True) if is_there), None)
