"""Stopping a real cluster: in any state, by any signal, as often and to as many processes as one likes."""

from __future__ import annotations

import signal
from contextlib import suppress

import psutil
import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import ClusterProcess, allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS
from tests.support.probe import tasks as probe
from trackerproject.dev.soak.faults import listens
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

STOP_SECONDS = 8


@pytest.fixture
def start(tmp_path, db):
    create_ledger()

    def run(*arguments: str, **environment: str):
        arguments = ("--name", "positions", "--workers", "2", *arguments)
        return running_cluster(tmp_path, *arguments, **LEDGER_APPS, **environment)

    return run


def wait_until_up(cluster: ClusterProcess) -> list[int]:
    wait_until(lambda: len(list_workers()) == 2 and len(cluster.children()) == 4, what="two workers with a heartbeat")
    return [child.pid for child in cluster.children()]


def signal_all(cluster: ClusterProcess, number: int) -> None:
    """Signal every process of the control group, as `systemctl stop` does."""
    for process in [*cluster.children(), psutil.Process(cluster.process.pid)]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def assert_stopped_in_order(cluster: ClusterProcess, pids: list[int]) -> None:
    assert cluster.process.wait(allowed(STOP_SECONDS)) == 0, cluster.log.read_text()
    assert cluster.alive(pids) == []
    assert list_workers() == []
    for stream in JobQueue("positions", client()).keys.streams:
        if client().exists(stream):
            assert sum(group["consumers"] for group in client().xinfo_groups(stream)) == 0


def assert_the_rest_runs_elsewhere_unharmed(start, job_ids) -> None:
    with start() as other:
        wait_until(
            lambda: Job.objects.filter(pk__in=job_ids, state="succeeded").count() == len(job_ids), what="every job"
        )
        assert other.stop() == 0
    assert set(Job.objects.values_list("attempt_count", flat=True)) == {1}
    assert count_effects() == len(read_marks("started")) == len(job_ids)


@pytest.mark.parametrize(
    ("whom", "number", "times"),
    [
        ("supervisor", signal.SIGTERM, 1),
        ("supervisor", signal.SIGINT, 3),
        ("supervisor", signal.SIGHUP, 1),
        ("everyone", signal.SIGTERM, 3),
        ("everyone", signal.SIGINT, 1),
    ],
)
def test_a_busy_cluster_ends_what_runs_and_hands_the_rest_back(start, number, whom, times):
    with start() as cluster:
        pids = wait_until_up(cluster)
        jobs = ledger_job.enqueue_many([(0.4, "job")] * 8)
        wait_until(lambda: len(read_marks("started")) >= 2, what="two jobs to start")
        for _ in range(times):
            if whom == "everyone":
                signal_all(cluster, number)
            else:
                cluster.process.send_signal(number)
        assert_stopped_in_order(cluster, pids)
    assert 2 <= len(read_marks("started")) == len(read_marks("finished")) < 8
    assert_the_rest_runs_elsewhere_unharmed(start, jobs)


def test_an_idle_cluster_stops_at_once(start):
    with start() as cluster:
        pids = wait_until_up(cluster)
        # What makes other servers open their log files anew ends nothing.
        signal_all(cluster, signal.SIGUSR1)
        cluster.process.send_signal(signal.SIGUSR2)
        cluster.process.send_signal(signal.SIGTERM)
        assert_stopped_in_order(cluster, pids)


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("loading", signal.SIGTERM),
        ("loading", signal.SIGINT),
        ("forking", signal.SIGTERM),
        ("first job", signal.SIGINT),
    ],
)
def test_a_cluster_that_is_stopped_while_it_starts_stops_in_order(start, stage, number):
    jobs = ledger_job.enqueue_many([(0.01, "job")] * 20)
    with start() as cluster:
        if stage == "loading":
            wait_until(lambda: listens(cluster.process.pid), what="the first line of manage.py")
        elif stage == "forking":
            wait_until(cluster.children, what="a first child")
        else:
            wait_until(lambda: read_marks("started"), what="a first job")
        pids = [child.pid for child in cluster.children()]
        cluster.process.send_signal(number)
        assert_stopped_in_order(cluster, pids)
    assert_the_rest_runs_elsewhere_unharmed(start, jobs)


def test_a_job_longer_than_the_grace_period_runs_elsewhere_and_the_exit_code_says_so(start):
    with start(SHUTDOWN_GRACE_SECONDS="1") as cluster:
        wait_until_up(cluster)
        job_id = ledger_job.delay(4.0, "long")
        wait_until(lambda: read_marks("started"), what="the job to start")
        with start() as other:
            assert cluster.stop() == 1
            job = wait_until(lambda: Job.objects.filter(pk=job_id).first(), what="the other cluster to end it")
            assert (job.state, job.attempt_count) == ("succeeded", 1)
            assert job.worker_pid in {child.pid for child in other.children()}
    assert count_effects() == 1


def test_a_job_that_kills_its_worker_while_the_cluster_stops_is_counted(start):
    with start() as cluster:
        pids = wait_until_up(cluster)
        gate = ledger_job.delay(1.0, "gate")
        wait_until(lambda: read_marks("started", "gate"), what="the gate")
        poison = probe.probe_die.delay("out of memory")
        cluster.process.send_signal(signal.SIGTERM)
        assert_stopped_in_order(cluster, pids)
    with start():
        wait_until(lambda: Job.objects.filter(pk=poison, error_class="JobLost").exists(), 30, "the poison to fail")
        assert Job.objects.get(pk=gate).state == "succeeded"


def test_a_scheduler_or_housekeeping_process_killed_during_the_stop_does_not_hold_it_up(start):
    with start() as cluster:
        pids = wait_until_up(cluster)
        job = ledger_job.delay(1.0, "last")
        wait_until(lambda: read_marks("started"), what="the job to start")
        cluster.process.send_signal(signal.SIGTERM)
        for pid in sorted(pids)[:2]:
            psutil.Process(pid).kill()
        assert cluster.process.wait(allowed(STOP_SECONDS)) == 0
        assert cluster.alive(pids) == []
    assert Job.objects.get(pk=job).state == "succeeded"
