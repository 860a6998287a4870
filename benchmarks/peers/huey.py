"""Huey: worker processes, results off, so that it stores nothing at all."""

from __future__ import annotations

import sys

import redis
from huey import RedisHuey
from huey.bin import huey_consumer

from benchmarks.peers.protocol import Peer, redis_url

app = RedisHuey("bench", url=redis_url(), results=False)
connection = redis.Redis.from_url(redis_url())


@app.task()
def noop() -> int:
    return 1


def enqueue_bulk(jobs: int) -> None:
    for _ in range(jobs):
        noop()


PEER = Peer(
    name="huey",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=noop,
    # A job leaves the list when a worker takes it: of the last ones the run itself is not counted.
    unfinished=app.pending_count,
    worker_command=lambda workers: [
        *(sys.executable, huey_consumer.__file__, "benchmarks.peers.huey.app"),
        *("--workers", str(workers), "--worker-type", "process", "--quiet"),
    ],
    clear=connection.flushdb,
)
