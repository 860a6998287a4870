"""Running jobs inside a test, through the real queue and the worker's own code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_ended
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker


def run_pending_jobs(*queue_names: str, max_turns: int = 200) -> int:
    """Run every job that is due, and those they enqueue, until nothing is due; return how many attempts ran.

    Jobs that wait for a later time (a countdown, a retry) are left alone.
    """
    names = queue_names or tuple(engine_config().queues)
    workers = [Worker(name, f"test:0:{name}:0", client()) for name in names]
    total = 0
    for _ in range(max_turns):
        ran = sum(_turn(worker) for worker in workers)
        total += ran
        if not ran:
            return total
    raise AssertionError(f"still jobs after {max_turns} turns")


def make_due(queue_name: str) -> None:
    """Make every delayed job due now."""
    keys = JobQueue(queue_name, client()).keys
    for job_id in client().zrange(keys.delayed, 0, -1):
        client().zadd(keys.delayed, {job_id: 1})


def _turn(worker: Worker) -> int:
    for part in queue_parts(worker.queue.name, client()):
        part.promote()
    record_ended(worker.queue)
    ran = worker.turn(None)
    worker.shut_down()
    return ran


@contextmanager
def queue_settings(settings: Any, **options: Any) -> Iterator[None]:
    """Give the queue "positions" other options inside the block."""
    usual = settings.Q_CLUSTER
    queues = usual["ALT_CLUSTERS"]
    changed = {**queues, "positions": {**queues["positions"], **options}}
    settings.Q_CLUSTER = {**usual, "ALT_CLUSTERS": changed}
    engine_config.cache_clear()
    try:
        yield
    finally:
        settings.Q_CLUSTER = usual
        engine_config.cache_clear()


@contextmanager
def queue_limit(settings: Any, jobs: int) -> Iterator[None]:
    """Let queues hold so many jobs at most inside the block."""
    usual = settings.TASK_ENGINE
    settings.TASK_ENGINE = {**usual, "MAX_QUEUE_DEPTH": jobs}
    engine_config.cache_clear()
    try:
        yield
    finally:
        settings.TASK_ENGINE = usual
        engine_config.cache_clear()
