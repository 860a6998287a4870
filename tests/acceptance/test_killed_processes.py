"""A real cluster, one process of which is killed, frozen, or ended by its own task."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS
from tests.support.probe import tasks as probe
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_dies_after_its_effect, ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

RESTART_SECONDS = 2


@pytest.fixture
def cluster(tmp_path, db):
    create_ledger()
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS) as running:
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        yield running


def pids(cluster) -> list[int]:
    """Return process ids in the order in which the supervisor starts them: housekeeping, scheduler, workers."""
    return sorted(child.pid for child in cluster.children())


def worker_pids() -> set[int]:
    return {worker.pid for worker in list_workers()}


def wait_for_end(job_id, seconds: float = 20) -> Job:
    return wait_until(lambda: Job.objects.filter(pk=job_id).first(), seconds, "the job to end")


def start(note: str, seconds: float) -> tuple:
    """Start a job; return its id and its first mark."""
    job_id = ledger_job.delay(seconds, note)
    (mark,) = wait_until(lambda: read_marks("started", note), what=f"{note} to start")
    return job_id, mark


def probe_pid(word: str) -> int | None:
    return next((int(line.split()[-1]) for line in probe.ledger() if line.startswith(word)), None)


def probe_starts(word: str) -> list[str]:
    return [line for line in probe.ledger() if line.startswith(f"{word} started")]


def assert_restarted_in_time(note: str, killed_at: float) -> None:
    first, second = wait_until(lambda: len(marks := read_marks("started", note)) == 2 and marks, what="a restart")
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.pid != first.pid
    assert second.at.timestamp() - killed_at < allowed(RESTART_SECONDS)


def test_the_job_of_a_killed_worker_starts_again_within_two_seconds(cluster):
    job_id, mark = start("long", 0.7)
    killed_at = time.time()
    os.kill(mark.pid, signal.SIGKILL)
    assert_restarted_in_time("long", killed_at)
    assert wait_for_end(job_id).state == "succeeded"
    assert count_effects() == len(read_marks("finished")) == 1


def test_all_jobs_of_all_workers_start_again_when_all_are_killed_at_once(cluster):
    jobs = [start(f"long {number}", 0.7) for number in range(2)]
    killed_at = time.time()
    for _, mark in jobs:
        os.kill(mark.pid, signal.SIGKILL)
    for number in range(2):
        assert_restarted_in_time(f"long {number}", killed_at)
    assert [wait_for_end(job_id).state for job_id, _ in jobs] == ["succeeded"] * 2
    assert count_effects() == 2


def test_killed_idle_workers_stall_nobody(cluster):
    """In stock django-q2 an idle worker that is killed may hold the lock of the task queue for ever."""
    for _ in range(2):
        for pid in worker_pids():
            os.kill(pid, signal.SIGKILL)
            before = time.monotonic()
            jobs = ledger_job.enqueue_many([(0.0, "quick")] * 20)
            wait_until(lambda jobs=jobs: Job.objects.filter(pk__in=jobs).count() == 20, RESTART_SECONDS, "20 results")
            wait_until(lambda pid=pid: len(now := worker_pids()) == 2 and pid not in now, 10, "another worker")
            assert time.monotonic() - before < allowed(10)
    assert count_effects() == 80


def test_a_worker_killed_between_effect_and_acknowledgement_repeats_no_effect(cluster):
    job = wait_for_end(ledger_dies_after_its_effect.delay("risky"))
    assert (job.state, job.attempt_count, job.result) == ("succeeded", 2, False)
    assert [mark.what for mark in read_marks()] == ["started", "finished", "started", "repeated"]
    assert count_effects() == 1


def test_a_restart_of_housekeeping_declares_no_worker_dead(cluster):
    long, _ = start("long", 3.0)
    due_at = time.time() + 1
    delayed = ledger_job.apply_async((0.0, "delayed"), countdown=1)
    housekeeping = pids(cluster)[0]
    os.kill(housekeeping, signal.SIGKILL)
    killed_at = time.monotonic()
    wait_until(lambda: len(now := pids(cluster)) == 4 and housekeeping not in now, what="another one")
    assert time.monotonic() - killed_at < allowed(1)
    assert wait_for_end(delayed).state == wait_for_end(long).state == "succeeded"
    (mark,) = read_marks("started", "delayed")
    assert mark.at.timestamp() - due_at < allowed(3)
    assert len(read_marks("started", "long")) == 1
    assert b"silent" not in cluster.log.read_bytes()


def test_a_death_noted_while_housekeeping_is_dead_too_is_not_forgotten(cluster):
    job_id, mark = start("long", 0.7)
    killed_at = time.time()
    os.kill(pids(cluster)[0], signal.SIGKILL)
    os.kill(mark.pid, signal.SIGKILL)
    assert_restarted_in_time("long", killed_at)
    assert wait_for_end(job_id).state == "succeeded"


@pytest.mark.parametrize(("how", "reason"), [("interrupt", "KeyboardInterrupt"), ("sys.exit", "SystemExit")])
def test_an_odd_exception_is_an_ordinary_failure(cluster, how, reason):
    before = worker_pids()
    probe.probe_die.delay(how)
    wait_until(lambda: len(probe.ledger()) == 2, what="a second attempt")
    assert wait_for_end(ledger_job.delay(0.0, "then")).state == "succeeded"
    assert worker_pids() == before
    assert reason.encode() in cluster.log.read_bytes()


def test_a_job_that_is_killed_for_want_of_memory_takes_no_other_with_it(cluster):
    poison = probe.probe_die.delay("out of memory")
    others = ledger_job.enqueue_many([(0.01, "other")] * 50)
    job = wait_for_end(poison, 30)
    assert (job.state, job.error_class, job.attempt_count) == ("failed", "JobLost", 3)
    assert "SIGKILL" in job.error_message
    wait_until(lambda: Job.objects.filter(pk__in=others, state="succeeded").count() == 50, what="the others")
    assert set(Job.objects.filter(pk__in=others).values_list("attempt_count", flat=True)) == {1}


def test_a_job_that_passes_its_time_limit_without_ending_is_killed_five_seconds_later(tmp_path, db):
    """In a C loop that handles no signal, swallowing every exception, frozen: its worker is killed, and it starts again."""
    create_ledger()
    with running_cluster(tmp_path, "--name", "positions", "--workers", "4", **LEDGER_APPS) as cluster:
        enqueued_at = time.monotonic()
        for how in ("loop", "swallow", "frozen"):
            probe.probe_stubborn.delay(how)
        pids = wait_until(
            lambda: all(found := [probe_pid(f"{how} started") for how in ("loop", "swallow", "frozen")]) and found,
            what="all three to start",
        )
        started_at = time.monotonic()
        os.kill(pids[-1], signal.SIGSTOP)
        quick, quick_at = ledger_job.delay(0.0, "quick"), time.time()
        wait_until(lambda: not any(map(psutil.pid_exists, pids)), 15, "the workers to be killed")
        # Not before the limit of the first, nor more than a moment after that of the last: 1 s, and 5 s of patience.
        assert time.monotonic() - enqueued_at > 6
        assert time.monotonic() - started_at < allowed(8)
        (mark,) = read_marks("finished", "quick")
        assert wait_for_end(quick).state == "succeeded"
        assert mark.attempt == 1
        # The one free worker took it: it waited for none of the three to be killed.
        assert mark.at.timestamp() - quick_at < allowed(4)
        wait_until(
            lambda: cluster.log.read_bytes().count(b"was killed; starting another") == 3, 5, "the reason in the log"
        )
        wait_until(lambda: all(len(probe_starts(how)) == 2 for how in ("loop", "swallow", "frozen")), 5, "new attempts")


def test_what_a_job_started_is_killed_with_it(cluster):
    probe.probe_stubborn.delay("parent")
    parent = wait_until(lambda: probe_pid("parent started"), what="the job to start")
    child = wait_until(lambda: probe_pid("child"), what="its child process")
    assert psutil.pid_exists(child)
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", 3, "it to be gone")


def test_a_frozen_idle_worker_keeps_no_job_to_itself(cluster):
    """Redis may deliver a job to a worker that cannot even begin it."""
    for pid in worker_pids():
        os.kill(pid, signal.SIGSTOP)
    jobs = ledger_job.enqueue_many([(0.0, "stuck")] * 10)
    wait_until(lambda: Job.objects.filter(pk__in=jobs, state="succeeded").count() == 10, 25, "ten results")
