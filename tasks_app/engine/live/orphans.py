"""Repair of orphans in a queue: jobs without a place, unique keys without a job, consumers without a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.job_fields import read_text
from tasks_app.engine.lanes import Lane, holders_without_beat, queue_parts, recover_lanes
from tasks_app.engine.scripts import run_script
from tasks_app.engine.streams import JobQueue

KEYS_AT_ONCE = 500
STALE_SECONDS = 3600.0


def repair_queue(name: str, *, apply: bool, has_time: Callable[[], bool] = lambda: True) -> dict[str, int]:
    """Look through one queue's keys; with `apply` put back the jobs and remove the rest.

    Returns {"lost_jobs": live ones, now queued again, "job_remains", "unique_keys", "consumers"}. Everything is looked
    at and changed in single steps, so it may run beside workers. Raises redis.RedisError.
    """
    counts = {"lost_jobs": 0, "job_remains": 0, "unique_keys": 0, "consumers": 0}
    for part in queue_parts(name, client()):
        for keys in _batches(part.keys.job_prefix):
            if not has_time():
                return counts
            lost, remains = _look_for_places(part, keys, apply)
            counts["lost_jobs"] += lost
            counts["job_remains"] += remains
        for keys in _batches(part.keys.tag + "unique:"):
            counts["unique_keys"] += sum(_is_free(part, key, apply) for key in keys)
    counts["consumers"] = _stale_consumers(JobQueue(name, client()), apply)
    return counts


def _look_for_places(part: JobQueue, keys: list[bytes], apply: bool) -> tuple[int, int]:
    """Return how many of these jobs live and lost their place, and how many are remains of others."""
    ids = [key[len(part.keys.job_prefix.encode()) :] for key in keys]
    if isinstance(part, Lane):
        return part.orphans(ids, apply=apply)
    places = [*part.keys.streams, part.keys.delayed, part.keys.ended, part.keys.groups]
    lost, remains = run_script(part.client, "orphans", places, [part.keys.job_prefix, int(apply), *ids])
    return lost, remains


def _batches(prefix: str) -> Iterator[list[bytes]]:
    """Yield the keys under a prefix, some at a time. A key may come twice."""
    pattern = "".join(f"\\{letter}" if letter in "*?[]\\" else letter for letter in prefix) + "*"
    found = client().scan_iter(pattern, count=KEYS_AT_ONCE)
    while keys := list(islice(found, KEYS_AT_ONCE)):
        yield keys


def _is_free(queue: JobQueue, key: bytes, apply: bool) -> bool:
    """Return whether a unique key names a job that no longer exists; with `apply` delete the key."""
    (job_id,) = queue.client.pipeline(transaction=False).get(key).execute(raise_on_error=False)
    if not isinstance(job_id, bytes) or queue.client.exists(queue.keys.job_prefix.encode() + job_id):
        return False
    if apply:
        run_script(queue.client, "free_unique_key", [key], [job_id])
    return True


def _stale_consumers(queue: JobQueue, apply: bool) -> int:
    stale = queue.consumers_without_beat(idle_seconds=STALE_SECONDS)
    described = [read_text(name) for name in queue.client.hkeys(queue.keys.consumers)]
    stale += [name for name in described if queue.client.zscore(queue.keys.beats, name) is None]
    names = sorted({*stale, *holders_without_beat(queue)})
    for name in names if apply else []:
        recover_lanes(queue, name, "it has no heartbeat", running=None)
        dead_after = engine_config().dead_after_seconds
        queue.recover(name, "it has no heartbeat", dead_after_seconds=dead_after, running=None)
    return len(names)
