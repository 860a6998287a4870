"""django-q2's groups, chains, iterations and hooks."""

from __future__ import annotations

from uuid import UUID

import pytest
from django_q.tasks import (
    AsyncTask,
    Chain,
    Iter,
    async_chain,
    async_iter,
    async_task,
    count_group,
    delete_group,
    fetch,
    fetch_group,
    queue_size,
    result,
    result_group,
)

from tasks_app.engine import InvalidArguments, JobHandle, UnknownTask, WouldDeadlock
from tasks_app.engine.connection import client
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.enqueueing import RedisBackend
from tasks_app.engine.errors import NotOffered
from tasks_app.engine.groups.sweeping import GroupSweeper
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.testing import inline_jobs
from tasks_app.models import Job
from tests.integration.jobs.test_groups import remaining_keys
from tests.integration.jobs.test_groups_crashes import Killed, ends_at
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_group_is_a_label_of_jobs(run_jobs):
    ids = [async_task("probe_add", number, group="g") for number in (1, 2)]
    bad = async_task("probe_fail_for_good", "no", group="g")
    other = AsyncTask("probe_add", 5, group="h")
    other.run()
    assert (result_group("g"), fetch_group("g"), count_group("g")) == (None, None, 0)
    run_jobs()
    assert sorted(result_group("g")) == [2, 3]
    assert len(result_group("g", failures=True)) == 3
    assert {task.id for task in fetch_group("g")} == {*ids, bad}
    assert {task.group for task in fetch_group("g")} == {"g"}
    assert {task.id for task in fetch_group("g", failures=False)} == set(ids)
    assert (count_group("g"), count_group("g", failures=True)) == (3, 1)
    assert (other.result_group(), other.fetch_group()[0].result, fetch(ids[0]).group) == ([6], 6, "g")
    assert (delete_group("g"), count_group("g"), Job.objects.count()) == (3, 0, 4)


def test_a_group_is_waited_for(run_jobs):
    async_task("probe_add", 1, group="g")
    assert result_group("g", wait=60, count=2) is None
    run_jobs()
    assert result_group("g", wait=60, count=2) == [2]
    async_task("probe_add", 2, group="g")
    run_jobs()
    assert result_group("g", wait=-1, count=2) == [2, 3]
    set_current_job(CurrentJob(queue="positions"))
    try:
        with pytest.raises(WouldDeadlock):
            result_group("g", wait=-1)
    finally:
        set_current_job(None)


def test_an_iteration_is_a_group_of_calls(run_jobs):
    job_id = async_iter("probe_add", [1, (2, 5)], hook="probe_hook")
    assert result(job_id) is None
    run_jobs()
    assert (result(job_id), fetch(job_id).success, result_group(job_id), count_group(job_id)) == (
        [2, 7],
        True,
        [2, 7],
        2,
    )
    assert JobHandle(job_id).result == [2, 7]
    assert probe.ledger() == [f"hook {job_id}"]
    with pytest.raises(InvalidArguments, match="no jobs"):
        async_iter("probe_add", [])
    iteration = Iter("probe_add", kwargs={"b": 10})
    iteration.append(1)
    iteration.append(2)
    assert iteration.result() is None
    iteration.run()
    run_jobs()
    assert (iteration.result(wait=1000), iteration.fetch().success, iteration.length()) == ([11, 12], True, 2)
    assert remaining_keys() == []


def test_a_chain_runs_one_after_the_other(run_jobs):
    label = async_chain([("probe_part", (1,)), ("probe_part", (2,), {"text": "second"}), ("probe_total", ([5],))])
    run_jobs()
    assert (result_group(label, count=3), count_group(label)) == ([1, 2, 5], 3)
    assert probe.ledger() == ["part 1", "second 2", "total 5"]
    job = Job.objects.get(task="chain")
    assert (job.pk, job.result) == (UUID(label), 5)


def test_a_chain_ends_with_a_step_that_fails(run_jobs):
    label = async_chain([("probe_part", (1,)), ("probe_part", (-2,)), ("probe_part", (3,))], group="mine")
    assert label == "mine"
    run_jobs()
    assert (result_group("mine"), count_group("mine", failures=True), count_group("mine")) == ([1], 1, 2)


def test_chain_objects_run_anew_when_they_grow(run_jobs):
    chain = Chain()
    chain.append("probe_part", 1)
    chain.append("probe_part", 2)
    assert (chain.result(), chain.current()) == (None, None)
    chain.run()
    run_jobs()
    assert (chain.result(wait=1000), chain.current(), len(chain.fetch())) == ([1, 2], 2, 2)
    chain.append("probe_part", 3)
    chain.run()
    run_jobs()
    assert (chain.result(wait=1000), chain.length()) == ([1, 2, 3], 3)


def test_a_hook_gets_the_id_however_the_job_ends(run_jobs):
    good = async_task("probe_add", 1, hook="probe_hook")
    bad = async_task("probe_fail_for_good", "no", hook=probe.probe_hook, group="g")
    here = async_task("probe_add", 1, sync=True, hook="tests.support.probe.tasks.probe_hook", group="g")
    run_jobs()
    assert sorted(probe.ledger()) == sorted(f"hook {job_id}" for job_id in (good, bad, here))
    assert result_group("g") == [2]
    assert [UUID(good)] == list(
        Job.objects.filter(task="probe_hook", parent_id=good).values_list("parent_id", flat=True)
    )


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"hook": "print"}, UnknownTask),
        ({"hook": print}, UnknownTask),
        ({"hook": "probe_progress"}, InvalidArguments),  # its argument is a number, and an id is a text
        ({"hook": "probe_log_nothing"}, UnknownTask),
        ({"hook": "probe_call_and_wait"}, InvalidArguments),
        ({"group": "x" * 101}, InvalidArguments),
        ({"group": 5}, InvalidArguments),
        ({"group": "a\x00b"}, InvalidArguments),
    ],
)
def test_hooks_and_groups_that_cannot_be_are_refused(options, error):
    with pytest.raises(error):
        async_task("probe_add", 1, **options)
    assert queue_size() == 0


@pytest.mark.parametrize("item", [(), ("probe_add", (1,), {}, 4), ("no_such", (1,)), ("probe_add",)])
def test_steps_that_cannot_be_are_refused(item):
    with pytest.raises((InvalidArguments, UnknownTask)):
        async_chain([item])
    assert queue_size() == 0


@pytest.mark.parametrize("seconds", [0, -5, float("nan"), 10**9])
def test_of_a_time_limit_that_cannot_be_nothing_is_made(seconds):
    for make in (
        lambda: async_iter("probe_add", [1, 2], timeout=seconds),
        lambda: async_chain([("probe_add", (1,), {"timeout": seconds})]),
    ):
        with pytest.raises(InvalidArguments, match="time limit"):
            make()
    assert remaining_keys() == []


@pytest.mark.parametrize("options", [{"sync": True}, {"timeout": 5}])
def test_options_without_a_meaning_for_steps_and_jobs_that_run_here_are_refused(options):
    with pytest.raises(NotOffered, match="sync"):
        async_chain([("probe_add", (1,), options)], sync=True)
    with pytest.raises(NotOffered, match="timeout together with sync=True"):
        async_iter("probe_add", [1, 2], timeout=5, sync=True)
    assert not Job.objects.exists()


def test_members_made_by_the_sweep_have_the_label(run_jobs):
    with ends_at(RedisBackend, "enqueue", 1), pytest.raises(Killed):
        async_iter("probe_add", [1, 2])
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    (label,) = set(Job.objects.exclude(label="").values_list("label", flat=True))
    assert result_group(label) == [2, 3]


def test_they_run_here_with_sync():
    job_id = async_iter("probe_part", [1, 2], sync=True, hook="probe_hook")
    assert (result(job_id), fetch(job_id).success, count_group(job_id)) == ([1, 2], True, 2)
    chain = Chain([("probe_part", (3,)), ("probe_part", (-4,)), ("probe_part", (5,))], sync=True)
    chain.run()
    assert (chain.result(), chain.current()) == ([3], 2)
    assert probe.ledger() == ["part 1", "part 2", f"hook {job_id}", "part 3", "part -4"]
    assert queue_size() == 0


def test_they_run_inline():
    with inline_jobs() as jobs:
        iteration = async_iter("probe_add", [1, 2])
        label = async_chain([("probe_add", (1,)), ("probe_add", (2,))])
        async_task("probe_add", 5, group="g")
        assert (result(iteration), result_group(label), result_group("g"), count_group("g")) == ([2, 3], [2, 3], [6], 1)
        assert delete_group("g") == 1
        assert len(jobs.finished) == 7
