"""`python -m benchmarks.idle_memory`: proportional set sizes in MB of an installation that has nothing to do.

One uvicorn worker that has answered a request, and the clusters of all four queues: in one `qcluster`, and in one for each.
Whole process trees, a minute after every worker has sent a heartbeat.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import django

django.setup()

import psutil  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks.web import connect, web_server  # noqa: E402
from tasks_app.engine.config import engine_config  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.engine.live import queue_stats  # noqa: E402
from trackerproject.dev.embedded import start_child, stop_children  # noqa: E402

MB = 1_000_000
START_SECONDS = 120.0
# What is done every minute has been done in every process by then.
SETTLE_SECONDS = 65.0


def main() -> None:
    empty()
    queues = list(engine_config().queues)
    answer = {}
    with web_server("trackerproject.asgi:application") as (server, port):
        web = connect(port)
        web.request("GET", "/health")
        web.getresponse().read()
        for name, commands in (("one_cluster", [[]]), ("four_clusters", [["--name", queue] for queue in queues])):
            with clusters(commands) as processes:
                answer |= {f"{name}_web": settled_mb([server]), name: settled_mb(processes)}
            client().flushdb()
    print(json.dumps(answer))


def empty() -> None:
    """Leave nothing of other measurements: days of their devices would be computed as soon as a cluster is there."""
    client().flushdb()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tasks_app_fleet, tasks_app_job CASCADE")


@contextmanager
def clusters(commands: list[list[str]]) -> Iterator[list[Popen[bytes]]]:
    """Run `qcluster` with each of these options, until the block ends; begin when all workers of all queues are there."""
    expected = sum(queue.workers for queue in engine_config().queues.values())
    processes: list[Popen[bytes]] = []
    with (Path(os.environ["BENCH_LOG_DIR"]) / "idle-clusters.log").open("ab") as log:
        for options in commands:
            processes.append(start_child([sys.executable, "manage.py", "qcluster", *options], output=log))
    try:
        wait_until(lambda: sum(queue.workers for queue in queue_stats(client())) >= expected)
        yield processes
    finally:
        stop_children(processes)


def settled_mb(processes: list[Popen[bytes]]) -> float:
    """MB of these process trees."""
    time.sleep(SETTLE_SECONDS)
    trees = [psutil.Process(process.pid) for process in processes]
    members = [one for tree in trees for one in (tree, *tree.children(recursive=True))]
    return sum(one.memory_full_info().pss for one in members) / MB


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not ready after {START_SECONDS:g} seconds")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
