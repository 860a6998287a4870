"""An app that declares its tasks with django.tasks, and knows nothing of ours, on a real cluster."""

from __future__ import annotations

import pytest
from django_q.tasks import async_task

from tasks_app.engine import JobHandle
from tasks_app.engine.django_tasks.framework import TaskResult, TaskResultStatus
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.third_party import tasks as third_party

pytestmark = pytest.mark.django_db(transaction=True)
MODULE = "tests.support.third_party.tasks"
APPS = {"EXTRA_APPS": "tests.support.probe,tests.support.third_party"}


@pytest.fixture(autouse=True)
def backends(settings):
    """This process imports the app's tasks late; the cluster finds them in the app."""
    backend = settings.TASKS["default"]
    settings.TASKS = {"default": {**backend, "OPTIONS": {**backend["OPTIONS"], "MODULES": [MODULE]}}}


@pytest.fixture
def cluster(tmp_path):
    with running_cluster(tmp_path, **APPS) as running:
        wait_until(lambda: len({worker.queue for worker in list_workers()}) == 4, 60, "a worker of each queue")
        yield running


def ended(result: TaskResult) -> TaskResult:
    """Return the result once its job has ended."""
    assert JobHandle(result.id).wait(allowed(20))
    result.refresh()
    return result


def test_its_tasks_run_on_our_queues(cluster):
    results = [third_party.add.enqueue(number) for number in range(20)]
    assert [ended(result).return_value for result in results] == list(range(1, 21))
    assert ended(third_party.echo.using(priority=-3).enqueue("x", y=1)).return_value == [["x"], {"y": 1}]
    assert ended(third_party.add_in_coroutine.enqueue(1, 2)).return_value == 3
    assert ended(third_party.query_in_coroutine.enqueue()).return_value == 42
    described = ended(third_party.describe.enqueue("note"))
    assert described.return_value == ["note", described.id, 1, "RUNNING", "default", 1]
    retried = ended(third_party.succeed_at.enqueue(2))
    assert (retried.return_value, retried.attempts) == ([2, ["builtins.LookupError"]], 2)


def test_a_coroutine_that_is_cancelled_or_out_of_time_ends_and_its_worker_goes_on(cluster):
    workers = {worker.pid for worker in list_workers() if worker.queue == "cleanup"}
    result = third_party.sleep_in_coroutine.enqueue(60)
    job = JobHandle(result.id)
    wait_until(lambda: job.state == "running", what="the coroutine to run")
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.RUNNING, 1)
    job.cancel("enough")
    assert ended(result).status == TaskResultStatus.FAILED
    assert result.errors[-1].exception_class.__name__ == "JobCancelled"
    late = JobHandle(async_task(f"{MODULE}.sleep_in_coroutine", 60, timeout=0.2))
    wait_until(lambda: late.state == "retrying", what="the coroutine to run out of time")
    waiting = third_party.sleep_in_coroutine.get_result(late.id)
    assert (waiting.status, waiting.attempts) == (TaskResultStatus.READY, 1)
    assert waiting.errors[-1].exception_class.__name__ == "JobTimeout"
    after = ended(third_party.sleep_in_coroutine.enqueue(0))
    assert after.return_value == "slept"
    assert {int(worker.split(":")[1]) for worker in after.worker_ids} == workers
