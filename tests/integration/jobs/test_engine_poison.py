"""Jobs whose end cannot be written as it is: each gets one row, and no other job is affected."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks_app.engine import JobState
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_ended
from tasks_app.engine.errors import PermanentError
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.storing import store_rows
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.joblog import JobLogHandler, capture_logs
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tasks_app.services.jobs import store as job_store
from tasks_app.services.jobs.actions import cancel_job
from tests.support.probe import poison
from tests.support.probe import tasks as probe
from tests.support.probe.ledger import ledger_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def logs():
    """Lines that jobs log are kept, as in a worker process."""
    import logging

    capture_logs()
    yield
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, JobLogHandler)]


def run_beside_an_innocent(run_jobs, job_id) -> Job:
    innocent = probe.probe_note.delay("innocent")
    run_jobs()
    assert probe.ledger() == ["innocent"]
    assert Job.objects.get(pk=innocent).state == "succeeded"
    return Job.objects.get(pk=job_id)


@pytest.mark.parametrize("kind", poison.ERRORS)
def test_it_keeps_one_row_of_whatever_a_task_raises(run_jobs, kind):
    job = run_beside_an_innocent(run_jobs, poison.poison_raise.delay(kind))
    assert (job.state, job.attempt_count) == ("failed", 1)
    assert job.error_class
    assert "poison.py" in job.traceback or kind in ("no class",)


def test_a_row_is_written_whoever_the_message_says_has_asked_for_the_job():
    """A message of an older release. The worker would try to write it for ever, and the jobs beside it would wait."""
    now, job_id = timezone.now(), str(uuid4())
    stored = store_rows([FinishedJob(job_id, "probe_add", "positions", "succeeded", now, now, requested_by_id=2**70)])
    assert [row.requested_by_id for row in stored] == [None]
    assert Job.objects.get(pk=job_id).error_class == "UnstorableJob"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("surrogate", "cannot read caf\\udce9.gpx"),
        ("nul", "a\\x00b"),
        ("wrong placeholder", "%(values)s is wrong"),
        ("no text", "str() failed"),
        ("cancelled", "by its loop"),
        ("group", "several"),
    ],
)
def test_the_message_of_an_odd_exception_can_be_read(run_jobs, kind, words):
    job_id = poison.poison_raise.delay(kind)
    run_jobs()
    assert words in Job.objects.get(pk=job_id).error_message


@pytest.mark.parametrize("kind", poison.PROGRESS)
def test_odd_progress_costs_a_success_nothing(run_jobs, logs, kind):
    job = run_beside_an_innocent(run_jobs, poison.poison_progress.delay(kind))
    assert (job.state, job.result, job.args) == ("succeeded", "done", [kind])
    assert job.logs == ["WARNING probe: line"]
    assert set(job.progress) == {"current", "total", "message"}
    assert isinstance(job.progress["message"], str)


@pytest.mark.parametrize("kind", ["object", "stray", "itself"])
def test_the_arguments_are_shown_as_they_were_given(run_jobs, kind):
    job = run_beside_an_innocent(run_jobs, poison.poison_arguments.delay(kind, [1]))
    assert (job.state, job.result, job.args) == ("succeeded", "done", [kind, [1]])


def test_what_a_task_writes_past_the_methods_of_its_job_is_made_storable(run_jobs, logs):
    job = run_beside_an_innocent(run_jobs, poison.poison_own_lines.delay())
    assert (job.state, job.result) == ("succeeded", "done")
    assert job.progress["message"] == "caf\\udce9.gpx"


def test_a_cancellation_inside_a_group_is_a_cancellation(run_jobs):
    job_id = poison.poison_cancelled_group.delay()
    run_jobs()
    assert Job.objects.get(pk=job_id).state == "cancelled"


@pytest.mark.parametrize("kind", poison.OPEN_TRANSACTIONS)
def test_a_transaction_left_open_is_rolled_back_and_fails_its_job_alone(run_jobs, kind):
    job = run_beside_an_innocent(run_jobs, poison.poison_transaction.delay(kind))
    assert job.state == "failed"
    assert job.result is None
    assert job.error_class in {"TransactionLeftOpen", "ProgrammingError", "ValueError"}
    assert not Permission.objects.filter(name="changed").exists()
    assert connection.get_autocommit()


def test_a_retrying_job_with_odd_words_can_be_cancelled_and_holds_up_nobody(run_jobs, staff):
    odd, other = poison.poison_retried.delay(), probe.probe_note.apply_async(["never"], countdown=600)
    run_jobs()
    assert cancel_job(job_id=odd, user=staff) == JobState.CANCELLED
    assert cancel_job(job_id=other, user=staff) == JobState.CANCELLED
    assert dict(Job.objects.values_list("pk", "state")) == {odd: "cancelled", other: "cancelled"}
    assert Job.objects.get(pk=odd).attempts[0]["error_message"] == "caf\\udce9.gpx"


def test_a_hash_that_an_older_version_wrote_does_not_stop_the_scheduler(staff):
    """Lone surrogates are valid in Redis's JSON, and cannot be stored in a row."""
    odd, other = probe.probe_note.apply_async(["a"], countdown=600), probe.probe_note.apply_async(["b"], countdown=600)
    queue = JobQueue("positions", client())
    failures = '[{"attempt": 1, "error_class": "E", "error_message": "caf\\udce9 \\u0000", "traceback": ""}]'
    client().hset(queue.keys.job(str(odd)), mapping={"err": failures, "pr": '{"message": "\\ud800", "current": NaN}'})
    for job_id in (odd, other):
        queue.cancel(str(job_id), {"by": staff.pk, "reason": "caf\udce9\x00"})
    assert record_ended(queue) == 2
    assert Job.objects.filter(state="cancelled").count() == 2


def test_a_row_that_cannot_be_written_becomes_the_failure_of_its_own_job(run_jobs, monkeypatch):
    """Refuse rows for a reason that the engine does not know."""
    encoded = job_store._encoded

    def refuse(jobs):
        if any(job.args == ["2"] for job in jobs):
            raise TypeError("no such row \udce9")
        return encoded(jobs)

    monkeypatch.setattr(job_store, "_encoded", refuse)
    job_ids = [probe.probe_note.delay(str(number)) for number in range(6)]
    run_jobs()
    states = [Job.objects.get(pk=job_id).state for job_id in job_ids]
    assert states == ["succeeded", "succeeded", "failed", "succeeded", "succeeded", "succeeded"]
    failed = Job.objects.get(pk=job_ids[2])
    assert failed.error_class == "UnstorableJob"
    assert "no such row" in failed.error_message
    queue = JobQueue("positions", client())
    assert client().hget(queue.keys.job(str(job_ids[2])), "st") == b"failed"
    assert sorted(probe.ledger()) == [str(number) for number in range(6)]


def test_an_unexpected_error_of_the_loop_does_not_end_the_worker(monkeypatch):
    job_id = probe.probe_note.delay("then")
    worker = Worker("positions", "odd", client())
    fetch, failures = worker._fetch, []

    def fail_once(block_ms):
        if not failures:
            failures.append(1)
            raise LookupError("unexpected")
        return fetch(block_ms)

    monkeypatch.setattr(worker, "_fetch", fail_once)
    worker.run_forever(until_empty=True)
    assert Job.objects.get(pk=job_id).state == "succeeded"


@probe.task(queue="positions", max_attempts=1, name="poison_drawn")
def poison_drawn(number: int) -> object:
    """Do what was drawn for this number."""
    message, progress, result, kind = DRAWN[number]
    probe.current_job().progress(*progress)
    if kind is not None:
        raise kind(message)
    return result


DRAWN: dict[int, tuple] = {}
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(["\x00", "\ud800", "a\udce9", "\\u0000", "\U0010ffff"])
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=5) | st.dates() | st.decimals()
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
KINDS = st.sampled_from([ValueError, PermanentError, poison.Own, KeyboardInterrupt, SystemExit, OSError, UnicodeError])
ENDS = st.tuples(VALUES, st.tuples(VALUES, VALUES, VALUES), VALUES, st.none() | KINDS)


@settings(max_examples=15)
@given(st.lists(ENDS, min_size=3, max_size=6))
def test_every_drawn_end_gives_one_row_and_the_innocent_one_run(run_jobs, ends):
    Job.objects.all().delete()
    client().delete(ledger_key())
    DRAWN.clear()
    DRAWN.update(enumerate(ends))
    job_ids = [poison_drawn.delay(number) for number in DRAWN]
    innocent = probe.probe_note.delay("once")
    run_jobs()
    assert probe.ledger() == ["once"]
    assert Job.objects.get(pk=innocent).state == "succeeded"
    assert Job.objects.filter(pk__in=job_ids, attempt_count=1).count() == len(ends)
    assert JobQueue("positions", client()).client.xlen(JobQueue("positions", client()).keys.streams[1]) == 0
