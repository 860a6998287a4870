"""Damage of keys in Redis, by hand or by a fault: one job's hash never keeps others from running or being listed."""

from __future__ import annotations

import uuid

import pytest

from tasks_app.engine import JobState
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_ended
from tasks_app.engine.live import repair_queue
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs, list_workers, queue_stats
from tasks_app.services.jobs.actions import cancel_job
from tasks_app.services.jobs.queues import pause_queue, purge_queue
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue("positions", client())


def change(**fields):
    return lambda key: client().hset(key, mapping=fields)


def remove(*fields):
    return lambda key: client().hdel(key, *fields)


def another_type(key: str) -> None:
    client().delete(key)
    client().set(key, "text")


DAMAGES = {
    "another type": another_type,
    "gone": lambda key: client().delete(key),
    "no payload": remove("p"),
    "garbled payload": change(p=b"\x80\x04garbage"),
    "no numbers": remove("att", "lost", "enq"),
    "odd numbers": change(att="many", lost="1e999", enq="-1", due="soon", t0="9" * 30, by="ana"),
    "huge numbers": change(att="9" * 30, enq="9" * 18),
    "no task": remove("t"),
    "odd bytes": change(t=b"\xff\x00", why=b"\xff", own=b"\xff", pri=b"\xff"),
    "unknown priority": change(pri="urgent"),
    "broken failures": change(err="[{"),
    "odd failures": change(err='[1, {"error_message": "\\ud800"}, null]', pr='["x"]', cx="1"),
    "endless failures": change(err="[" * 100_000),
    "odd progress": change(pr='{"current": NaN, "message": "\\u0000"}'),
    "odd unique key": change(uk="no such key"),
}


@pytest.fixture(params=DAMAGES)
def damage(request):
    return DAMAGES[request.param]


def damaged_and_good_job(queue: JobQueue, damage, **options) -> tuple[str, str]:
    """Return a damaged job and, after it, one that is not."""
    bad, good = (str(probe.probe_note.apply_async([text], **options)) for text in ("bad", "good"))
    damage(queue.keys.job(bad))
    return bad, good


def test_a_worker_goes_on_to_the_next_job(run_jobs, queue, damage):
    _, good = damaged_and_good_job(queue, damage)
    run_jobs()
    assert Job.objects.get(pk=good).state == "succeeded"
    assert client().xlen(queue.keys.streams[1]) == 0


def test_a_worker_that_has_it_in_its_hands_finishes_the_others(run_jobs, queue, damage):
    bad, good = (str(probe.probe_note.delay(text)) for text in ("bad", "good"))
    from tasks_app.engine.workers.worker import Worker

    worker = Worker("positions", "test", client())
    worker.jobs.add(worker.queue.fetch("test", 10).claims)
    damage(queue.keys.job(bad))
    worker._run_waiting()
    assert Job.objects.get(pk=good).state == "succeeded"
    assert not worker.jobs.done
    assert client().xlen(queue.keys.streams[1]) == 0


def test_a_delayed_one_holds_up_no_other(run_jobs, queue, damage):
    _, good = damaged_and_good_job(queue, damage, countdown=600)
    for job_id in client().zrange(queue.keys.delayed, 0, -1):
        client().zadd(queue.keys.delayed, {job_id: 1})
    run_jobs()
    assert Job.objects.get(pk=good).state == "succeeded"
    assert client().zcard(queue.keys.delayed) == 0


def test_cancelling_another_answers_and_its_row_is_written(queue, staff, damage):
    bad, good = damaged_and_good_job(queue, damage, countdown=600)
    queue.cancel(bad, {"by": staff.pk, "reason": "x"})
    client().zadd(queue.keys.ended, {bad: 1, b"\xff\xfe": 1, "no id": 1, str(uuid.uuid4()): 1})
    assert cancel_job(job_id=good, user=staff) == JobState.CANCELLED
    assert Job.objects.get(pk=good).state == "cancelled"
    assert client().zcard(queue.keys.ended) == 0
    assert record_ended(queue) == 0


def test_the_jobs_of_a_dead_worker_are_given_back(run_jobs, queue, damage):
    bad, good = (str(probe.probe_note.delay(text)) for text in ("bad", "good"))
    queue.fetch("dead", 10)
    damage(queue.keys.job(bad))
    queue.recover("dead", "was killed", dead_after_seconds=0, running=[bad], written=[bad])
    run_jobs()
    assert Job.objects.get(pk=good).state == "succeeded"


def test_a_purge_and_a_repair_reach_all_others(queue, staff, damage):
    from django.utils import timezone

    damaged_and_good_job(queue, damage)
    damaged_and_good_job(queue, damage, countdown=600)
    client().hset(queue.keys.job_prefix.encode() + b"\xff", "st", "queued")
    client().lpush(queue.keys.unique("x"), "no text")
    client().set(queue.keys.unique("y"), b"\xff")
    repair_queue("positions", apply=True)
    purge_queue(name="positions", user=staff, now=timezone.now())
    assert Job.objects.filter(state="cancelled", args=["good"]).count() == 2
    assert client().zcard(queue.keys.delayed) == 0


@pytest.mark.parametrize("options", [{}, {"countdown": 600}], ids=["queued", "scheduled"])
def test_every_list_shows_the_others(queue, staff, damage, options):
    bad, good = damaged_and_good_job(queue, damage, **options)
    client().xadd(queue.keys.streams[1], {"j": "not an entry of ours"})
    state = JobState.SCHEDULED if options else JobState.QUEUED
    for filters in (JobFilters(), JobFilters(state=state), JobFilters(search="good")):
        assert good in [str(view.id) for view in list_jobs(user=staff, filters=filters).jobs]
    assert str(find_job(good, user=staff).id) == good
    find_job(bad, user=staff)
    assert {stats.name for stats in queue_stats()} >= {"positions"}


def test_a_job_without_a_proper_id_is_put_away(run_jobs, queue):
    for odd in ("half-a-job", b"\xff\xfe"):
        key = queue.keys.job_prefix.encode() + (odd if isinstance(odd, bytes) else odd.encode())
        sid = client().xadd(queue.keys.streams[1], {"i": odd})
        client().hset(
            key, mapping={"st": "queued", "sid": sid, "p": "x", "t": "probe_note", "att": 0, "lost": 0, "enq": 1}
        )
    good = probe.probe_note.delay("good")
    run_jobs()
    assert list(Job.objects.values_list("pk", flat=True)) == [good]
    assert client().xlen(queue.keys.streams[1]) == 0


def test_queues_and_workers_are_listed_whatever_is_in_their_keys(queue, staff):
    from django.utils import timezone

    pause_queue(name="positions", user=staff, now=timezone.now())
    client().set(queue.keys.paused, b"\xff{")
    client().hset(queue.keys.consumers, mapping={b"\xff": b"{", "odd": '["x"]', "w": '{"pid": "x", "host": 1}'})
    client().hset(queue.keys.done, mapping={"x": "y", b"\xff": "1"})
    assert [stats.paused for stats in queue_stats() if stats.name == "positions"] == [True]
    assert len(list_workers()) == 3


def captured_hash(queue: JobQueue, job_id: str) -> dict[bytes, bytes]:
    return client().hgetall(queue.keys.job(job_id))


def put_back(queue: JobQueue, job_id: str, fields: dict[bytes, bytes]) -> None:
    """Write a captured hash, as an attacker can who writes to Redis but has no key to sign with."""
    client().delete(queue.keys.job(job_id))
    sid = client().xadd(queue.keys.streams[1], {"i": job_id})
    client().hset(queue.keys.job(job_id), mapping={**fields, "sid": sid, "st": "queued"})


def test_a_captured_message_of_a_job_that_has_ended_does_not_run_again(run_jobs, queue):
    job_id = str(probe.probe_note.delay("once"))
    fields = captured_hash(queue, job_id)
    run_jobs()
    for _ in range(2):
        put_back(queue, job_id, fields)
        run_jobs()
    assert probe.ledger() == ["once"]
    assert Job.objects.get(pk=job_id).attempt_count == 1
    assert client().hgetall(queue.keys.job(job_id)) == {b"st": b"succeeded"}
    assert client().xlen(queue.keys.streams[1]) == 0


def test_a_captured_message_of_a_cancelled_job_does_not_run(run_jobs, queue, staff):
    job_id = str(probe.probe_note.delay("never"))
    fields = captured_hash(queue, job_id)
    cancel_job(job_id=job_id, user=staff)
    put_back(queue, job_id, fields)
    run_jobs()
    assert probe.ledger() == []
