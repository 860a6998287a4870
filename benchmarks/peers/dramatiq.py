"""Dramatiq: processes with its default threads, no results. Its broker acknowledges after the run."""

from __future__ import annotations

import sys

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.protocol import Peer, redis_url

connection = redis.Redis.from_url(redis_url())
broker = RedisBroker(url=redis_url())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def noop() -> None:
    pass


def enqueue_bulk(jobs: int) -> None:
    for _ in range(jobs):
        noop.send()


PEER = Peer(
    name="dramatiq",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=noop.send,
    # The message is kept until it is acknowledged.
    unfinished=lambda: connection.hlen("dramatiq:bench.msgs"),
    worker_command=lambda workers: [
        *(sys.executable, "-m", "dramatiq", "benchmarks.peers.dramatiq", "--processes", str(workers)),
    ],
    clear=connection.flushdb,
)
