"""`python -m benchmarks.deep_queue JOBS`: milliseconds to enqueue, look at, list and cancel, with few and with JOBS waiting.

No worker runs. Each operation is timed many times on a queue of 1 000 jobs, then again on the deep one; the answer holds the
medians, as "<operation>_shallow" and "<operation>_deep".
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median

import django

django.setup()

from benchmarks.noop_tasks.tasks import bench_noop  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.engine.live import find_live_job, list_live_jobs, queue_stats  # noqa: E402
from tasks_app.engine.streams import JobQueue  # noqa: E402

SHALLOW = 1_000
ROUNDS = 100
CHUNK = 10_000


def main(jobs: int) -> None:
    # A purge would take its time, and this server is ours.
    client().flushdb()
    fill(SHALLOW)
    answer = {f"{name}_shallow": took for name, took in timings().items()}
    fill(jobs - SHALLOW)
    answer |= {f"{name}_deep": took for name, took in timings().items()}
    answer["used_mib"] = client().info("memory")["used_memory"] / 2**20
    client().flushdb()
    print(json.dumps(answer))


def fill(jobs: int) -> None:
    while jobs > 0:
        bench_noop.enqueue_many([()] * min(CHUNK, jobs))
        jobs -= CHUNK


def timings() -> dict[str, float]:
    """Median milliseconds of each operation."""
    queue = JobQueue("positions", client())
    made = [str(bench_noop.delay()) for _ in range(ROUNDS)]
    return {
        "enqueue": typical(lambda number: bench_noop.delay()),
        "inspect": typical(lambda number: queue_stats(client())),
        "find": typical(lambda number: find_live_job(client(), made[number])),
        "list": typical(lambda number: list_live_jobs(client(), ["positions"], 50)),
        "cancel": typical(lambda number: queue.cancel(made[number], {"by": None})),
    }


def typical(operation: Callable[[int], object]) -> float:
    took = []
    for number in range(ROUNDS):
        began = time.perf_counter()
        operation(number)
        took.append((time.perf_counter() - began) * 1000)
    return median(took)


if __name__ == "__main__":
    main(int(sys.argv[1]))
