"""Calls that are split: one row for the whole, which keeps the results of its parts while it lives."""

from __future__ import annotations

from unittest import mock

import pytest
from django.db import OperationalError
from django_q.tasks import async_task, result

from tasks_app.engine import JobHandle, chain, group
from tasks_app.engine.connection import client
from tasks_app.engine.flows import member_id
from tasks_app.engine.groups import sweeping
from tasks_app.engine.groups.redis_groups import RedisGroups
from tasks_app.engine.groups.sweeping import GroupSweeper
from tasks_app.engine.handles import live_job
from tasks_app.engine.lanes.upkeep import recover_lanes
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.exceptions import JobNotRepeatable
from tasks_app.models import Job
from tasks_app.queries.jobs import JobFilters, list_jobs
from tasks_app.services.jobs import retry_job
from tests.integration.jobs.test_groups import remaining_keys, settle
from tests.integration.jobs.test_groups_crashes import POINTS, Killed, ends_at
from tests.support.probe import tasks as probe
from tests.support.probe.tasks import sum_up

pytestmark = pytest.mark.django_db(transaction=True)


def run_until_killed() -> None:
    """Run jobs until none is due or the worker is killed; recover its jobs then."""
    for number in range(20):
        worker = Worker("positions", f"doomed-{number}", client())
        try:
            ran = worker.turn(None)
        except Killed:
            queue = JobQueue("positions", client())
            queue.recover(worker.consumer, "was killed", dead_after_seconds=0, running=[])
            recover_lanes(queue, worker.consumer, "was killed", running=[])
            return
        worker.shut_down()
        if not ran:
            return


def run_all_that_waits() -> None:
    """Run jobs, however long they take, in calls of as many as wait."""
    worker = Worker("positions", "test:0:positions:0", client())
    while claims := worker.queue.fetch(worker.consumer, 100).claims:
        worker.jobs.add(claims)
        worker._run_waiting()
    worker.shut_down()


def states_of_parts(job: JobHandle) -> dict[int, str]:
    """Return number -> state of the parts that have rows."""
    return dict(Job.objects.filter(parent_id=job).values_list("member_index", "state"))


def retried(job: JobHandle, user) -> JobHandle:
    return JobHandle(retry_job(job_id=job, user=user))


def make_due_in_lanes() -> None:
    for lane in JobQueue("positions", client()).client.scan_iter("*:delayed"):
        for job_id in client().zrange(lane, 0, -1):
            client().zadd(lane, {job_id: 1})
            client().hset(lane.decode().removesuffix("delayed") + f"job:{job_id.decode()}", "due", 1)


def test_the_whole_has_the_only_row(run_jobs, staff):
    job = probe.probe_split.delay([5, 6, 7])
    assert len(job.children) == 3
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 6, "2": 7}
    assert [row.pk for row in Job.objects.all()] == [job]
    assert Job.objects.get().progress == {"current": 3, "total": 3, "message": ""}
    assert (job.children, list_jobs(user=staff, filters=JobFilters(parent_id=job)).jobs) == ([], [])
    assert remaining_keys() == []


def test_calls_that_end_at_the_same_time_are_ended_together_and_each_for_itself():
    calls = [[5, 6], [-1, 7], [8, 9, 10]]
    jobs = [probe.probe_split.delay(numbers) for numbers in calls]
    read = RedisGroups.results
    together = []

    def reads(groups: RedisGroups, queue: str, job_ids: list[str]) -> list[dict[int, bytes]]:
        together.append(len(job_ids))
        return read(groups, queue, job_ids)

    def combines_two(parts):
        found = list(parts)
        if len(found) > 2:
            raise ValueError("not these")
        return sum_up(found)

    with (
        mock.patch.object(RedisGroups, "results", reads),
        mock.patch.object(probe.probe_split, "combine", combines_two),
    ):
        run_all_that_waits()
    assert together == [3]
    assert [job.state for job in jobs] == ["succeeded", "failed", "retrying"]
    rows = Job.objects.in_bulk(jobs)
    assert [rows[job].result for job in jobs if job in rows] == [{"0": 5, "1": 6}, None]
    assert rows[jobs[0]].progress == {"current": 2, "total": 2, "message": ""}
    assert rows[jobs[1]].error_message.startswith("1 of 2 did not succeed.")
    assert states_of_parts(jobs[1]) == {0: "failed", 1: "succeeded"}
    assert states_of_parts(jobs[2]) == {0: "succeeded", 1: "succeeded", 2: "succeeded"}


def test_an_end_that_the_database_interrupts_is_made_again_without_a_lost_attempt():
    jobs = [probe.probe_split.delay([5, 6]), probe.probe_split.delay([7, 8])]
    failures = [OperationalError("the connection is gone")]

    def fails_once(parts):
        if failures:
            raise failures.pop()
        return sum_up(parts)

    with mock.patch.object(probe.probe_split, "combine", fails_once):
        run_all_that_waits()
    assert [job.get(0) for job in jobs] == [{"0": 5, "1": 6}, {"0": 7, "1": 8}]
    assert set(Job.objects.filter(pk__in=jobs).values_list("attempt_count", flat=True)) == {1}


def test_a_part_that_took_two_attempts_has_a_row(run_jobs):
    job = probe.probe_split.delay([5, 106, 7])
    run_jobs()
    assert job.state == "running"
    assert len(job.children) == 1
    make_due_in_lanes()
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 106, "2": 7}
    assert states_of_parts(job) == {1: "succeeded"}
    assert [str(one) for one in job.children] == [str(member_id(str(job), 1))]


def test_one_part_fails_and_only_that_is_made_again(run_jobs, staff):
    job = probe.probe_split.delay([5, -6, 7])
    run_jobs()
    assert job.state == "failed"
    assert Job.objects.get(pk=job).error_message.startswith("1 of 3 did not succeed.")
    assert states_of_parts(job) == {0: "succeeded", 1: "failed", 2: "succeeded"}
    again = retried(job, staff)
    run_jobs()
    assert again.state == "failed"
    third = retried(again, staff)
    with mock.patch.object(probe.probe_split, "function", return_value=60):
        run_jobs()
    assert third.get(0) == {"0": 5, "1": 60, "2": 7}
    assert sorted(probe.ledger()) == ["part -6", "part -6", "part 5", "part 7"]
    assert states_of_parts(third) == {}


def test_parts_that_had_succeeded_count_for_the_retry_of_a_cancelled_whole(run_jobs, staff):
    job = probe.probe_split.delay([5, 106, 7])
    run_jobs()
    job.cancel("enough")
    settle(run_jobs)
    assert job.state == "cancelled"
    assert states_of_parts(job) == {0: "succeeded", 1: "cancelled", 2: "succeeded"}
    again = retried(job, staff)
    run_jobs()
    make_due_in_lanes()
    run_jobs()
    assert again.get(0) == {"0": 5, "1": 106, "2": 7}
    assert sorted(probe.ledger()) == ["part 106", "part 106", "part 106", "part 5", "part 7"]


def test_a_success_cannot_be_repeated_for_the_arguments_of_its_parts_are_gone(run_jobs, staff):
    job = probe.probe_split.delay([5, 6])
    run_jobs()
    with pytest.raises(JobNotRepeatable):
        retry_job(job_id=job, user=staff)


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_dies_between_two_steps(run_jobs, point, call):
    job = probe.probe_split.delay([5, 6, 7])
    with ends_at(*POINTS[point], call):
        run_until_killed()
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 6, "2": 7}
    assert remaining_keys() == []


def test_a_part_that_ends_while_the_scheduler_looks_is_not_lost(run_jobs):
    job = probe.probe_split.delay([5, 6, 7])
    live = sweeping._live

    def ends_meanwhile(queue: JobQueue, group_id: str, ids: list[str]) -> set[str]:
        run_jobs("positions")
        return live(queue, group_id, ids)

    with mock.patch.object(sweeping, "_live", ends_meanwhile):
        GroupSweeper(JobQueue("positions", client()), min_age_seconds=0).turn()
    run_jobs()
    assert job.get(0) == {"0": 5, "1": 6, "2": 7}
    assert not Job.objects.filter(state="failed").exists()


def test_a_damaged_result_reads_as_a_missing_one(run_jobs):
    job = probe.probe_split.delay([5, 106])
    run_jobs()
    client().hset(JobQueue("positions", client()).keys.job(str(job)), "r0", "{")
    make_due_in_lanes()
    run_jobs()
    assert job.state == "retrying"
    assert [failure["error_class"] for failure in live_job(job).failures] == ["MembersMissing"]


def test_a_call_that_was_cancelled_when_all_parts_had_succeeded_is_ended_again(run_jobs, staff):
    job = probe.probe_split.delay([5, 6])
    worker = Worker("positions", "test:0:positions:0", client())
    while job.state == "running":
        worker.turn(None)
    assert job.cancel() == "cancelled"
    worker.shut_down()
    run_jobs()
    again = retried(job, staff)
    run_jobs()
    assert again.get(0) == {"0": 5, "1": 6}
    assert sorted(probe.ledger()) == ["part 5", "part 6"]


def test_a_call_in_a_group_a_chain_or_a_callback_is_split_as_any_other(run_jobs):
    alone = async_task("probe_split", [5, 6])
    whole = group([probe.probe_split.s([7, 8]), probe.probe_add.s(1)]).delay()
    steps = chain(probe.probe_split.s([1, 2]), probe.probe_result.s(), probe.probe_split.si([3, 4])).delay()
    called = probe.probe_return_numbers.s(9, 10).on_success(probe.probe_split.s()).delay()
    assert len(JobHandle(alone).children) == 2
    run_jobs()
    assert result(alone) == {"0": 5, "1": 6}
    assert (whole.get(0), steps.get(0)) == ([{"0": 7, "1": 8}, 2], {"0": 3, "1": 4})
    assert called.children[0].result == {"0": 9, "1": 10}
    assert not Job.objects.filter(task="probe_split", member_index__isnull=False, parent_id=alone).exists()
    assert result(async_task("probe_split", [11], sync=True)) == 11
