"""No job system: PING through the Redis client that the engine enqueues with, which nothing in Python on it can outrun."""

from __future__ import annotations

import django

django.setup()

from benchmarks.peers.protocol import Peer  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402


def ping_all(jobs: int) -> None:
    pipeline = client().pipeline(transaction=False)
    for _ in range(jobs):
        pipeline.ping()
    pipeline.execute()


PEER = Peer(
    name="redis_ping",
    enqueue_bulk=ping_all,
    enqueue_one=client().ping,
    unfinished=lambda: 0,
    worker_command=lambda workers: [],
    clear=lambda: None,
)
