"""A queue as its parts: the streams of jobs that may run anywhere, and its lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    return parts_of_jobs(names, client, [job_id]).get(job_id)


def parts_of_jobs(names: str | Iterable[str], client: RedisClient, job_ids: Sequence[str]) -> dict[str, JobQueue]:
    """Return the parts that hold these jobs or their tombstones, by the jobs' ids, found in one round trip."""
    asked = [(job_id, part) for part in reversed(queue_parts(names, client)) for job_id in job_ids]
    pipe = client.pipeline(transaction=False)
    for job_id, part in asked:
        pipe.exists(part.keys.job(job_id))
    # Of several the first counts.
    return dict(one for one, is_there in zip(asked, pipe.execute(), strict=True) if is_there)
