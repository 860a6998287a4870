"""Lanes on real clusters: shared out, taken over from the dead and the frozen, always in order."""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import suppress

import psutil
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tasks_app.engine.connection import client
from tasks_app.engine.lanes import lanes_of
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tests.support.cluster import ClusterProcess, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS
from tests.support.jobs import queue_settings
from tests.support.probe.lanes import lane_effect, lane_of
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks

pytestmark = pytest.mark.django_db(transaction=True)

FREE_SECONDS = 2


@pytest.fixture(autouse=True)
def ledger(db):
    create_ledger()


@pytest.fixture
def start_host(tmp_path):
    """Start a cluster that stands for a host: two workers, one queue."""

    def start(*arguments: str):
        return running_cluster(tmp_path, "--name", "positions", "--workers", "2", *arguments, **LEDGER_APPS)

    return start


def holders() -> Counter[int]:
    """Return how many lanes each worker holds, by process id."""
    names = [client().get(lane.keys.lease) for lane in lanes_of("positions", client())]
    return Counter(pid_of(name.decode()) for name in names if name)


def pid_of(consumer: str) -> int:
    about = client().hget(JobQueue("positions", client()).keys.consumers, consumer)
    return int(json.loads(about)["pid"]) if about else 0


def shares() -> list[int]:
    return sorted(holders().values())


def workers_of(cluster: ClusterProcess) -> set[int]:
    return {child.pid for child in cluster.children()} & set(holders())


def signal_host(cluster: ClusterProcess, number: int) -> None:
    """Signal all of its processes, the supervisor first."""
    for process in [psutil.Process(cluster.process.pid), *cluster.children()]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def assert_each_effect_once_and_in_order(jobs: list, keys: list[str]) -> None:
    rows = Job.objects.filter(pk__in=jobs, state="succeeded")
    wait_until(lambda: rows.count() == len(jobs), 60, "all jobs to end")
    assert count_effects() == len(jobs)
    for key in keys:
        numbers = [int(mark.note.split()[-1]) for mark in read_marks("finished") if mark.note.startswith(f"{key} ")]
        assert numbers == sorted(numbers)


def test_lanes_are_shared_out_evenly_as_workers_come_and_go(start_host):
    with start_host() as first:
        wait_until(lambda: shares() == [8, 8], what=lambda: f"two workers to share 16 lanes: {holders()}")
        with start_host() as second:
            wait_until(lambda: shares() == [4, 4, 4, 4], what=lambda: f"four workers to share 16 lanes: {holders()}")
            jobs = lane_effect.enqueue_many([(f"van {number % 20}", number) for number in range(200)])
            assert second.stop() == 0
        wait_until(lambda: shares() == [8, 8], what=lambda: f"two workers to share 16 lanes: {holders()}")
        assert_each_effect_once_and_in_order(jobs, [f"van {number}" for number in range(20)])
        assert first.stop() == 0
    assert not holders()


def test_the_lanes_of_a_killed_worker_are_soon_anothers(start_host):
    with start_host():
        wait_until(lambda: shares() == [8, 8], what="two workers to share the lanes")
        jobs = [lane_effect.delay(f"van {number}", number, 1.0) for number in range(2)]
        (mark,) = wait_until(lambda: read_marks("started", "van 0 0"), what="a job to start")
        jobs += lane_effect.enqueue_many([(f"van {number % 40}", number) for number in range(40, 120)])
        psutil.Process(mark.pid).kill()
        wait_until(lambda: mark.pid not in holders(), FREE_SECONDS, "its lanes to be free")
        assert_each_effect_once_and_in_order(jobs, [f"van {number}" for number in range(40)])


def test_a_worker_in_a_long_job_leaves_its_other_lanes_to_the_idle(start_host):
    with start_host():
        wait_until(lambda: shares() == [8, 8], what="two workers to share the lanes")
        long = lane_effect.delay("van", 1, 8.0)
        wait_until(lambda: read_marks("started", "van 1"), what="it to start")
        wait_until(lambda: shares() == [1, 15], what=lambda: f"the idle worker to take its lanes: {holders()}")
        jobs = lane_effect.enqueue_many([(f"bus {number}", number) for number in range(60)])
        beside = [
            job for job, number in zip(jobs, range(60), strict=True) if lane_of(f"bus {number}") != lane_of("van")
        ]
        wait_until(lambda: Job.objects.filter(pk__in=beside).count() == len(beside), what="the others to end")
        assert not Job.objects.filter(pk=long).exists()
        wait_until(lambda: shares() == [8, 8], what=lambda: f"the lanes to be shared again: {holders()}")


@pytest.mark.parametrize("frozen_in", ["before its transaction", "inside its transaction"])
def test_a_frozen_host_that_wakes_up_commits_nothing_of_what_was_taken_over(start_host, frozen_in):
    seconds = (3.0, 0.0) if frozen_in == "before its transaction" else (0.0, 3.0)
    mark = "started" if frozen_in == "before its transaction" else "held"
    with start_host() as first:
        wait_until(lambda: shares() == [8, 8], what="two workers to share the lanes")
        jobs = [lane_effect.delay("van", 0, *seconds), *lane_effect.enqueue_many([("van", n) for n in range(1, 30)])]
        wait_until(lambda: read_marks("started", "van 0"), what="the first job to start")
        if mark == "held":
            wait_until(is_in_transaction, what="its transaction")
        signal_host(first, signal.SIGSTOP)
        with start_host() as second:
            wait_until(lambda: len(read_marks("started", "van 0")) == 2, 30, "the job to start on the other host")
            signal_host(first, signal.SIGCONT)
            assert_each_effect_once_and_in_order(jobs, ["van"])
            pids = {mark.pid for mark in read_marks("finished")}
            assert pids <= {child.pid for child in second.children()}
            wait_until(lambda: shares() == [4, 4, 4, 4], what=lambda: f"both hosts to share the lanes: {holders()}")
            more = lane_effect.enqueue_many([(f"bus {n % 20}", n) for n in range(100)])
            wait_until(lambda: Job.objects.filter(pk__in=more).count() == 100, what="more jobs")


def is_in_transaction() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%ledger%'"
        )
        return bool(cursor.fetchone()[0])


def test_order_is_kept_while_workers_are_killed_at_any_time(start_host):
    keys = [f"van {number}" for number in range(12)]
    with start_host() as first, start_host() as second:
        wait_until(lambda: shares() == [4, 4, 4, 4], what="four workers to share the lanes")
        jobs = lane_effect.enqueue_many([(keys[number % 12], number, 0.01) for number in range(600)])
        for kill in range(8):
            wait_until(lambda kill=kill: count_effects() > 60 * kill, 60, "some effects")
            victims = sorted(workers_of((first, second)[kill % 2]))
            if victims:
                psutil.Process(victims[kill % len(victims)]).kill()
        assert_each_effect_once_and_in_order(jobs, keys)


def test_a_cluster_with_another_number_of_lanes_waits_until_they_are_empty(start_host, settings, tmp_path):
    job = lane_effect.delay("van", 0)
    refused = pytest.raises(CommandError, match=r"has 16 lanes, and 1 jobs are left in them; .* says 4")
    with queue_settings(settings, lanes=4), refused:
        call_command("qcluster", "--name", "positions", "--burst")
    with start_host("--burst") as burst:
        assert burst.process.wait(60) == 0
    assert Job.objects.get(pk=job).state == "succeeded"
    with running_cluster(tmp_path, "--name", "positions", **LEDGER_APPS, POSITIONS_LANES="4"):
        wait_until(lambda: sum(shares()) == 4, what="the four lanes to be taken")
        with queue_settings(settings, lanes=4):
            again = lane_effect.enqueue_many([("van", number) for number in range(20)])
        assert_each_effect_once_and_in_order([job, *again], ["van"])
