"""Groups, chains and callbacks through the real queues and the worker's own code."""

from __future__ import annotations

from datetime import datetime
from unittest import mock
from uuid import UUID, uuid4

import pytest

from tasks_app.engine import (
    InvalidArguments,
    JobFailed,
    JobHandle,
    QueueFull,
    WouldDeadlock,
    chain,
    chord,
    group,
    signature,
)
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.flows import member_id
from tasks_app.engine.groups import members
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tests.support.jobs import queue_limit
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def remaining_keys() -> list[bytes]:
    """Return the keys of jobs and groups that are no tombstones."""
    redis = client()
    keys = [key for queue in ("positions", "reports") for key in redis.scan_iter(JobQueue(queue, redis).keys.tag + "*")]
    of_lanes = (b":lanes", b":lane_workers", b":bell")
    kept = (b":consumers", b":beats", b":done", b":stream:high", b":stream:normal", b":stream:low", *of_lanes)
    return [key for key in keys if not key.endswith(kept) and redis.pttl(key) == -1]


def settle(run_jobs) -> None:
    """Run jobs, and write rows of jobs that were cancelled, until no group waits any more."""
    for _ in range(5):
        run_jobs()


def test_a_group_of_calls_ends_with_one_result(run_jobs, staff):
    job_id = uuid4()
    job = probe.probe_part.enqueue_group(
        [(10,), (20,), (30,)], indexes=[[0, 3], [1], [2]], job_id=job_id, requested_by=staff
    )
    assert (job, job.state, job.result, job.wait(0)) == (job_id, "running", None, False)
    run_jobs()
    assert job.get(0) == {"0": 10, "1": 20, "2": 30, "3": 10}
    row = Job.objects.get(pk=job)
    assert (row.task, row.state, row.requested_by_id) == ("probe_part", "succeeded", staff.pk)
    assert row.progress == {"current": 3, "total": 3, "message": ""}
    members = Job.objects.filter(parent_id=job).order_by("member_index")
    assert [(one.pk, one.member_index, one.result) for one in members] == [
        (member_id(str(job), index), index, result) for index, result in enumerate([10, 20, 30])
    ]
    assert {one.requested_by_id for one in members} == {staff.pk}
    assert remaining_keys() == []


def test_without_combine_the_result_is_the_list(run_jobs):
    job = probe.probe_add.enqueue_group([(1, 1), (2, 2)])
    run_jobs()
    assert job.get(0) == [2, 4]


def test_a_group_fails_when_a_member_fails_after_all_have_ended(run_jobs):
    job = probe.probe_part.enqueue_group([(1,), (-2,), (3,), (-4,)])
    run_jobs()
    with pytest.raises(JobFailed, match=r"MembersFailed: 2 of 4 did not succeed. The first, .*: PermanentError: no -2"):
        job.get(0)
    assert sorted(probe.ledger()) == ["part -2", "part -4", "part 1", "part 3"]
    assert remaining_keys() == []


def test_a_group_made_twice_runs_once(run_jobs):
    job_id = uuid4()
    for _ in range(2):
        assert probe.probe_part.enqueue_group([(1,), (2,)], job_id=job_id) == job_id
    run_jobs()
    probe.probe_part.enqueue_group([(1,), (2,)], job_id=job_id)
    run_jobs()
    for key in client().scan_iter(JobQueue("positions", client()).keys.job_prefix + "*"):
        client().delete(key)
    probe.probe_part.enqueue_group([(1,), (2,)], job_id=job_id)
    run_jobs()
    assert sorted(probe.ledger()) == ["part 1", "part 2"]
    assert JobHandle(job_id).get(0) == {}
    assert remaining_keys() == []


def test_callbacks_get_the_result_or_the_error(run_jobs):
    good = probe.probe_part.s(5).on_success(probe.probe_result.s(), probe.probe_result.si("own", "fixed"))
    bad = probe.probe_part.s(-5).on_success(probe.probe_result.s("never")).on_error(probe.probe_error.s())
    jobs = [good.delay(), bad.delay()]
    run_jobs()
    assert sorted(probe.ledger()) == ["error PermanentError: no -5", "fixed own", "part -5", "part 5", "result 5"]
    assert set(Job.objects.filter(parent_id__isnull=False).values_list("parent_id", flat=True)) == set(jobs)
    assert remaining_keys() == []


def test_a_cancelled_job_calls_its_error_callback(run_jobs):
    job = probe.probe_part.s(5).on_error(probe.probe_error.s()).apply_async(countdown=600)
    assert job.cancel("not today") == "cancelled"
    run_jobs()
    assert probe.ledger() == ["error JobCancelled: not today"]


def test_a_chain_passes_results_on(run_jobs):
    job = chain(probe.probe_add.s(1, 2), probe.probe_add.s(10), probe.probe_part.si(7), probe.probe_result.s()).delay()
    run_jobs()
    assert job.get(0) == 7
    assert probe.ledger() == ["part 7", "result 7"]
    assert list(Job.objects.filter(parent_id=job).order_by("member_index").values_list("result", flat=True)) == [
        3,
        13,
        7,
        7,
    ]
    assert remaining_keys() == []


def test_a_chain_ends_with_the_first_step_that_fails(run_jobs):
    steps = probe.probe_part.s(1), probe.probe_part.si(-2), probe.probe_part.si(3)
    job = chain(*steps).on_error(probe.probe_error.s()).on_success(probe.probe_result.s()).delay()
    run_jobs()
    with pytest.raises(JobFailed, match="PermanentError: no -2"):
        job.get(0)
    assert probe.ledger()[:2] == ["part 1", "part -2"]
    assert probe.ledger()[2].startswith("error MembersFailed: ")
    assert len(probe.ledger()) == 3
    assert remaining_keys() == []


def test_a_chord_calls_back_with_the_list(run_jobs):
    job = chord([probe.probe_part.s(1), probe.probe_part.s(2)], probe.probe_total.s()).delay()
    run_jobs()
    assert job.get(0) == 3
    assert probe.ledger()[-1] == "total 3"
    failing = chord([probe.probe_part.s(1), probe.probe_part.s(-2)], probe.probe_total.s(text="never")).delay()
    run_jobs()
    with pytest.raises(JobFailed, match="no -2"):
        failing.get(0)
    assert not any(line.startswith("never") for line in probe.ledger())
    assert remaining_keys() == []


def test_they_nest(run_jobs):
    inner = chain(probe.probe_add.s(1, 1), group([probe.probe_add.s(1), probe.probe_add.s(2)]))
    job = group([inner, probe.probe_add.s(5, 5), chord([inner, inner], probe.probe_result.s())]).delay()
    run_jobs()
    assert job.get(0) == [[3, 4], 10, [[3, 4], [3, 4]]]
    assert remaining_keys() == []


def test_a_signature_is_found_by_name(run_jobs):
    job = (signature("probe_add", 1, 2) | signature("probe_add", 3)).delay()
    run_jobs()
    assert job.get(0) == 6
    assert UUID(str(job)) == job


def test_a_callback_that_cannot_be_made_is_a_failed_job(run_jobs):
    job = probe.probe_result.s("text").on_success(probe.probe_total.s().on_error(probe.probe_error.s())).delay()
    run_jobs()
    failed = Job.objects.get(parent_id=job)
    assert (failed.task, failed.state, failed.error_class) == ("probe_total", "failed", "InvalidArguments")
    assert probe.ledger()[1].startswith("error InvalidArguments: ")
    step = chain(probe.probe_result.s("text"), probe.probe_total.s()).delay()
    run_jobs()
    with pytest.raises(JobFailed, match="1 of 2 did not succeed"):
        step.get(0)
    assert remaining_keys() == []


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: group([]), "A group of no jobs"),
        (chain, "A chain of no jobs"),
        (lambda: group(probe.probe_add.s(1) for _ in range(100_000)), "A group of 100000 jobs: at most 10000"),
        (lambda: probe.probe_add.enqueue_group([]), "A group of no jobs"),
        (lambda: probe.probe_add.enqueue_group([(1,)] * 100_000), "A group of 100000 jobs"),
        (lambda: chord([probe.probe_add.s(1)], "no_such"), "'no_such' is no signature"),
        (lambda: probe.probe_add.s(1).on_error("no_such"), "'no_such' is no signature"),
        (lambda: chain(*[probe.probe_add.s()] * 101), "A chain of 101 steps"),
        (lambda: probe.probe_add.s(1, 2, 3), "too many positional arguments"),
        (lambda: probe.probe_add.s(c=3), "unexpected keyword argument 'c'"),
        (probe.probe_add.si, "missing a required argument"),
        (lambda: probe.probe_add.s("text").delay(), "probe_add: a: Expected `int`"),
        (lambda: probe.probe_add.s(1).on_success(probe.probe_add.s(1, 2)), "too many positional arguments"),
        (lambda: probe.probe_add.s(1).on_error(probe.probe_add.s()), "too many positional arguments"),
        (lambda: chain(probe.probe_add.s(1), probe.probe_add.s(1, 2)), "too many positional arguments"),
        (lambda: probe.probe_add.enqueue_group([(1,)], indexes=[[1], [2]]), "1 calls, but 2 lists of indexes"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(make, sentence):
    with pytest.raises(InvalidArguments, match=sentence):
        make()


def test_nesting_has_a_limit():
    nested = probe.probe_add.s(1)
    for _ in range(5):
        nested = group([nested])
    with pytest.raises(InvalidArguments, match="more than 5 deep"):
        group([nested])
    with pytest.raises(InvalidArguments, match="more than 5 deep"):
        probe.probe_add.s(1).on_success(nested)


def test_results_that_are_too_large_together_say_so(run_jobs):
    job = probe.probe_result.enqueue_group([("x" * 100_000,)] * 3)
    run_jobs()
    with pytest.raises(JobFailed, match=r"UnserialisableResult: The results of 3 members are too large together"):
        job.get(0)


def test_it_counts_its_members_and_lists_them(run_jobs):
    job = probe.probe_part.enqueue_group([(1,), (-2,), (3,)])
    assert [str(one) for one in job.children] == [str(member_id(str(job), index)) for index in range(3)]
    Worker("positions", "one", client()).turn(None)
    assert [one.state for one in job.children] == ["succeeded", "queued", "queued"]
    run_jobs()
    assert [one.state for one in job.children] == ["succeeded", "failed", "succeeded"]
    called = probe.probe_add.s(1).on_success(probe.probe_result.s()).delay()
    assert called.children == []
    run_jobs()
    assert [one.result for one in called.children] == [2]


def test_a_cancelled_group_cancels_its_members(run_jobs):
    nested = group([probe.probe_part.s(1), group([probe.probe_part.s(2), probe.probe_result.s(3)])])
    job = nested.on_error(probe.probe_error.s()).delay()
    assert job.cancel("enough") == "running"
    assert job.cancel("again") == "running"
    settle(run_jobs)
    assert job.state == "cancelled"
    with pytest.raises(JobFailed, match="JobCancelled: enough"):
        job.get(0)
    assert probe.ledger() == ["error JobCancelled: enough"]
    assert set(Job.objects.filter(task__in=["probe_part", "probe_result"]).values_list("state", flat=True)) == {
        "cancelled"
    }
    assert remaining_keys() == []


def test_many_members_are_cancelled_in_few_round_trips(run_jobs):
    key = probe.lanes.lane_note
    job = group([*(probe.probe_note.s(str(number)) for number in range(150)), *(key.s("k", "x") for _ in range(150))])
    made = job.delay()
    with mock.patch.object(members, "run_scripts", wraps=members.run_scripts) as asked:
        made.cancel()
    assert asked.call_count == 2
    assert {one.state for one in made.children[::30]} == {"cancelled"}
    settle(run_jobs)
    assert (made.state, probe.ledger(), remaining_keys()) == ("cancelled", [], [])


def test_a_cancelled_chain_makes_no_further_step(run_jobs):
    job = chain(probe.probe_part.s(1), probe.probe_part.si(2)).delay()
    worker = Worker("positions", "one", client())
    worker.jobs.add(worker.queue.fetch("one", 1).claims)
    assert job.cancel("enough") == "running"
    worker._run_waiting()
    run_jobs()
    assert (job.state, probe.ledger()) == ("cancelled", ["part 1"])
    assert remaining_keys() == []


def test_a_group_of_which_all_succeeded_in_spite_of_a_cancellation_has_succeeded(run_jobs):
    job = probe.probe_add.enqueue_group([(1,)])
    worker = Worker("positions", "one", client())
    worker.jobs.add(worker.queue.fetch("one", 1).claims)
    assert job.cancel("too late") == "running"
    worker._run_waiting()
    run_jobs()
    assert job.get(0) == [2]


def test_a_task_may_not_wait_for_a_group_with_members_on_its_queue():
    job = group([probe.probe_result.s(1), probe.probe_add.s(1)]).delay()
    set_current_job(CurrentJob(job_id=uuid4(), queue="positions"))
    try:
        with pytest.raises(WouldDeadlock, match="or a member of it is"):
            job.wait(5)
        set_current_job(CurrentJob(job_id=uuid4(), queue="cleanup"))
        assert not job.wait(0.01)
    finally:
        set_current_job(None)


def test_the_end_of_a_group_wakes_who_waits(run_jobs):
    job = probe.probe_add.enqueue_group([(1,), (2,)])
    assert not job.wait(0)
    run_jobs()
    assert client().xlen(JobQueue("positions", client()).keys.wake(str(job))) == 1


def test_a_full_queue_takes_no_group_but_all_of_one_it_has_taken(run_jobs, settings):
    settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": 3}
    engine_config.cache_clear()
    try:
        with pytest.raises(QueueFull, match="no room for 4 more"):
            probe.probe_add.enqueue_group([(1,)] * 4)
        assert remaining_keys() == []
        job = probe.probe_part.s(1).on_success(*[probe.probe_part.s(text=str(number)) for number in range(5)]).delay()
        run_jobs()
        assert len(job.children) == len(probe.ledger()) - 1 == 5
    finally:
        engine_config.cache_clear()


def test_what_follows_an_accepted_job_is_taken_by_a_full_queue(run_jobs, settings):
    """A callback that is a chain, and groups within one that was accepted."""
    job = probe.probe_part.s(1).on_success(chain(probe.probe_part.si(2), probe.probe_part.si(3))).delay()
    with queue_limit(settings, 2):
        probe.probe_part.apply_async((4,), countdown=600)
        inner = [chain(probe.probe_part.si(number)) for number in (5, 6, 7)]
        with pytest.raises(QueueFull):
            group(inner).delay()
        run_jobs()
    assert job.children[0].state == "succeeded"
    with queue_limit(settings, 4):
        whole = group(inner).delay()
        run_jobs()
    assert whole.get(0) == [5, 6, 7]


def test_only_members_that_were_made_are_its_children(run_jobs):
    job = chain(probe.probe_part.si(1), probe.probe_part.si(-2), probe.probe_part.si(3)).delay()
    assert [one.state for one in job.children] == ["queued"]
    run_jobs()
    assert [one.state for one in job.children] == ["succeeded", "failed"]


@pytest.mark.parametrize("options", [{"countdown": 1e10}, {"eta": datetime(2026, 11, 30)}], ids=["too far", "no zone"])
def test_of_an_impossible_time_nothing_is_made(options):
    for made in (group([probe.probe_part.s(1)]), chain(probe.probe_part.s(1))):
        with pytest.raises(InvalidArguments):
            made.apply_async(**options)
    assert remaining_keys() == []
