"""A real cluster whose processes are killed."""

from __future__ import annotations

import os
import signal

import pytest
from django.db import connections

from tasks_app.engine.connection import client
from tasks_app.engine.keys import GROUP
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs.actions import cancel_job, start_task
from tests.support.cluster import allowed, running_cluster, wait_until
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2") as running:
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        yield running


def ended_job(job_id) -> Job | None:
    return Job.objects.filter(pk=job_id).first()


def started_pid(text: str) -> int | None:
    return next((int(line.split()[-1]) for line in probe.ledger() if line.startswith(f"{text} started")), None)


def test_it_runs_jobs_in_other_processes(cluster):
    job_ids = [probe.probe_add.delay(number) for number in range(200)]
    wait_until(lambda: Job.objects.filter(pk__in=job_ids, state="succeeded").count() == 200, what="200 results")
    assert set(Job.objects.values_list("worker_pid", flat=True)) <= {child.pid for child in cluster.children()}


def test_it_ends_a_raising_job_as_failed_with_its_traceback_and_goes_on(cluster):
    bad, good = probe.probe_fail_for_good.delay("broken"), probe.probe_add.delay(1)
    assert wait_until(lambda: ended_job(good), what="the good job").result == 2
    job = wait_until(lambda: ended_job(bad), what="the bad job")
    assert (job.state, job.error_message) == ("failed", "broken")
    assert "PermanentError" in job.traceback


def test_it_replaces_killed_idle_workers_and_helpers(cluster):
    before = {child.pid for child in cluster.children()}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: len(now := {child.pid for child in cluster.children()}) == len(before) and not now & before,
        what="every process to be replaced",
    )
    job_ids = [probe.probe_add.delay(number) for number in range(20)]
    wait_until(lambda: Job.objects.filter(pk__in=job_ids).count() == 20, what="20 results")


@pytest.mark.parametrize("how", ["exit", "segfault"])
def test_it_fails_a_job_that_kills_three_workers(cluster, how):
    job_id = probe.probe_die.delay(how)
    job = wait_until(lambda: ended_job(job_id), seconds=30, what="the poison to be given up")
    assert (job.state, job.error_class) == ("failed", "JobLost")
    assert ("exited with code 3" if how == "exit" else "SIGSEGV") in job.error_message
    assert len(probe.ledger()) == 3
    assert wait_until(lambda: ended_job(probe.probe_add.delay(1)) or Job.objects.filter(task="probe_add").first())


def test_it_survives_sys_exit_in_a_task(cluster):
    workers = {worker.pid for worker in list_workers()}
    job_id = probe.probe_sys_exit.delay()
    job = wait_until(lambda: ended_job(job_id), what="the end of the job")
    assert (job.state, job.error_class, job.error_message) == ("failed", "SystemExit", "3")
    next_id = probe.probe_add.delay(1)
    assert wait_until(lambda: ended_job(next_id), what="the next job").state == "succeeded"
    assert {worker.pid for worker in list_workers()} == workers


def test_it_interrupts_a_job_at_its_time_limit(cluster):
    job_id = probe.probe_too_long.delay()
    job = wait_until(lambda: ended_job(job_id), what="the time limit")
    assert (job.state, job.error_class) == ("failed", "JobTimeout")
    assert 1 <= job.run_seconds < 5


def test_it_stops_a_cancelled_running_job(cluster, staff):
    job_id = start_task(task_name="probe_sleep", args=[60.0, "polite"], user=staff)
    wait_until(lambda: started_pid("polite"), what="the job to start")
    assert cancel_job(job_id=job_id, user=staff, reason="enough") == "running"
    assert wait_until(lambda: ended_job(job_id), seconds=5, what="it to stop").state == "cancelled"


def test_it_stops_a_cancelled_job_that_does_not_listen(cluster, staff):
    job_id = start_task(task_name="probe_deaf", args=["deaf"], user=staff)
    wait_until(lambda: started_pid("deaf"), what="the job to start")
    cancel_job(job_id=job_id, user=staff)
    assert wait_until(lambda: ended_job(job_id), seconds=12, what="it to be interrupted").state == "cancelled"
    assert wait_until(lambda: Job.objects.filter(task="probe_add").first() or (probe.probe_add.delay(1) and None))


def test_a_long_job_does_not_hold_others_back(cluster):
    blockers = [probe.probe_sleep.delay(5.0, "blocker")]
    quick = [probe.probe_add.delay(number) for number in range(50)]
    wait_until(lambda: Job.objects.filter(pk__in=quick).count() == 50, seconds=4, what="the quick ones")
    assert ended_job(blockers[0]) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_finishes_running_jobs_and_exits_0_when_asked_to_stop(cluster, number):
    job_id = probe.probe_sleep.delay(1.0, "last")
    wait_until(lambda: started_pid("last"), what="the job to start")
    pids = [child.pid for child in cluster.children()]
    assert cluster.stop(number) == 0
    assert ended_job(job_id).state == "succeeded"
    assert cluster.alive(pids) == []
    for stream in JobQueue("positions", client()).keys.streams:
        assert client().xinfo_consumers(stream, GROUP) == []
    assert list_workers() == []


def test_it_gives_a_job_back_that_outlives_the_grace_period(tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "1", SHUTDOWN_GRACE_SECONDS="1") as first:
        job_id = probe.probe_deaf.delay("stubborn")
        wait_until(lambda: started_pid("stubborn"), what="the job to start")
        assert first.stop() == 1
    live = client().hgetall(JobQueue("positions", client()).keys.job(str(job_id)))
    # The count of lost workers is missing before the first.
    assert (live[b"st"], live[b"att"], live.get(b"lost", b"0")) == (b"queued", b"0", b"0")


def test_it_survives_the_loss_of_its_database_connections(cluster):
    wait_until(lambda: ended_job(probe.probe_add.delay(0)) or Job.objects.exists(), what="a first result")
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    job_ids = [probe.probe_add.delay(number) for number in range(20)]
    wait_until(lambda: Job.objects.filter(pk__in=job_ids, state="succeeded").count() == 20, what="20 results")


def test_it_recreates_its_group_after_flushall_of_its_keys(cluster):
    queue = JobQueue("positions", client())
    client().delete(*queue.keys.streams)
    job_id = probe.probe_add.delay(1)
    assert wait_until(lambda: ended_job(job_id), what="the job").state == "succeeded"


def test_it_keeps_what_a_job_logs_up_to_a_limit(cluster):
    job_ids = [probe.probe_log.delay(2), probe.probe_log.delay(600)]
    few, many = (wait_until(lambda job_id=job_id: ended_job(job_id), what="the job").logs for job_id in job_ids)
    assert few == ["WARNING probe: line 0", "WARNING probe: line 1"]
    assert len(many) == 501
    assert "rest" in many[-1]


def test_a_burst_does_what_is_there_and_leaves(tmp_path):
    job_ids = [probe.probe_add.delay(number) for number in range(100)]
    with running_cluster(tmp_path, "--name", "positions", "--name", "reports", "--burst") as burst:
        assert burst.process.wait(allowed(60)) == 0
    assert Job.objects.filter(pk__in=job_ids, state="succeeded").count() == 100


def test_it_refuses_an_unknown_queue(tmp_path):
    with running_cluster(tmp_path, "--name", "nonsense") as running:
        assert running.process.wait(allowed(30)) == 1
    assert b"Unknown queue: nonsense" in running.log.read_bytes()
