"""Queues through the worker's code, in this process: priority, many at once, pause, purge, figures."""

from __future__ import annotations

import uuid

import pytest

from tasks_app.engine import InvalidArguments
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers, queue_stats
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_serves_high_priority_first_and_low_last(run_jobs):
    for priority in ("low", "normal", "high", "low", "high"):
        probe.probe_note.apply_async([priority], priority=priority)
    run_jobs()
    assert probe.ledger() == ["high", "high", "normal", "low", "low"]
    with pytest.raises(InvalidArguments):
        probe.probe_note.apply_async(["x"], priority="urgent")


def test_it_enqueues_many_once_however_often_it_is_repeated(run_jobs):
    ids = [uuid.uuid4() for _ in range(1200)]
    calls = [(str(number),) for number in range(1200)]
    assert probe.probe_note.enqueue_many(calls, job_ids=ids) == ids
    assert probe.probe_note.enqueue_many(calls, job_ids=ids) == ids
    run_jobs()
    assert probe.ledger() == [str(number) for number in range(1200)]


def test_it_makes_none_of_many_when_one_has_wrong_arguments():
    with pytest.raises(InvalidArguments):
        probe.probe_add.enqueue_many([(1,), ("2",)])
    with pytest.raises(InvalidArguments):
        probe.probe_add.enqueue_many([(1,)], job_ids=[])
    assert waiting_jobs(JobQueue("positions", client())) == 0


def test_it_takes_nothing_from_a_paused_queue(run_jobs):
    queue = JobQueue("positions", client())
    queue.create_groups()
    probe.probe_note.delay("before")
    assert queue.wait("blocked", 10)  # delivered to a worker that was waiting when the pause began
    queue.pause({"by": 1})
    probe.probe_note.delay("after")
    assert queue.fetch("blocked", 10, own=True).paused
    assert run_jobs() == 0
    assert {stats.name: stats.paused for stats in queue_stats()}["positions"]
    queue.resume()
    run_jobs()
    assert sorted(probe.ledger()) == ["after", "before"]
    assert set(Job.objects.values_list("attempt_count", flat=True)) == {1}


def test_it_purges_what_waits_and_leaves_what_runs(run_jobs):
    queue = JobQueue("positions", client())
    running = probe.probe_note.delay("running")
    queue.fetch("busy", 1)
    for priority in ("high", "normal", "low"):
        probe.probe_note.apply_async(["waiting"], priority=priority)
    probe.probe_note.apply_async(["scheduled"], countdown=100)
    assert sum(queue.purge({"by": 1, "reason": "all wrong"}, limit=2)) == 4
    run_jobs()
    assert Job.objects.filter(state="cancelled", error_message="all wrong").count() == 4
    assert client().hget(queue.keys.job(str(running)), "st") == b"running"
    assert probe.ledger() == []


def test_it_counts_a_queue(run_jobs):
    probe.probe_add.delay(1)
    probe.probe_add.apply_async([1], countdown=50)
    probe.probe_fail.delay("x")
    stats = {queue.name: queue for queue in queue_stats()}["positions"]
    assert (stats.depth, stats.scheduled, stats.running, stats.retrying) == (2, 1, 0, 0)
    assert stats.oldest_age_seconds >= 0
    run_jobs()
    stats = {queue.name: queue for queue in queue_stats()}["positions"]
    assert (stats.depth, stats.scheduled, stats.retrying, stats.oldest_age_seconds) == (0, 1, 1, None)
    assert list_workers() == []


def waiting_jobs(queue: JobQueue) -> int:
    return sum(client().xlen(stream) for stream in queue.keys.streams)
