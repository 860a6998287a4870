"""RQ: its worker pool with the default worker, which forks for every job; results in Redis."""

from __future__ import annotations

import sys

import redis
from rq import Queue
from rq.registry import FinishedJobRegistry

from benchmarks.peers.noop import noop
from benchmarks.peers.protocol import Peer, redis_url

connection = redis.Redis.from_url(redis_url())
queue = Queue("bench", connection=connection)
enqueued = 0


def enqueue_bulk(jobs: int) -> None:
    global enqueued
    queue.enqueue_many([Queue.prepare_data(noop, result_ttl=3600) for _ in range(jobs)])
    enqueued += jobs


def stored_results() -> int:
    return connection.zcard(FinishedJobRegistry(queue=queue).key)


PEER = Peer(
    name="rq",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=lambda: queue.enqueue(noop, result_ttl=3600),
    unfinished=lambda: enqueued - stored_results(),
    worker_command=lambda workers: [
        *(sys.executable, "-c", "import sys; from rq.cli import main; sys.exit(main())", "worker-pool", "bench"),
        *("--num-workers", str(workers), "--url", redis_url(), "--logging-level", "WARNING"),
    ],
    clear=connection.flushdb,
    stored=stored_results,
)
