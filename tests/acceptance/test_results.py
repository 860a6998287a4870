"""Waiting for the results of jobs that a real cluster runs."""

from __future__ import annotations

import threading
import time

import pytest
from django_q.tasks import async_task, fetch, result

from tasks_app.engine import JobFailed, JobHandle
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2") as running:
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        yield running


def wait_ms() -> int:
    return int(allowed(20) * 1000)


def test_callers_get_results_as_soon_as_they_are_there(cluster):
    assert result(async_task("probe_add", 1, b=2), wait=wait_ms()) == 3
    assert fetch(async_task(probe.probe_add, 5), wait=wait_ms()).result == 6
    assert [probe.probe_add.delay(number).get(allowed(20)) for number in range(50)] == list(range(1, 51))


def test_all_who_wait_for_a_job_are_woken_by_its_end(cluster):
    job = probe.probe_sleep.delay(1.0, "slept")
    ended_at: list[float] = []
    waiting = [
        threading.Thread(target=lambda: job.wait(allowed(20)) and ended_at.append(time.time())) for _ in range(5)
    ]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(allowed(20))
    assert len(ended_at) == 5
    assert job.result == "slept"


def test_errors_cancellations_and_losses_reach_who_waits(cluster):
    with pytest.raises(JobFailed, match="PermanentError: broken"):
        probe.probe_fail_for_good.delay("broken").get(allowed(20))
    running = probe.probe_sleep.delay(60, "long")
    wait_until(lambda: running.state == "running", what="the job to run")
    assert running.cancel("enough") == "running"
    with pytest.raises(JobFailed, match="JobCancelled"):
        running.get(allowed(20))
    with pytest.raises(JobFailed, match="JobLost: Its worker died 3 times"):
        probe.probe_die.delay("exit").get(allowed(40))


def test_the_time_limit_of_one_job_ends_it(cluster):
    job = JobHandle(async_task("probe_sleep", 60, "endless", timeout=1))
    with pytest.raises(JobFailed, match="JobTimeout"):
        job.get(allowed(20))
