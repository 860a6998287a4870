"""Controlling a real cluster while it works: cancel against finish, pause under load, a hundred callers for one key."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid5

import pytest
from django.db import connection

from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import ROOT, environment, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS
from tests.support.probe import tasks as probe
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

NAMESPACE = UUID("0c2f5b0e-9a52-4a6a-9c39-7f8f1f1f1f1f")
MANY = 10_000
ENQUEUE_MANY = f"""
import django; django.setup()
from uuid import UUID, uuid5
from trackerproject.dev.soak.tasks import ledger_job
ids = [uuid5(UUID("{NAMESPACE}"), str(n)) for n in range({MANY})]
print("begin", flush=True)
ledger_job.enqueue_many([(0.0, "many")] * {MANY}, job_ids=ids)
"""


@pytest.fixture
def cluster(tmp_path, db):
    create_ledger()
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS) as running:
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        yield running


def depth() -> int:
    queue = JobQueue("positions", client())
    return sum(client().xlen(stream) for stream in queue.keys.streams)


def test_cancelling_a_thousand_jobs_that_are_just_running_gives_each_one_final_state(cluster):
    """Cancel waiting, fetched, running and just ended jobs twice each, from two threads at once."""
    jobs = ledger_job.enqueue_many([(0.0, "race")] * 1000)
    queue = JobQueue("positions", client())
    answers: dict[str, set[str]] = {str(job_id): set() for job_id in jobs}

    def cancel_all(order: int) -> None:
        for job_id in [str(job_id) for job_id in jobs][::order]:
            answers[job_id].add(queue.cancel(job_id, {"by": None, "reason": "race"}))

    threads = [threading.Thread(target=cancel_all, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = wait_until(lambda: len(rows := Job.objects.filter(pk__in=jobs)) == 1000 and rows, 30, "1000 final states")
    final = {str(job.pk): job.state for job in rows}
    assert set(final.values()) <= {"succeeded", "cancelled"}
    succeeded = {job_id for job_id, state in final.items() if state == "succeeded"}
    # Every answer "cancelled" is true, and a job that had its effect is never called cancelled.
    assert all(final[job_id] == "cancelled" for job_id, said in answers.items() if "cancelled" in said)
    assert {mark.job_id for mark in read_marks("finished")} == succeeded
    assert depth() == 0
    assert len(list_workers()) == 2


def test_a_cancellation_never_hits_the_next_job(cluster):
    """Jobs of 0.15 s live just long enough to be asked whether they are cancelled; the one behind each is not."""
    queue = JobQueue("positions", client())
    pairs = [(ledger_job.delay(0.15, f"victim {n}"), ledger_job.delay(0.15, "bystander")) for n in range(20)]
    for number, (victim, _) in enumerate(pairs):
        wait_until(
            lambda number=number, victim=victim: read_marks("started", f"victim {number}"), 20, "the victim to start"
        )
        queue.cancel(str(victim), {"by": None, "reason": ""})
    bystanders = [bystander for _, bystander in pairs]
    wait_until(lambda: Job.objects.filter(pk__in=bystanders, state="succeeded").count() == 20, what="the bystanders")
    wait_until(lambda: Job.objects.count() == 40, what="the victims")


def test_nothing_starts_a_second_after_a_pause_and_the_pause_outlives_the_cluster(cluster, tmp_path):
    jobs = ledger_job.enqueue_many([(0.02, "load")] * 150)
    wait_until(lambda: len(read_marks("started")) > 20, what="the load to run")
    queue = JobQueue("positions", client())
    queue.pause({"by": None, "reason": "test"})
    paused_at = time.time()
    late = ledger_job.enqueue_many([(0.0, "late")] * 5)
    wait_until(lambda: time.time() - paused_at > 2, what="two seconds to pass")
    starts = read_marks("started")
    assert max(mark.at.timestamp() for mark in starts) - paused_at < 1
    assert cluster.stop(signal.SIGTERM) == 0
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS):
        wait_until(lambda: len(list_workers()) == 2, what="the other cluster")
        resumed_at = time.time()
        assert len(read_marks("started")) == len(starts) < 150
        queue.resume()
        wait_until(lambda: Job.objects.filter(pk__in=[*jobs, *late], state="succeeded").count() == 155, what="all")
    assert read_marks("started")[len(starts)].at.timestamp() - resumed_at < 1
    assert count_effects() == 155


def test_a_hundred_who_want_one_key_get_one_job_and_its_death_frees_the_key(cluster):
    queue = JobQueue("positions", client())
    queue.pause({"by": None, "reason": "test"})

    def ask(number: int) -> UUID:
        try:
            return probe.probe_die.apply_async(("out of memory",), unique_key="nightly")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(ask, range(100)))
    assert len(ids) == 1
    assert depth() == 1
    queue.resume()
    (holder,) = ids
    job = wait_until(lambda: Job.objects.filter(pk=holder).first(), 30, "the holder to die three times")
    assert (job.state, job.error_class) == ("failed", "JobLost")
    assert probe.probe_add.apply_async((1,), unique_key="nightly") != holder


def test_enqueueing_many_that_is_killed_on_the_way_may_be_repeated(db):
    create_ledger()
    ids = [uuid5(NAMESPACE, str(number)) for number in range(MANY)]
    for minimum in (0, MANY // 2):
        process = subprocess.Popen([sys.executable, "-c", ENQUEUE_MANY], cwd=ROOT, env=environment(**LEDGER_APPS))
        wait_until(lambda minimum=minimum, process=process: depth() > minimum or process.poll() is not None, 30, "jobs")
        process.kill()
        process.wait(10)
    assert 0 < depth() <= MANY
    assert ledger_job.enqueue_many([(0.0, "many")] * MANY, job_ids=ids) == ids
    assert depth() == MANY
