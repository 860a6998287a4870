"""Signed messages that were copied out of Redis and put back after their jobs had ended."""

from __future__ import annotations

import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def copy_of(job_id, queue: JobQueue) -> bytes:
    """Return the key of a waiting job as Redis dumps it."""
    return client().dump(queue.keys.job(str(job_id)))


def put_back(job_id, queue: JobQueue, dump: bytes, entries) -> None:
    client().restore(queue.keys.job(str(job_id)), 0, dump, replace=True)
    for stream, fields in entries:
        client().xadd(stream, fields)


def entries_of(queue: JobQueue) -> list:
    return [(stream, fields) for stream in queue.keys.streams for _id, fields in client().xrange(stream)]


@pytest.mark.parametrize("times", [1, 3])
def test_a_job_that_ended_does_not_run_again(times, run_jobs):
    queue = JobQueue("positions", client())
    job_id = probe.probe_note.delay("ran")
    dump, entries = copy_of(job_id, queue), entries_of(queue)
    assert entries
    run_jobs("positions")
    for _number in range(times):
        put_back(job_id, queue, dump, entries)
        run_jobs("positions")
    assert probe.ledger() == ["ran"]
    assert Job.objects.get(pk=job_id).state == "succeeded"
