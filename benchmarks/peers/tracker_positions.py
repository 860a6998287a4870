"""Ours storing positions: process_position_batch in an operator's name, as the API enqueues it, run by `manage.py qcluster`."""

from __future__ import annotations

import sys

from benchmarks.peers.positions import clear_tables, job_arguments, stored_jobs
from benchmarks.peers.protocol import Peer
from benchmarks.peers.tracker import clear as clear_jobs
from benchmarks.sample_fleet import make_operator
from tasks_app.engine import get_task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.keys import QueueKeys

TASK = get_task("process_position_batch")
KEYS = QueueKeys(engine_config().prefix, TASK.queue)


def enqueue_bulk(jobs: int) -> None:
    arguments, operator = job_arguments(jobs), make_operator()
    for items in arguments:
        TASK.apply_async([items], requested_by=operator)


def unfinished() -> int:
    """An entry leaves its stream only after its result is committed."""
    return sum(client().xlen(stream) for stream in KEYS.streams)


def clear() -> None:
    clear_jobs()
    clear_tables()


PEER = Peer(
    name="tracker-positions",
    enqueue_bulk=enqueue_bulk,
    unfinished=unfinished,
    worker_command=lambda workers: [
        *(sys.executable, "manage.py", "qcluster"),
        *("--name", TASK.queue, "--workers", str(workers)),
    ],
    clear=clear,
    stored=stored_jobs,
)
