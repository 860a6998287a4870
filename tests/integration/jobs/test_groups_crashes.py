"""Processes that end between two steps of a group, a chain or a callback. Everything happens, and nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from unittest import mock
from uuid import uuid4

import pytest

from tasks_app.engine import JobHandle, QueueUnavailable, chain, chord, group
from tasks_app.engine.connection import client
from tasks_app.engine.enqueueing import RedisBackend
from tasks_app.engine.flows import member_id
from tasks_app.engine.groups import sweeping
from tasks_app.engine.groups.following import Follower
from tasks_app.engine.groups.redis_groups import Advance, RedisGroups
from tasks_app.engine.groups.sweeping import GroupSweeper
from tasks_app.engine.live import repair_queue
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tasks_app.services.jobs import retry_job
from tests.integration.jobs.test_groups import remaining_keys, settle
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process ends here."""


# The steps after the row of a job is written, in their order: each may be the one before which the process ends.
POINTS = {
    "row and callback": (Follower, "follow"),
    "callback and note": (RedisGroups, "_advance"),
    "note and next step": (RedisGroups, "plan"),
    "note and acknowledgement": (JobQueue, "finish"),
}


@contextmanager
def ends_at(owner: type, name: str, call: int) -> Iterator[list[int]]:
    """Let the process end at this call of a method, counted from 1; the list has one item once it has."""
    original: Callable = getattr(owner, name)
    calls: list[int] = []
    ended: list[int] = []

    def dying(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            ended.append(1)
            raise Killed
        return original(self, *args, **kwargs)

    with mock.patch.object(owner, name, dying):
        yield ended


def sweep() -> None:
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()


def run_until_killed() -> None:
    """Run jobs of both queues in a worker each, until nothing is due or one is killed; recover its jobs then."""
    for _ in range(20):
        ran = 0
        for name in ("positions", "reports"):
            worker = Worker(name, f"doomed-{uuid4()}", client())
            try:
                ran += worker.turn(None)
            except Killed:
                worker.queue.recover(worker.consumer, "was killed", dead_after_seconds=0, running=[])
                return
        if not ran:
            return


@pytest.mark.parametrize("call", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_dies_between_two_steps(run_jobs, point, call):
    """A chain of two steps, a chord, and callbacks on all of them: each effect once."""
    called = probe.probe_part.s(7).on_success(probe.probe_result.s("called"))
    job = chord(
        [probe.probe_part.s(1), chain(probe.probe_part.s(2), probe.probe_add.s(1)), called], probe.probe_total.s()
    )
    job = job.on_success(probe.probe_result.s("whole")).delay()
    with ends_at(*POINTS[point], call) as ended:
        run_until_killed()
    assert ended or call > 2
    run_jobs()
    assert job.get(0) == 11
    assert sorted(probe.ledger()) == ["called 7", "part 1", "part 2", "part 7", "total 11", "whole 11"]
    assert remaining_keys() == []


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_dies_after_a_failure(run_jobs, point):
    job = group([probe.probe_part.s(-1), probe.probe_part.s(2)]).on_error(probe.probe_error.s()).delay()
    with ends_at(*POINTS[point], 1):
        run_until_killed()
    run_jobs()
    assert job.state == "failed"
    assert sorted(line.split(":")[0] for line in probe.ledger()) == ["error MembersFailed", "part -1", "part 2"]
    assert remaining_keys() == []


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_scheduler_dies_over_jobs_that_were_cancelled(run_jobs, call):
    job = group([probe.probe_part.s(1), probe.probe_part.s(2)]).on_error(probe.probe_error.s()).delay()
    job.cancel("enough")
    with ends_at(RedisGroups, "_advance", call), ends_at(JobQueue, "ack_ended", call), suppress(Killed):
        settle(run_jobs)
    settle(run_jobs)
    assert (job.state, probe.ledger()) == ("cancelled", ["error JobCancelled: enough"])
    assert remaining_keys() == []


@pytest.mark.parametrize("how", ["before members", "between members", "before the note"])
def test_a_caller_dies_while_it_makes_a_group(run_jobs, how):
    job_id = uuid4()
    owner, name, call = {
        "before members": (RedisBackend, "enqueue", 1),
        "between members": (RedisBackend, "enqueue", 2),
        "before the note": (RedisGroups, "_advance", 1),
    }[how]
    made = group([probe.probe_part.s(1), probe.probe_total.s([2]), probe.probe_part.s(3)])
    with ends_at(owner, name, call), pytest.raises(Killed):
        made.on_success(probe.probe_result.s("whole")).apply_async(job_id=job_id)
    run_jobs()
    assert JobHandle(job_id).state == "running"
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    assert JobHandle(job_id).get(0) == [1, 2, 3]
    assert sorted(probe.ledger()) == ["part 1", "part 3", "total 2", "whole [1, 2, 3]"]
    assert remaining_keys() == []


def test_a_caller_who_got_no_answer_may_repeat_the_call(run_jobs):
    job_id = uuid4()
    for name in ("enqueue", "none"):
        with mock.patch.object(RedisBackend, name, side_effect=QueueUnavailable("away"), create=True):
            try:
                probe.probe_part.enqueue_group([(1,), (2,)], job_id=job_id)
            except QueueUnavailable:
                continue
    run_jobs()
    assert sorted(probe.ledger()) == ["part 1", "part 2"]
    assert JobHandle(job_id).state == "succeeded"
    assert remaining_keys() == []


def test_a_sweep_is_harmless_and_notes_what_was_not_noted(run_jobs):
    sweeper = GroupSweeper(JobQueue("positions", client()), min_age_seconds=0)
    job = probe.probe_part.enqueue_group([(1,), (2,)])
    sweeper.turn()
    with mock.patch.object(RedisGroups, "_advance", side_effect=lambda calls, queues: [Advance()] * len(calls)):
        run_jobs()
    assert job.state == "running"
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    assert (job.state, len(probe.ledger())) == ("succeeded", 2)
    assert remaining_keys() == []


def test_a_chain_whose_note_was_lost_goes_on(run_jobs):
    job = chain(probe.probe_part.s(1), probe.probe_part.si(2), probe.probe_part.si(3)).delay()
    with mock.patch.object(RedisGroups, "_advance", side_effect=lambda calls, queues: [Advance()] * len(calls)):
        run_jobs()
    for _ in range(3):
        GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
        run_jobs()
    assert (job.state, probe.ledger()) == ("succeeded", ["part 1", "part 2", "part 3"])


def test_members_that_redis_lost_fail_with_their_group(run_jobs):
    keys = JobQueue("positions", client()).keys
    job = probe.probe_part.enqueue_group([(1,), (2,)])
    client().delete(keys.job(str(member_id(str(job), 1))))
    run_jobs()
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    assert job.state == "failed"
    assert Job.objects.get(parent_id=job, member_index=1).error_class == "JobLost"
    again = chain(probe.probe_part.s(3), probe.probe_part.si(4)).delay()
    client().delete(keys.job(str(member_id(str(again), 0))))
    run_jobs()
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    assert (again.state, probe.ledger()) == ("succeeded", ["part 1", "part 3", "part 4"])


def test_a_member_that_redis_lost_makes_its_own_callbacks(run_jobs):
    keys = JobQueue("positions", client()).keys
    called = [probe.probe_part.s(number).on_error(probe.probe_error.s(f"error {number}")) for number in (1, 2)]
    job = group(
        [*called, chain(probe.probe_part.s(3), probe.probe_part.si(4).on_error(probe.probe_error.s("step")))]
    ).delay()
    client().delete(keys.job(str(member_id(str(job), 1))))
    run_jobs()
    for _ in range(2):
        sweep()
        run_jobs()
    assert job.state == "failed"
    lost = "error 2 JobLost: The queue server lost it before it ended."
    assert sorted(probe.ledger()) == [lost, "part 1", "part 3", "part 4"]
    assert remaining_keys() == []


def test_a_group_that_ended_between_two_looks_is_not_reported_as_lost(run_jobs, caplog):
    queue = JobQueue("positions", client())
    job = probe.probe_part.enqueue_group([(1,)])
    run_jobs()
    sweeping._forget(queue, str(job))
    assert "has no job any more" not in caplog.text


def test_what_is_left_of_a_group_that_redis_lost_is_removed(run_jobs):
    keys = JobQueue("positions", client()).keys
    job = probe.probe_part.enqueue_group([(1,)])
    client().delete(keys.job(str(job)))
    run_jobs()
    GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    assert remaining_keys() == []
    assert probe.ledger() == ["part 1"]


def test_a_late_worker_follows_the_row_that_counts(run_jobs):
    """A worker that was taken for dead has another end of the job than the one that is stored."""
    job = probe.probe_part.s(1).on_success(probe.probe_result.s("good")).on_error(probe.probe_error.s("bad")).delay()
    sleeper = Worker("positions", "sleeper", client())
    sleeper.jobs.add(sleeper.queue.fetch("sleeper", 1).claims)
    running = sleeper.jobs.begin_next("positions", flush=sleeper.results.flush)
    sleeper.queue.recover("sleeper", "went silent", dead_after_seconds=0, running=None)
    run_jobs()
    running.first.open()
    running.first.fail(ValueError("late"))
    sleeper.jobs.done.append(running.first)
    sleeper.jobs.running = None
    with mock.patch.object(sleeper.queue, "still_owned", return_value={running.first.claim.stream_id}):
        sleeper.results.flush()
    run_jobs()
    assert (job.state, probe.ledger()) == ("succeeded", ["part 1", "good 1"])


def test_the_repair_of_orphans_leaves_groups_that_wait_and_puts_back_those_that_were_lost(run_jobs):
    keys = JobQueue("positions", client()).keys
    job = probe.probe_part.enqueue_group([(1,), (2,)])
    nothing = {"lost_jobs": 0, "job_remains": 0, "unique_keys": 0, "consumers": 0}
    assert repair_queue("positions", apply=True) == nothing
    client().delete(keys.groups)
    assert repair_queue("positions", apply=True) == {**nothing, "lost_jobs": 1}
    assert job.state == "running"
    run_jobs()
    assert job.state == "succeeded"
    assert remaining_keys() == []


def test_members_that_the_scheduler_makes_wait_as_those_of_the_caller(run_jobs):
    job_id = uuid4()
    made = group([probe.probe_part.s(1), probe.probe_total.s([2]), probe.probe_part.s(3)])
    with ends_at(RedisBackend, "enqueue", 2), pytest.raises(Killed):
        made.apply_async(job_id=job_id, countdown=600)
    sweep()
    run_jobs()
    assert [one.state for one in JobHandle(job_id).children] == ["scheduled"] * 3
    assert probe.ledger() == []


def test_a_group_that_is_cancelled_while_it_is_made_runs_nothing(run_jobs):
    job = JobHandle(uuid4())
    enqueue = RedisBackend.enqueue

    def cancel_and_enqueue(*arguments):
        job.cancel("no")
        return enqueue(*arguments)

    with mock.patch.object(RedisBackend, "enqueue", cancel_and_enqueue):
        group([probe.probe_part.s(1), probe.probe_total.s([2])]).apply_async(job_id=job)
    settle(run_jobs)
    assert (job.state, probe.ledger()) == ("cancelled", [])


def test_a_chain_that_is_cancelled_while_its_next_step_is_made_does_not_run_it(run_jobs):
    job = chain(probe.probe_part.s(1), probe.probe_part.si(2), probe.probe_part.si(3)).delay()
    plan = RedisGroups.plan

    def cancel_and_plan(*arguments):
        job.cancel("no")
        return plan(*arguments)

    with mock.patch.object(RedisGroups, "plan", cancel_and_plan):
        run_jobs()
    settle(run_jobs)
    assert (job.state, probe.ledger()) == ("cancelled", ["part 1"])


def test_a_damaged_group_ends_and_holds_up_no_other(run_jobs):
    keys = JobQueue("positions", client()).keys
    damaged, steps, whole = (
        probe.probe_part.enqueue_group([(1,), (2,)]),
        chain(probe.probe_part.s(3), probe.probe_part.si(4)).delay(),
        probe.probe_part.enqueue_group([(5,), (6,)]),
    )
    for job in (damaged, steps):
        client().hset(keys.job(str(job)), "p", "garbled")
    for job in (damaged, whole):
        client().delete(keys.job(str(member_id(str(job), 1))))
    run_jobs()
    sweep()
    run_jobs()
    assert [job.state for job in (damaged, steps, whole)] == ["failed"] * 3
    errors = [Job.objects.get(pk=job).error_class for job in (damaged, steps, whole)]
    assert errors == ["BadPayload", "BadPayload", "MembersFailed"]
    assert remaining_keys() == []


def test_the_first_step_of_a_repeated_chain_that_redis_lost_is_made_again(run_jobs, staff):
    job = chain(probe.probe_part.s(1), probe.probe_flaky.si("two"), probe.probe_result.s()).delay()
    probe.break_down("two")
    run_jobs()
    probe.break_down()
    again = JobHandle(retry_job(job_id=job, user=staff))
    client().delete(JobQueue("positions", client()).keys.job(str(member_id(str(again), 1))))
    sweep()
    run_jobs()
    assert (again.state, probe.ledger()) == ("succeeded", ["part 1", "ran two", "ran two", "result two"])


def test_a_group_that_was_not_made_whole_waits_behind_no_others(run_jobs, monkeypatch):
    monkeypatch.setattr(sweeping, "GROUPS_AT_ONCE", 2)
    for _ in range(3):
        probe.probe_part.enqueue_group([(1,)])
    job = JobHandle(uuid4())
    with ends_at(RedisBackend, "enqueue", 1), pytest.raises(Killed):
        probe.probe_part.enqueue_group([(7,)], job_id=job)
    sweep()
    run_jobs()
    assert job.state == "succeeded"
