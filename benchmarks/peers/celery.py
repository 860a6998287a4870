"""Celery: prefork, results in Redis, acknowledged late, otherwise its defaults."""

from __future__ import annotations

import logging
import sys
import time

import redis
from celery import Celery

from benchmarks.peers.protocol import IDLE_BETWEEN_JOBS_SECONDS, Peer, redis_url


def celery_url() -> str:
    """Celery's way to name a unix socket and a database."""
    path, _, database = redis_url().removeprefix("unix://").partition("?db=")
    return f"redis+socket://{path}?virtual_host={database}"


app = Celery("benchmarks.peers.celery", broker=celery_url(), backend=celery_url())
app.conf.update(
    task_acks_late=True,
    task_default_queue="bench",
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
connection = redis.Redis.from_url(redis_url())
logging.getLogger("celery").setLevel(logging.WARNING)


@app.task(name="noop")
def noop() -> int:
    return 1


@app.task(name="started_at")
def started_at() -> float:
    return time.time()


def enqueue_bulk(jobs: int) -> None:
    """Celery's fastest way: one connection, messages one by one."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(jobs):
            noop.apply_async(producer=producer)


def unfinished() -> int:
    """Those waiting, and those a worker holds until it acknowledges them, after the result is stored."""
    with connection.pipeline(transaction=False) as pipeline:
        pipeline.llen("bench")
        pipeline.hlen("unacked")
        return sum(pipeline.execute())


def latencies(jobs: int) -> list[float]:
    sent = []
    for _ in range(jobs):
        time.sleep(IDLE_BETWEEN_JOBS_SECONDS)
        sent.append((time.time(), started_at.delay()))
    return [result.get(timeout=30) - at for at, result in sent]


PEER = Peer(
    name="celery",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=noop.delay,
    unfinished=unfinished,
    worker_command=lambda workers: [
        *(sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery", "worker"),
        *("--pool", "prefork", "--concurrency", str(workers), "--loglevel", "WARNING"),
    ],
    clear=connection.flushdb,
    latencies=latencies,
)
