"""Ours storing positions: batches in an operator's name, split by lane as the API does, run by `manage.py qcluster`."""

from __future__ import annotations

import math
import sys

from benchmarks.peers.positions import clear_tables, job_arguments, stored_jobs
from benchmarks.peers.protocol import Peer
from benchmarks.peers.tracker import clear as clear_jobs
from benchmarks.peers.tracker import live_jobs_of
from benchmarks.sample_fleet import make_operator
from tasks_app.services.intake import enqueue_batch

QUEUE = "positions"
# One batch is as many jobs as there are lanes with a part in it.
parts_per_batch = 1.0


def enqueue_bulk(jobs: int) -> None:
    global parts_per_batch
    arguments, operator = job_arguments(jobs), make_operator()
    for items in arguments:
        enqueue_batch(items, range(len(items)), requested_by=operator)
    parts_per_batch = live_jobs_of(QUEUE) / jobs


def unfinished() -> int:
    """How many batches, going by their parts."""
    return math.ceil(live_jobs_of(QUEUE) / parts_per_batch)


def clear() -> None:
    clear_jobs()
    clear_tables()


PEER = Peer(
    name="tracker-positions",
    enqueue_bulk=enqueue_bulk,
    unfinished=unfinished,
    worker_command=lambda workers: [
        *(sys.executable, "manage.py", "qcluster"),
        *("--name", QUEUE, "--workers", str(workers)),
    ],
    clear=clear,
    stored=stored_jobs,
)
