"""Which queues a host does not serve."""

from __future__ import annotations

import pytest

from tasks_app.queries.host_health import why_not_consuming
from tasks_app.queries.jobs import WorkerView


def worker(queue: str, host: str, pid: int, *, heartbeat: float = 1.0, pulse: float = 0.5) -> WorkerView:
    return WorkerView(
        name=f"{host}:1:{queue}:{pid}",
        host=host,
        pid=pid,
        queue=queue,
        current_job_id="",
        current_task="",
        heartbeat_age_seconds=heartbeat,
        pulse_age_seconds=pulse,
        started_at="",
        memory_bytes=0,
        mode="working",
        cluster=f"{host}:1",
        most_workers=2,
        lanes=[],
    )


A, B = worker("positions", "here", 1), worker("reports", "here", 2)
FROZEN = worker("positions", "here", 3, pulse=60)
SILENT = worker("positions", "here", 4, heartbeat=60)
ELSEWHERE = worker("cleanup", "there", 5)


@pytest.mark.parametrize(
    ("workers", "queues", "expected"),
    [
        ([A, B], [], []),
        ([A, B, ELSEWHERE], [], []),
        ([], [], [("", [])]),
        ([ELSEWHERE], [], [("", [])]),
        ([A, FROZEN], [], []),
        ([FROZEN, B], [], [("positions", [3])]),
        ([SILENT, FROZEN, B], [], [("positions", [4, 3])]),
        ([A, B], ["positions"], []),
        ([A, ELSEWHERE], ["positions", "cleanup"], [("cleanup", [])]),
        ([FROZEN], ["reports"], [("reports", [])]),
    ],
)
def test_a_queue_is_served_by_a_worker_of_the_host_that_shows_that_it_runs(workers, queues, expected):
    assert why_not_consuming(workers, "here", queues, 20.0) == expected


def test_a_heartbeat_and_a_pulse_just_within_the_limit_count():
    quiet = worker("positions", "here", 1, heartbeat=15, pulse=5)
    assert why_not_consuming([quiet], "here", [], 20.0) == []
    assert why_not_consuming([quiet], "here", [], 19.9) == [("positions", [1])]
