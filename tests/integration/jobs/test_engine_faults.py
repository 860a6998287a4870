"""Faults at points in time that no test with real processes can hit for sure."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

import pytest
import redis

from tasks_app.engine import slots
from tasks_app.engine.clusters.clocks import ClockGuard
from tasks_app.engine.clusters.cluster import Cluster
from tasks_app.engine.clusters.housekeeping import Housekeeping
from tasks_app.engine.clusters.scheduler import SchedulerProcess
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_ended
from tasks_app.engine.live import list_workers
from tasks_app.engine.metrics.jobs import JOBS_FINISHED
from tasks_app.engine.records import job_store
from tasks_app.engine.slots import Slots
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tasks_app.signals import jobs_not_done
from tests.support.probe import tasks as probe
from tests.support.signals import recorded_signals


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue("positions", client())


def worker_with_jobs(consumer: str, count: int) -> Worker:
    """Return a worker that has fetched so many jobs and run none."""
    worker = Worker("positions", consumer, client())
    worker.jobs.add(worker.queue.fetch(consumer, count).claims)
    return worker


def run_first(worker: Worker) -> str:
    """Run its first job; return the job id."""
    running = worker.jobs.begin_next("positions", flush=worker.results.flush)
    worker._run_next(running)
    return running.first.claim.job_id


def run_and_store_first(worker: Worker) -> str:
    """Run its first job and store the result, but do not acknowledge it; return the job id."""
    job_id = run_first(worker)
    job_store().store_finished([attempt.finished_job() for attempt in worker.jobs.done])
    return job_id


@pytest.mark.parametrize("on_job", ["none", "second"])
def test_a_stored_success_is_not_run_again_when_its_worker_dies_on_the_next_job(run_jobs, queue, on_job):
    first, second = probe.probe_note.delay("first"), probe.probe_note.delay("second")
    worker = worker_with_jobs("doomed", 2)
    assert run_and_store_first(worker) == str(first)
    running = [str(second)] if on_job == "second" else []
    assert queue.recover("doomed", "was killed", dead_after_seconds=0, running=running) == (2, 0)
    run_jobs()
    assert probe.ledger() == ["first", "second"]
    assert dict(Job.objects.values_list("pk", "state")) == {first: "succeeded", second: "succeeded"}


def test_a_late_result_is_not_stored_once_the_job_was_taken_over(run_jobs, queue):
    job_id = probe.probe_note.delay("twice")
    sleeper = worker_with_jobs("sleeper", 1)
    run_first(sleeper)
    queue.recover("sleeper", "went silent", dead_after_seconds=0, running=None)
    sleeper.results._answered_at = tuple(at - 60 for at in sleeper.results._answered_at)
    sleeper.results.flush()
    assert not Job.objects.exists()
    run_jobs()
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count) == ("succeeded", 2)


def test_a_result_is_stored_after_redis_forgot_everything(run_jobs, queue):
    job_id = probe.probe_note.delay("kept")
    worker = worker_with_jobs("lonely", 1)
    run_first(worker)
    client().delete(*queue.keys.streams, queue.keys.job(str(job_id)))
    worker.results._answered_at = tuple(at - 60 for at in worker.results._answered_at)
    worker.results.flush()
    assert Job.objects.get(pk=job_id).state == "succeeded"


def test_what_redis_handed_over_unheard_is_begun_within_seconds(run_jobs, queue):
    """A frozen Redis carries out, when it wakes, the blocking read whose sender has given up."""
    worker = Worker("positions", "idle", client())
    worker.turn(None)
    job_id = probe.probe_note.delay("unheard")
    client().xreadgroup("workers", "idle", {queue.keys.streams[1]: ">"}, count=1)
    assert worker.turn(None) == 0
    worker._reconciled_at -= 6
    assert worker.turn(None) == 1
    assert Job.objects.get(pk=job_id).attempt_count == 1


@pytest.mark.parametrize(
    ("passed", "they_passed", "agree"),
    [
        (2.0, 2.0, True),
        (2.0, 3602.0, False),
        (2.0, -3598.0, False),
        (20.0, 20.0, False),
        (2.0, 2.9, True),
        (0.1, 2, False),
    ],
)
def test_nobody_is_judged_after_a_clock_jumped_or_stood_still(passed, they_passed, agree):
    times = iter([100.0, 100.0 + passed, 102.0 + passed])
    guard = ClockGuard(lambda: next(times))
    assert guard.agree((5000, 0)) is False
    theirs = 5000 + they_passed
    assert guard.agree((int(theirs), round(theirs % 1 * 1e6))) is agree
    # From the second round on everybody has beaten under the new clock.
    assert guard.agree((int(theirs) + 2, round(theirs % 1 * 1e6))) is True


def test_an_entry_without_its_job_is_dropped_and_the_reader_goes_on(run_jobs, queue):
    missing, good = probe.probe_note.delay("missing"), probe.probe_note.delay("good")
    client().delete(queue.keys.job(str(missing)))
    client().xadd(queue.keys.streams[1], {"i": "no-such-job"})
    client().hset(queue.keys.job("half-a-job"), "st", "queued")
    run_jobs()
    assert probe.ledger() == ["good"]
    assert Job.objects.get().pk == good
    assert client().xlen(queue.keys.streams[1]) == 0


def note_of(consumer: str) -> dict[str, object]:
    return {"queue": "positions", "consumer": consumer, "reason": "was killed", "running": []}


@pytest.fixture
def housekeeping():
    reading, writing = os.pipe()
    yield Housekeeping(["positions"], Slots(1), reading, ["positions"]), writing
    os.close(reading)
    os.close(writing)


def test_the_first_round_of_a_cluster_warns_of_no_clock(housekeeping, queue, caplog):
    process, _ = housekeeping
    process._beat_queue(queue, {}, must_sweep=False)
    assert not caplog.records
    process._clocks[queue.name].agree((1, 0))
    process._beat_queue(queue, {}, must_sweep=False)
    assert "stood still or jumped" in caplog.text


def test_a_worker_is_as_old_as_its_own_process(housekeeping, queue, monkeypatch):
    """Not as housekeeping, which may be replaced, and may be older than a worker that was."""
    process, _ = housekeeping
    began_at = datetime(2026, 11, 1, tzinfo=UTC)
    with monkeypatch.context() as clock:
        clock.setattr(slots.time, "time", began_at.timestamp)
        process.slots.prepare(0, "host:1:positions:0:abc")
    process.slots.assign(0, os.getpid())
    process._beat({"positions": queue})
    assert [worker.started_at for worker in list_workers(client())] == [began_at.isoformat()]


def test_a_death_that_redis_refuses_holds_up_no_other(housekeeping, queue, monkeypatch):
    process, _ = housekeeping
    given_back: list[str] = []

    def recover(consumer, reason, **kwargs):
        if consumer == "odd":
            raise redis.ResponseError("WRONGTYPE")
        given_back.append(consumer)
        return 0, 0

    monkeypatch.setattr(queue, "recover", recover)
    process._deaths = [note_of("odd"), note_of("other")]
    process._turn({"positions": queue})
    assert given_back == ["other"]
    assert process._deaths == [note_of("odd")]
    assert process._beat_at > 0


def test_half_a_note_of_a_death_costs_no_other(housekeeping):
    process, writing = housekeeping
    os.write(writing, b'"positions", "reason": "x"}\n[1]\n\xff\n' + json.dumps(note_of("whole")).encode() + b"\n")
    process._read_deaths(0)
    assert process._deaths == [note_of("whole")]


def test_notes_that_the_pipe_has_no_room_for_come_whole_later():
    cluster = Cluster(["positions"], workers=1)
    sent = [json.dumps({"number": number, "text": "x" * 20_000}) for number in range(10)]
    received = b""
    for text in sent:
        cluster._notes += text.encode() + b"\n"
        cluster._send_notes()
    assert cluster._notes
    while cluster._notes or received.count(b"\n") < len(sent):
        received += os.read(cluster._deaths_read, 65536)
        cluster._send_notes()
    assert received.decode().splitlines() == sent


def test_a_clock_that_is_set_back_holds_up_no_tick_of_the_scheduler(monkeypatch):
    """It slept until the clock had come to where it was before, and no schedule ran."""
    passed_seconds: list[float] = []
    scheduler = SchedulerProcess([], client())

    def sleep(seconds: float) -> None:
        passed_seconds.append(seconds)
        scheduler.stopping = len(passed_seconds) == 100

    clocks = SimpleNamespace(
        time=lambda: 1_800_000_000.5 - (3600 if passed_seconds else 0) + sum(passed_seconds),
        monotonic=lambda: sum(passed_seconds),
        sleep=sleep,
    )
    monkeypatch.setattr("tasks_app.engine.clusters.scheduler.time", clocks)
    scheduler._sleep()
    assert sum(passed_seconds) == pytest.approx(0.5)


def test_one_step_of_the_scheduler_that_fails_holds_up_none_of_the_others():
    def fail() -> None:
        raise LookupError("caf\udce9")

    SchedulerProcess([], client())._run_step("step", fail)


def test_two_schedulers_that_write_the_same_rows_tell_and_count_each_end_once(transactional_db, queue):
    jobs = probe.probe_note.enqueue_many([("a",), ("b",)])
    list(queue.purge({"by": None, "reason": "enough"}))
    store = job_store().store_finished

    def store_beside_another(rows):
        with mock.patch.object(job_store(), "store_finished", store):
            record_ended(queue)
        return store(rows)

    with (
        recorded_signals(jobs_not_done) as sent,
        mock.patch.object(JOBS_FINISHED, "add") as counted,
        mock.patch.object(job_store(), "store_finished", store_beside_another),
    ):
        assert record_ended(queue) == 2
    assert sorted(job.job_id for one in sent[jobs_not_done] for job in one["jobs"]) == sorted(map(str, jobs))
    assert counted.call_count == 2


def test_a_late_failure_of_a_job_that_has_succeeded_is_told_to_nobody(run_jobs, queue):
    job = probe.probe_note.delay("once")
    late = worker_with_jobs("late", 1)
    queue.recover("late", "went silent", dead_after_seconds=0, running=None)
    run_jobs()
    running = late.jobs.begin_next("positions", flush=late.results.flush)
    running.first.open()
    running.first.fail(ValueError("late"))
    with recorded_signals(jobs_not_done) as sent:
        assert job_store().store_finished([running.first.finished_job()]) == 0
    assert (job.state, sent[jobs_not_done]) == ("succeeded", [])
