"""Batched tasks through the real queue and the worker's code, in this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from unittest import mock

import pytest
from django.db import OperationalError, transaction

from tasks_app.engine import JobState, current_job
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.joblog import JobLogHandler, capture_logs
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tests.support.probe import batched
from tests.support.probe import tasks as probe
from tests.support.probe.batched import batches, probe_batched, probe_batched_secret

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue("positions", client())


@pytest.fixture
def answer_with(monkeypatch):
    """Let the batched task answer its batches with a function of the test."""
    return lambda function: monkeypatch.setattr(probe_batched, "batch", function)


def enqueued(*texts: str) -> list:
    return [probe_batched.delay(text) for text in texts]


def worker_with_all(consumer: str = "test:0:positions:0") -> Worker:
    """Return a worker that has fetched all that waits."""
    worker = Worker("positions", consumer, client())
    worker.jobs.add(worker.queue.fetch(consumer, 100).claims)
    return worker


def run_batches() -> None:
    worker_with_all()._run_waiting()


def ends(ids) -> list[tuple]:
    rows = Job.objects.in_bulk(ids)
    return [(row.state, row.result, row.error_class, row.attempt_count) for row in map(rows.get, ids) if row]


SUCCEEDED = ("succeeded", "A", "", 1)


def test_waiting_jobs_are_served_by_one_call_and_each_has_a_row_of_its_own():
    ids = enqueued("a", "b", "refuse", "object", "c")
    run_batches()
    assert batches() == ["a b refuse object c"]
    # An error that is returned is tried again like one that is raised.
    assert ends(ids) == [
        ("succeeded", "A", "", 1),
        ("succeeded", "B", "", 1),
        ("failed", None, "UnserialisableResult", 1),
        ("succeeded", "C", "", 1),
    ]
    assert Job.objects.get(pk=ids[1]).args == ["b"]
    live = client().hget(JobQueue("positions", client()).keys.job(str(ids[2])), "st")
    assert live == b"retrying"


def test_a_job_that_waits_alone_is_run_by_its_own_function():
    ids = enqueued("a")
    run_batches()
    assert (batches(), ends(ids)) == (["a"], [SUCCEEDED])
    assert batched.CALLS == [] or len(batched.CALLS[-1]) > 1


def test_a_poison_job_fails_alone_and_the_others_succeed(run_jobs, queue):
    ids = enqueued(*"abc", "permanent", *"defgh")
    run_batches()
    assert batches() == [
        "a b c permanent d e f g h",
        "a b c permanent",
        "a b",
        "c permanent",
        "c",
        "permanent",
        "d e f g h",
    ]
    rows = dict(Job.objects.values_list("pk", "state"))
    assert rows == {job_id: "failed" if job_id == ids[3] else "succeeded" for job_id in ids}
    assert set(Job.objects.values_list("attempt_count", flat=True)) == {1}
    assert Job.objects.get(pk=ids[3]).error_message == "permanent"
    assert "batched.py" in Job.objects.get(pk=ids[3]).traceback


def test_a_job_that_fails_is_tried_again_by_its_own_policy(run_jobs, queue):
    ids = enqueued("a", "poison")
    run_batches()
    assert ends(ids) == [SUCCEEDED]
    client().zadd(queue.keys.delayed, {str(ids[1]): 1}, xx=True)
    run_jobs()
    row = Job.objects.get(pk=ids[1])
    assert (row.state, row.attempt_count, [one["error_class"] for one in row.attempts]) == (
        "failed",
        2,
        ["ValueError"] * 2,
    )


@pytest.mark.parametrize("kind", ["short", "long", "none", "text", "generator"])
def test_an_answer_of_another_length_fails_all_with_the_reason(kind):
    ids = enqueued(f"answer {kind}", "b")
    run_batches()
    assert ends(ids) == [("failed", None, "WrongBatchResult", 1)] * 2
    assert len(batches()) == 1
    assert "for 2 calls" in Job.objects.get(pk=ids[1]).error_message


def test_a_batch_that_ends_inside_a_transaction_is_rolled_back_and_divided(answer_with):
    def leave_open(calls):
        transaction.set_autocommit(False)
        return [None for _ in calls]

    answer_with(leave_open)
    ids = enqueued("a", "b")
    run_batches()
    # Each is run by its own function in the end.
    assert ends(ids) == [SUCCEEDED, ("succeeded", "B", "", 1)]


def test_a_job_cancelled_in_a_workers_hands_is_left_out(queue):
    ids = enqueued("a", "b", "c")
    worker = worker_with_all()
    assert queue.cancel(str(ids[1]), {}) == JobState.RUNNING
    worker._run_waiting()
    assert batches() == ["a c"]
    assert ends(ids) == [SUCCEEDED, ("cancelled", None, "JobCancelled", 1), ("succeeded", "C", "", 1)]


@pytest.mark.parametrize(("waited_seconds", "asked"), [(-10.0, 0), (10.0, 1)])
def test_only_jobs_that_waited_in_a_workers_hands_are_asked_about(waited_seconds, asked):
    ids = enqueued("a", "b")
    worker = worker_with_all()
    worker._fetched_at = time.monotonic() - waited_seconds
    with mock.patch.object(worker.queue, "progress", wraps=worker.queue.progress) as progress:
        worker._run_waiting()
    assert (batches(), ends(ids)) == (["a b"], [SUCCEEDED, ("succeeded", "B", "", 1)])
    assert progress.call_count == asked


def test_cancelling_one_job_of_a_running_batch_ends_that_one_only(queue, answer_with):
    ids = enqueued("a", "b", "c")
    calls_made = []

    def cancel_second(calls):
        calls_made.append([call.arguments["text"] for call in calls])
        if len(calls) == 3:
            queue.cancel(str(ids[1]), {})
        current_job().progress(1, 1)
        current_job().raise_if_cancelled()
        return [call.arguments["text"].upper() for call in calls]

    answer_with(cancel_second)
    run_batches()
    assert calls_made == [["a", "b", "c"], ["a", "c"]]
    assert ends(ids) == [SUCCEEDED, ("cancelled", None, "JobCancelled", 1), ("succeeded", "C", "", 1)]


def test_a_job_that_was_taken_over_is_left_out_and_its_result_not_stored(queue):
    ids = enqueued("a", "b")
    worker = worker_with_all("frozen")
    claim = worker.jobs.waiting[1]
    client().hset(queue.keys.job(str(ids[1])), "sid", "1-1")
    worker._run_waiting()
    assert claim.job_id == str(ids[1])
    assert batches() == ["a"]
    assert ends(ids) == [SUCCEEDED]


def test_jobs_of_a_batch_that_lost_its_worker_run_alone_from_then_on(queue):
    ids = enqueued("a", "b", "c")
    queue.fetch("dead", 10)
    # It ran the first two; the third one, which waited, lost nothing, but may have a row.
    queue.recover("dead", "was killed by SIGKILL", dead_after_seconds=0, running=[str(one) for one in ids[:2]])
    more = enqueued("d", "e")
    assert client().hmget(queue.keys.job(str(ids[0])), "lost", "wr") == [b"1", None]
    run_batches()
    assert batches() == ["a", "b", "c", "d e"]
    assert [end[3] for end in ends([*ids, *more])] == [2, 2, 1, 1, 1]
    assert {end[0] for end in ends([*ids, *more])} == {"succeeded"}


def test_a_database_that_is_away_fails_no_job_of_a_batch(monkeypatch, answer_with):
    def fail(calls):
        raise OperationalError("the server closed the connection")

    ids = enqueued("a", "b")
    worker = worker_with_all()
    answer_with(fail)
    monkeypatch.setattr("tasks_app.engine.workers.worker.is_database_away", lambda error: True)
    with pytest.raises(OperationalError):
        worker._run_waiting()
    assert (ends(ids), worker.jobs.running, worker.jobs.done) == ([], None, [])
    monkeypatch.undo()
    worker._start_over_with_database()
    assert worker.turn(None) == 2
    assert ends(ids) == [SUCCEEDED, ("succeeded", "B", "", 1)]


@pytest.fixture
def log_of_jobs() -> Iterator[None]:
    """Keep the lines that tasks log on their jobs, as a worker does."""
    capture_logs()
    yield
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, JobLogHandler)]


def test_log_and_progress_of_a_batch_are_those_of_each_job(log_of_jobs):
    ids = enqueued("a", "log")
    run_batches()
    for job_id in ids:
        row = Job.objects.get(pk=job_id)
        assert row.logs == ["WARNING probe: a line"]
        assert row.progress == {"current": 1, "total": 2, "message": "half"}


def test_hidden_arguments_of_one_job_of_a_batch_are_hidden_in_the_rows_of_all(log_of_jobs):
    ids = [probe_batched_secret.delay(password) for password in ("xyzzy-4711", "plugh-0815")]
    run_batches()
    for row in Job.objects.filter(pk__in=ids):
        assert row.state == "succeeded"
        assert row.logs == ["WARNING probe: for [hidden]"] * 2
        assert row.progress["message"] == "for [hidden]"


def test_a_worker_fetches_more_of_a_batched_task_the_more_go_together():
    worker = Worker("positions", "growing", client())
    worker.fetch_size.average_seconds = 10.0
    sizes = []
    enqueued(*(f"t{number}" for number in range(60)))
    while worker.turn(None):
        sizes.append(len(batches()[-1].split()))
    # max_batch is 20.
    assert sizes == [1, 2, 4, 8, 16, 20, 9]
    for number in range(5):
        probe.probe_note.delay(f"alone {number}")
        worker.turn(None)
    worker.fetch_size.average_seconds = 10.0
    assert worker.fetch_size.wanted() == 1


def test_other_tasks_between_keep_the_order():
    enqueued("a", "b")
    probe.probe_note.delay("between")
    enqueued("c", "d")
    run_batches()
    assert (batches(), probe.ledger()) == (["a b", "c d"], ["between"])
