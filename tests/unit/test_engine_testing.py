"""The test double behaves as the engine does, without a server."""

from __future__ import annotations

import uuid

import pytest
from django.template import Context, Engine

from tasks_app.engine import InvalidArguments, UnknownTask, current_job, enqueue, task
from tasks_app.engine.testing import inline_jobs
from tests.support.probe import tasks as probe

calls: list[object] = []


@task(queue="positions", max_attempts=3)
def double_flaky(fail_times: int) -> str:
    """Fail some times, then succeed."""
    calls.append(current_job().attempt)
    if current_job().attempt <= fail_times:
        raise ValueError("not yet")
    current_job().progress(1, 1, "done")
    return "done"


@task(queue="reports")
def double_outer() -> None:
    """Enqueue another one."""
    probe.probe_add.delay(20)


def test_it_runs_a_job_where_it_is_enqueued():
    with inline_jobs() as jobs:
        job_id = probe.probe_add.delay(2, b=3)
    (job,) = jobs.finished
    assert (job.job_id, job.state, job.result, job.args, job.kwargs) == (str(job_id), "succeeded", 5, [2], {"b": 3})


def test_it_keeps_every_attempt_of_a_retried_job():
    calls.clear()
    with inline_jobs() as jobs:
        double_flaky.delay(2)
        double_flaky.delay(5)
    assert calls == [1, 2, 3, 1, 2, 3]
    assert [(job.state, job.attempt_count, len(job.attempts)) for job in jobs.finished] == [
        ("succeeded", 3, 2),
        ("failed", 3, 3),
    ]
    assert jobs.finished[0].progress == {"current": 1, "total": 1, "message": "done"}


def test_what_a_task_raises_is_on_the_job_and_does_not_reach_the_caller():
    with inline_jobs() as jobs:
        probe.probe_fail_for_good.delay("broken")
    assert (jobs.finished[0].state, jobs.finished[0].error_message) == ("failed", "broken")


def test_it_makes_the_same_checks():
    with inline_jobs() as jobs:
        with pytest.raises(InvalidArguments):
            probe.probe_add.delay("1")
        with pytest.raises(UnknownTask):
            enqueue("os.system", "true")
        probe.probe_return.delay("nan")
    assert jobs.finished[0].error_class == "UnserialisableResult"


def test_a_delayed_job_waits_until_run_waiting():
    with inline_jobs() as jobs:
        probe.probe_add.apply_async([1], countdown=60)
        assert jobs.finished == []
        assert jobs.run_waiting() == 1
    assert jobs.finished[0].result == 2


def test_the_same_id_and_a_taken_unique_key_make_one_job():
    job_id = uuid.uuid4()
    with inline_jobs() as jobs:
        assert probe.probe_add.apply_async([1], job_id=job_id) == probe.probe_add.apply_async([1], job_id=job_id)
        holder = probe.probe_add.apply_async([2], unique_key="k", countdown=60)
        assert probe.probe_add.apply_async([3], unique_key="k") == holder
    assert [job.args for job in jobs.finished] == [[1]]


def test_jobs_that_enqueue_jobs_and_many_at_once_run_too():
    with inline_jobs() as jobs:
        double_outer.delay()
        probe.probe_add.enqueue_many([(1,), (2,)])
    assert [job.result for job in jobs.finished] == [21, None, 2, 3]


def test_it_keeps_the_priority_and_refuses_one_that_does_not_exist():
    with inline_jobs() as jobs:
        probe.probe_add.apply_async([1], priority="high")
        with pytest.raises(InvalidArguments):
            probe.probe_add.apply_async([1], priority="highest")
    assert [job.priority for job in jobs.finished] == ["high"]


def test_a_template_that_is_handed_a_task_does_not_run_it():
    with inline_jobs() as jobs:
        text = Engine().from_string("{{ task }} {{ task.name }}").render(Context({"task": double_outer}))
    assert "double_outer" in text
    assert jobs.finished == []
