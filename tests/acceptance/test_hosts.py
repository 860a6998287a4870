"""Two hosts: one dies, freezes, or is cut off from Redis; the other one takes over, and the first cannot spoil it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import psutil
import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.keys import GROUP
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import ClusterProcess, allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, own_valkey, using_redis, wire_to
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks
from trackerproject.dev.soak.tasks import ledger_job

pytestmark = pytest.mark.django_db(transaction=True)

DEAD_HOST_SECONDS = 15


@pytest.fixture(autouse=True)
def ledger(db):
    create_ledger()


@pytest.fixture
def start_host(tmp_path):
    """Start a cluster that stands for a host: two workers, one queue."""

    def start(**environment: str):
        return running_cluster(tmp_path, "--name", "positions", "--workers", "2", **LEDGER_APPS, **environment)

    return start


def every_process(cluster: ClusterProcess) -> list[psutil.Process]:
    return [psutil.Process(cluster.process.pid), *cluster.children()]


def signal_host(cluster: ClusterProcess, number: int) -> None:
    """Signal all of its processes, the supervisor first."""
    for process in every_process(cluster):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def start_on(cluster: ClusterProcess, seconds: float, count: int = 2) -> list:
    """Return the jobs that run on this cluster, which must be the only one."""
    jobs = [ledger_job.delay(seconds, f"job {number}") for number in range(count)]
    for number in range(count):
        (mark,) = wait_until(lambda number=number: read_marks("started", f"job {number}"), what="it to start")
        assert mark.pid in {child.pid for child in cluster.children()}
    return jobs


def second_starts(count: int = 2) -> list:
    return [marks[1] for number in range(count) if len(marks := read_marks("started", f"job {number}")) == 2]


def assert_each_ended_once(jobs) -> None:
    rows = Job.objects.filter(pk__in=jobs)
    assert {(job.state, job.attempt_count) for job in rows} == {("succeeded", 2)}
    assert len(rows) == len(jobs) == count_effects()
    queue = JobQueue("positions", client())
    assert [client().xlen(stream) for stream in queue.keys.streams] == [0, 0, 0]
    assert client().zcard(queue.keys.ended) == 0


def test_another_host_takes_over_the_jobs_of_a_dead_one_within_15_seconds(start_host):
    """SIGKILL of the supervisor ends its children, too: no process is left to name the dead."""
    with start_host() as first:
        jobs = start_on(first, 1.5)
        pids = [process.pid for process in every_process(first)]
        first.process.kill()
        died_at = time.time()
        first.process.wait(5)
        with start_host() as second:
            wait_until(lambda: len(second_starts()) == 2, 20, "both jobs to start on the other host")
            for mark in second_starts():
                assert mark.at.timestamp() - died_at < allowed(DEAD_HOST_SECONDS)
                assert mark.pid in {child.pid for child in second.children()}
            wait_until(lambda: Job.objects.filter(pk__in=jobs).count() == 2, what="both to end")
            assert_each_ended_once(jobs)
            assert first.alive(pids) == []
            known = {worker.pid for worker in list_workers()}
            assert known <= {child.pid for child in second.children()}


def test_a_frozen_host_that_wakes_up_cannot_finish_what_was_taken_over(start_host):
    """It wakes while the other host still runs the jobs: its results are late, change nothing, and are not stored."""
    with start_host() as first:
        jobs = start_on(first, 6.0)
        signal_host(first, signal.SIGSTOP)
        frozen_at = time.time()
        with start_host() as second:
            wait_until(lambda: len(second_starts()) == 2, 20, "both jobs to start on the other host")
            assert all(mark.at.timestamp() - frozen_at < allowed(DEAD_HOST_SECONDS) for mark in second_starts())
            signal_host(first, signal.SIGCONT)
            rows = wait_until(lambda: len(rows := Job.objects.filter(pk__in=jobs)) == 2 and rows, what="both to end")
            assert {job.worker_pid for job in rows} <= {child.pid for child in second.children()}
            assert_each_ended_once(jobs)
            # Both hosts are well: the first one's workers are known again, and work.
            wait_until(lambda: len(list_workers()) == 4, what="four workers")
            more = ledger_job.enqueue_many([(0.02, "more")] * 200)
            wait_until(lambda: Job.objects.filter(pk__in=more, state="succeeded").count() == 200, what="more jobs")
            assert {mark.pid for mark in read_marks("started", "more")} & {child.pid for child in first.children()}
            assert second.stop() == 0
        assert first.stop() == 0
    for stream in JobQueue("positions", client()).keys.streams:
        assert client().xinfo_consumers(stream, GROUP) == []


def test_a_host_cut_off_from_redis_loses_its_jobs_to_another_and_comes_back(tmp_path_factory, start_host, settings):
    with (
        own_valkey(tmp_path_factory.mktemp("redis")) as server,
        wire_to(server) as wire,
        using_redis(settings, server.places.redis_url),
        start_host(REDIS_URL=wire.url) as first,
    ):
        jobs = start_on(first, 60.0)
        wire.alive.clear()
        cut_at = time.time()
        with start_host():
            wait_until(lambda: len(second_starts()) == 2, 20, "both jobs to start on the other host")
            assert all(mark.at.timestamp() - cut_at < allowed(DEAD_HOST_SECONDS) for mark in second_starts())
            wire.alive.set()
            wait_until(lambda: len(list_workers()) == 4, what="the first host to be back")
            quick = ledger_job.enqueue_many([(0.02, "quick")] * 100)
            # What was taken over is given up on the first host, so that its workers are free for other jobs.
            wait_until(lambda: Job.objects.filter(pk__in=quick, state="succeeded").count() == 100, what="jobs")
            assert {mark.pid for mark in read_marks("started", "quick")} <= {child.pid for child in first.children()}
            assert Job.objects.filter(pk__in=jobs).count() == 0


def test_two_clusters_on_one_host_share_the_work_and_one_ends_without_harm(start_host):
    with start_host() as first, start_host() as second:
        wait_until(lambda: len(list_workers()) == 4, what="four workers")
        jobs = ledger_job.enqueue_many([(0.02, "shared")] * 200)
        wait_until(lambda: count_effects() > 50, what="some to end")
        assert first.stop(signal.SIGTERM) == 0
        wait_until(lambda: Job.objects.filter(pk__in=jobs, state="succeeded").count() == 200, what="all to end")
        assert len(read_marks("started")) == len(read_marks("finished")) == 200
        assert {mark.pid for mark in read_marks()} & {child.pid for child in second.children()}
    assert os.getpid() not in {mark.pid for mark in read_marks()}
