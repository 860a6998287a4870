"""The test double behaves as the engine does, without a server."""

from __future__ import annotations

import uuid

import pytest
from django.template import Context, Engine

from tasks_app.engine import (
    InvalidArguments,
    PermanentError,
    UnknownTask,
    chain,
    chord,
    current_job,
    enqueue,
    group,
    task,
)
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


def by_index(results):
    return {str(index): result for indexes, result in results for index in indexes}


@task(queue="positions", combine=by_index)
def double_number(number: int) -> int:
    """Return it twice."""
    return 2 * number


@task(queue="reports")
def double_total(numbers: list[int]) -> int:
    """Return the sum."""
    return sum(numbers)


@task(queue="reports")
def double_fail(number: int) -> None:
    """Fail."""
    raise PermanentError(f"no {number}")


@task(queue="reports")
def double_error(job_id: str, error_class: str, error_message: str) -> None:
    """Keep the error."""
    calls.append((error_class, "PermanentError: no 2" in error_message))


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


@pytest.mark.parametrize("key", [5, b"k", ["k"], "\ud800"])
def test_a_unique_key_is_a_text(key):
    with inline_jobs() as jobs:
        for make in (
            lambda: probe.probe_add.apply_async([1], unique_key=key),
            lambda: probe.probe_add.enqueue_many([(1,), (2,)], unique_keys=["", key]),
        ):
            with pytest.raises(InvalidArguments, match="is no unique key"):
                make()
    assert jobs.finished == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"eta": "2026-12-01T00:00:00Z"}, "is no eta: a datetime with a time zone is meant"),
        ({"eta": 1795428000}, "is no eta"),
        ({"countdown": "60"}, "is no countdown: seconds are meant"),
        ({"timeout_seconds": "60"}, "is no time limit: seconds are meant"),
        ({"requested_by": "ana"}, "is nobody: a user or the id of one is meant"),
        ({"countdown": True}, "is no countdown: seconds are meant"),
        ({"timeout_seconds": True}, "is no time limit: seconds are meant"),
        ({"requested_by": True}, "is nobody: a user or the id of one is meant"),
        ({"requested_by": 2**63}, "is nobody: a user or the id of one is meant"),
        ({"schedule_id": "9"}, "is no schedule: the id of one is meant"),
        ({"retry_of": "ab"}, "is no job id: a UUID is meant"),
        ({"job_id": "ab"}, "is no job id: a UUID is meant"),
        ({"job_id": 7}, "is no job id"),
    ],
)
def test_an_option_of_another_type_is_refused_at_the_call(options, sentence):
    with inline_jobs() as jobs, pytest.raises(InvalidArguments, match=sentence):
        probe.probe_add.apply_async([1], **options)
    assert jobs.finished == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: probe.probe_add.s(1).apply_async(job_id="ab"),
        lambda: probe.probe_add.enqueue_group([(1,)], job_id="ab"),
        lambda: probe.probe_add.enqueue_many([(1,)], job_ids=["ab"]),
    ],
)
def test_each_way_of_enqueueing_wants_a_uuid(make):
    with inline_jobs(), pytest.raises(InvalidArguments, match="is no job id"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: probe.probe_add.apply_async(1),
        lambda: probe.probe_add.apply_async((), ["number"]),
        lambda: double_outer.apply_async("a"),  # Celery's classic: args=("a") is no tuple
        lambda: probe.probe_add.apply_async({1}),
        lambda: probe.probe_add.si(1).task.apply_async({1: 2}),
        lambda: probe.probe_add.enqueue_many([1, 2]),
        lambda: probe.probe_add.enqueue_group([1, 2]),
    ],
)
def test_arguments_that_are_no_list_are_refused_with_a_sentence(make):
    with inline_jobs() as jobs, pytest.raises(InvalidArguments, match="are a list or tuple, those by name a dict"):
        make()
    assert jobs.finished == []


def test_many_calls_of_one_id_are_refused_instead_of_losing_all_but_one():
    job_id = uuid.uuid4()
    with inline_jobs() as jobs, pytest.raises(InvalidArguments, match="the same job id"):
        probe.probe_add.enqueue_many([(1,), (2,)], job_ids=[job_id, job_id])
    assert jobs.finished == []


def test_indexes_of_a_group_are_whole_numbers():
    with inline_jobs() as jobs, pytest.raises(InvalidArguments, match="are whole numbers"):
        double_number.enqueue_group([(1,)], indexes=[["0"]])
    assert jobs.finished == []


@pytest.mark.parametrize("seconds", ["3", -1, float("nan"), True])
def test_a_wait_is_a_number_of_seconds(seconds):
    with inline_jobs(), pytest.raises(InvalidArguments, match="is no number of seconds to wait"):
        probe.probe_add.delay(1).get(timeout=seconds)


def test_the_reason_of_a_cancellation_is_a_text():
    with inline_jobs():
        job = probe.probe_add.apply_async([1], countdown=60)
        with pytest.raises(InvalidArguments, match="is no reason"):
            job.cancel(True)
        assert job.state == "scheduled"


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


def test_groups_chains_and_callbacks_run_inline():
    with inline_jobs() as jobs:
        total = chord(
            [double_number.s(1), double_number.s(2), chain(double_number.s(3), double_number.s())],
            double_total.s(),
        ).on_success(double_number.s())
        job = total.delay()
        split = double_number.enqueue_group([(1,), (2,)], indexes=[[1], [0]])
        bad = chain(double_number.s(1), double_fail.s()).on_error(double_error.s()).delay()
        assert (job.get(), split.get()) == (18, {"0": 4, "1": 2})
        assert (bad.state, calls[-1]) == ("failed", ("MembersFailed", True))
    assert [one.args for one in jobs.finished if one.parent_id == str(job) and one.member_index is None] == [[18]]


def test_a_group_whose_members_wait_can_be_cancelled_inline():
    with inline_jobs() as jobs:
        job = chain(double_number.s(1), double_number.s()).apply_async(countdown=60)
        assert (job.state, job.wait()) == ("running", False)
        assert job.cancel("enough") == "cancelled"
        again = group([double_number.s(1), double_number.s(2)]).apply_async(countdown=60)
        assert jobs.run_waiting() == 2
        assert again.get() == [2, 4]
