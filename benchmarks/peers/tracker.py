"""Ours: `manage.py qcluster` on one queue, results in PostgreSQL, at least once."""

from __future__ import annotations

import sys
import time

import django

django.setup()

from django.db import connection  # noqa: E402

from benchmarks.peers.protocol import IDLE_BETWEEN_JOBS_SECONDS, Peer  # noqa: E402
from tasks_app.engine import get_task  # noqa: E402
from tasks_app.engine.config import engine_config  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.engine.keys import QueueKeys  # noqa: E402
from tasks_app.engine.lanes import lanes_of  # noqa: E402
from tasks_app.models import Job  # noqa: E402

NOOP = get_task("bench_noop")
STARTED_AT = get_task("bench_started_at")


def enqueue_bulk(jobs: int) -> None:
    NOOP.enqueue_many([()] * jobs)


def unfinished() -> int:
    return live_jobs_of(NOOP.queue)


def live_jobs_of(queue: str) -> int:
    """How many jobs wait or run. One leaves its stream or its lane only after its result is committed."""
    with client().pipeline(transaction=False) as pipeline:
        for stream in QueueKeys(engine_config().prefix, queue).streams:
            pipeline.xlen(stream)
        for lane in lanes_of(queue, client()):
            for places in (lane.keys.queued, lane.keys.running, lane.keys.delayed):
                pipeline.zcard(places)
        return sum(pipeline.execute())


def latencies(jobs: int) -> list[float]:
    sent = {}
    for _ in range(jobs):
        time.sleep(IDLE_BETWEEN_JOBS_SECONDS)
        at = time.time()
        sent[STARTED_AT.delay()] = at
    while unfinished():
        time.sleep(0.01)
    started = dict(Job.objects.filter(pk__in=list(sent)).values_list("pk", "result"))
    return [started[job_id] - at for job_id, at in sent.items()]


def clear() -> None:
    client().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_app_job")


PEER = Peer(
    name="tracker",
    enqueue_bulk=enqueue_bulk,
    enqueue_one=NOOP.delay,
    unfinished=unfinished,
    worker_command=lambda workers: [
        *(sys.executable, "manage.py", "qcluster"),
        *("--name", NOOP.queue, "--workers", str(workers)),
    ],
    # The product's own schedules run beside.
    stored=Job.objects.filter(task=NOOP.name).count,
    clear=clear,
    latencies=latencies,
)
