"""Handles that `delay` returns: ids of jobs, of which state and result can be asked."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
import redis
from django.core.serializers.json import DjangoJSONEncoder

from tasks_app.engine import (
    InvalidArguments,
    JobFailed,
    JobHandle,
    JobState,
    QueueUnavailable,
    UnknownJob,
    WouldDeadlock,
    enqueue,
    handles,
)
from tasks_app.engine.attempt import Attempt
from tasks_app.engine.connection import client
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.lanes import part_of_job
from tasks_app.engine.streams import ClaimedAttempt, JobQueue
from tasks_app.engine.testing import inline_jobs
from tasks_app.models import Job
from tests.support.probe import lanes as lane_probe
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis_away(monkeypatch):
    class Away:
        def __getattr__(self, name):
            raise redis.ConnectionError("away")

    def go_away() -> None:
        monkeypatch.setattr(handles, "client", Away)

    return go_away


def test_it_is_still_the_id_of_the_job(run_jobs):
    job = probe.probe_add.delay(1, 2)
    plain = UUID(str(job))
    assert isinstance(job, UUID)
    assert (job, hash(job), job.id, job.hex) == (plain, hash(plain), str(plain), plain.hex)
    assert {plain: 1}[job] == 1
    assert json.dumps(job, cls=DjangoJSONEncoder) == json.dumps(str(plain))
    assert msgspec.json.decode(msgspec.json.encode([job])) == [str(plain)]
    for again in (pickle.loads(pickle.dumps(job)), copy.deepcopy(job), JobHandle(str(job)), JobHandle(plain)):
        assert again == job
        assert again.state == JobState.QUEUED
    run_jobs()
    assert Job.objects.get(pk=job).result == 3


@pytest.mark.parametrize("known_queue", [True, False])
def test_it_tells_state_and_result(run_jobs, known_queue):
    job = enqueue("probe_add", 1, b=2)
    job = job if known_queue else JobHandle(str(job))
    assert (job.state, job.result, job.wait(0)) == ("queued", None, False)
    run_jobs()
    assert (job.state, job.result, job.wait(0), job.wait(5), job.get(5)) == ("succeeded", 3, True, True, 3)
    client().delete(JobQueue("positions", client()).keys.job(str(job)))
    assert (job.state, job.result, job.wait(), job.get()) == ("succeeded", 3, True, 3)


def test_it_raises_the_error_of_a_task_by_class_and_message(run_jobs):
    job = probe.probe_fail_for_good.delay("no luck")
    run_jobs()
    with pytest.raises(JobFailed) as caught:
        job.get(5)
    assert (caught.value.error_class, caught.value.error_message) == ("PermanentError", "no luck")
    assert str(caught.value) == "PermanentError: no luck"
    assert str(pickle.loads(pickle.dumps(caught.value))) == "PermanentError: no luck"
    assert (job.state, job.result) == ("failed", None)


def test_a_job_that_waits_for_a_retry_has_not_ended(run_jobs):
    job = probe.probe_fail.delay("later")
    run_jobs()
    assert (job.state, job.wait(0)) == ("retrying", False)


def test_it_reads_no_row_while_it_waits(django_assert_num_queries):
    job = probe.probe_add.apply_async([1], countdown=600)
    with django_assert_num_queries(0), pytest.raises(TimeoutError, match="has not ended"):
        job.get(0.05)


def test_the_end_wakes_through_redis_only_where_a_caller_waits(run_jobs):
    keys = JobQueue("positions", client()).keys
    watched, other = probe.probe_add.delay(1), probe.probe_add.delay(2)
    assert not watched.wait(0)
    run_jobs()
    assert client().xlen(keys.wake(str(watched))) == 1
    assert 0 < client().pttl(keys.wake(str(watched))) <= 60_000
    assert not client().exists(keys.wake(str(other)))


def test_a_damaged_note_of_who_waits_leads_to_no_other_key(run_jobs):
    job, other = probe.probe_add.delay(1), probe.probe_add.apply_async([2], priority="low")
    keys = JobQueue("positions", client()).keys
    client().hset(keys.job(str(job)), "wk", keys.streams[2])
    assert client().xlen(keys.streams[2]) == 1
    run_jobs()
    assert (job.get(0), other.get(0)) == (2, 3)
    assert client().pttl(keys.streams[2]) == -1
    assert client().xlen(keys.wake(str(job))) == 1


@pytest.mark.parametrize("cancel", ["handle", "purge"])
def test_a_cancelled_job_has_ended_before_its_row_is_written(cancel):
    job = probe.probe_add.apply_async([1], countdown=600)
    assert not job.wait(0)
    if cancel == "handle":
        assert job.cancel("too late") == JobState.CANCELLED
    else:
        list(JobQueue("positions", client()).purge({"by": None, "reason": "too late"}))
    assert client().xlen(JobQueue("positions", client()).keys.wake(str(job))) == 1
    assert not Job.objects.filter(pk=job).exists()
    assert job.wait(5)
    with pytest.raises(JobFailed, match="JobCancelled: too late"):
        job.get(5)
    assert (job.state, job.result) == ("cancelled", None)


def test_it_cancels_an_ended_job_without_effect(run_jobs):
    job = probe.probe_add.delay(1)
    run_jobs()
    assert job.cancel() == JobState.SUCCEEDED
    client().delete(JobQueue("positions", client()).keys.job(str(job)))
    assert job.cancel() == JobState.SUCCEEDED


def test_a_job_that_never_was_is_an_error_at_once():
    job = JobHandle(uuid4())
    for ask in (job.wait, job.get, job.cancel, lambda: job.state, lambda: job.result):
        with pytest.raises(UnknownJob, match=str(job)):
            ask()


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_it_refuses_an_impossible_time_to_wait(seconds):
    with pytest.raises(InvalidArguments):
        probe.probe_add.delay(1).wait(seconds)


def test_a_task_may_not_wait_for_a_job_of_its_own_queue(run_jobs):
    job = probe.probe_call_and_wait.delay()
    run_jobs()
    with pytest.raises(JobFailed, match=r"WouldDeadlock: Job .* is on queue 'positions'"):
        job.get(5)


def test_a_task_may_not_wait_for_a_job_of_its_own_lane_nor_for_one_that_never_was():
    in_lane = lane_probe.lane_note.delay("van", "1")
    lane = part_of_job("positions", client(), str(in_lane))
    claim = ClaimedAttempt(2, "1-0", str(uuid4()), 1, 0, 0, "lane_note", b"", [], lane.keys.lane)
    set_current_job(CurrentJob(job_id=uuid4(), queue="positions", claim=claim))
    try:
        with pytest.raises(WouldDeadlock, match=r"is on queue 'positions'"):
            in_lane.wait(5)
        with pytest.raises(UnknownJob):
            JobHandle(uuid4()).wait(5)
    finally:
        set_current_job(None)


def test_a_task_may_ask_its_own_queue_and_wait_for_others(run_jobs):
    ended = probe.probe_add.delay(1)
    run_jobs()
    waiting = probe.probe_add.apply_async([1], countdown=600)
    set_current_job(CurrentJob(job_id=uuid4(), queue="positions"))
    try:
        assert ended.get(5) == 2
        assert not waiting.wait(0)
        set_current_job(CurrentJob(job_id=uuid4(), queue="reports"))
        assert not waiting.wait(0.01)
    finally:
        set_current_job(None)


def test_it_falls_back_to_the_row_while_redis_is_away(run_jobs, redis_away):
    ended, waiting = probe.probe_add.delay(1), probe.probe_add.apply_async([1], countdown=600)
    run_jobs()
    redis_away()
    assert (ended.state, ended.result, ended.wait(5), ended.get(5)) == ("succeeded", 2, True, 2)
    assert not waiting.wait(0.01)
    for ask in (lambda: waiting.state, lambda: waiting.result, waiting.cancel):
        with pytest.raises(QueueUnavailable):
            ask()


def test_jobs_that_run_inline_answer_without_redis(redis_away):
    redis_away()
    with inline_jobs() as jobs:
        done, bad = probe.probe_add.delay(1, 2), probe.probe_fail_for_good.delay("no")
        later, never = probe.probe_add.apply_async([5], countdown=60), probe.probe_add.apply_async([6], countdown=60)
        assert (done.get(1), done.state) == (3, "succeeded")
        with pytest.raises(JobFailed, match="PermanentError: no"):
            bad.get(1)
        assert (later.state, later.wait(1)) == ("scheduled", False)
        assert never.cancel() == "cancelled"
        assert jobs.run_waiting() == 1
        assert later.get() == 6
        with pytest.raises(UnknownJob):
            JobHandle(uuid4()).get(1)


def test_a_job_may_have_a_time_limit_of_its_own():
    queue = JobQueue("positions", client())
    for seconds in (0, -1, float("nan"), 10**9):
        with pytest.raises(InvalidArguments, match="time limit"):
            probe.probe_add.apply_async([1], timeout_seconds=seconds)
    assert queue.fetch("test:0:positions:0", 1).claims == []
    probe.probe_add.apply_async([1], timeout_seconds=1.5)
    (claim,) = queue.fetch("test:0:positions:0", 1).claims
    attempt = Attempt("positions", claim, datetime.now(UTC))
    attempt.open()
    assert attempt.timeout_seconds == 1.5
