"""Lanes on three hosts: one is cut off from Redis or killed, and comes back."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack

import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.lanes import lanes_of
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tests.support.cluster import ClusterProcess, allowed, running_cluster, wait_until
from tests.support.faults import LEDGER_APPS, own_valkey, using_redis, wire_to
from tests.support.probe.lanes import lane_effect
from trackerproject.dev.soak.ledger import count_effects, create_ledger, read_marks

pytestmark = pytest.mark.django_db(transaction=True)

DEAD_HOST_SECONDS = 15
KEYS = [f"van {number}" for number in range(24)]


@pytest.fixture(autouse=True)
def ledger(db):
    create_ledger()


def start_host(folder, **environment: str):
    """Start a cluster that stands for a host: one worker, one queue."""
    return running_cluster(folder, "--name", "positions", "--workers", "1", **LEDGER_APPS, **environment)


def shares() -> list[int]:
    """Return how many lanes each worker holds."""
    names = [client().get(lane.keys.lease) for lane in lanes_of("positions", client())]
    return sorted(Counter(name for name in names if name).values())


def wait_for_shares(expected: list[int], seconds: float = 20) -> None:
    wait_until(lambda: shares() == expected, seconds, lambda: f"lanes to be shared as {expected}: {shares()}")


def enqueue(start: int, count: int, seconds: float = 0.01) -> list:
    numbers = range(start, start + count)
    return lane_effect.enqueue_many([(KEYS[number % len(KEYS)], number, seconds) for number in numbers])


def assert_each_effect_once_and_in_order(jobs: list) -> None:
    ended = Job.objects.filter(pk__in=jobs, state="succeeded")
    wait_until(lambda: ended.count() == len(jobs), 60, lambda: f"{len(jobs)} jobs to end: {ended.count()}")
    assert not Job.objects.exclude(state="succeeded").exists()
    # An attempt after a death between effect and storing finds the effect: it is marked "repeated", and has none.
    assert count_effects() == len(jobs)
    for key in KEYS:
        numbers = [int(mark.note.split()[-1]) for mark in read_marks("finished") if mark.note.startswith(f"{key} ")]
        assert numbers == sorted(set(numbers))


def pids_of(cluster: ClusterProcess) -> set[int]:
    return {child.pid for child in cluster.children()}


def test_a_host_that_is_cut_off_from_redis_commits_nothing_late_and_comes_back(tmp_path_factory, settings):
    """Its worker runs on with a lane that another one has by then: the fence in PostgreSQL refuses its transaction."""
    folder = tmp_path_factory.mktemp("hosts")
    with (
        own_valkey(tmp_path_factory.mktemp("redis")) as server,
        wire_to(server) as wire,
        using_redis(settings, server.places.redis_url),
        ExitStack() as hosts,
    ):
        cut_off = hosts.enter_context(start_host(folder, REDIS_URL=wire.url))
        wait_for_shares([16])
        jobs = [lane_effect.delay("van 0", 0, 20.0)]
        wait_until(lambda: read_marks("started", "van 0 0"), what="the first host to start a job")
        jobs += enqueue(24, 200)
        for _ in range(2):
            hosts.enter_context(start_host(folder))
        wait_until(lambda: len(list_workers()) == 3, what="three workers")
        wire.alive.clear()
        cut_at = time.time()
        wait_until(lambda: len(read_marks("started", "van 0 0")) == 2, 40, "the job to start on another host")
        again = read_marks("started", "van 0 0")[1]
        assert again.at.timestamp() - cut_at < allowed(DEAD_HOST_SECONDS)
        assert again.pid not in pids_of(cut_off)
        wire.alive.set()
        assert_each_effect_once_and_in_order(jobs)
        assert {mark.pid for mark in read_marks(note="van 0 0") if mark.what != "started"} == {again.pid}
        wait_for_shares([5, 5, 6])
        assert_each_effect_once_and_in_order(jobs + enqueue(240, 120))


def test_three_hosts_share_the_lanes_while_one_after_the_other_is_killed_and_started_again(tmp_path):
    with ExitStack() as hosts:
        clusters = [hosts.enter_context(start_host(tmp_path)) for _ in range(3)]
        wait_for_shares([5, 5, 6])
        jobs = []
        for turn, victim in enumerate(clusters[:2]):
            jobs += enqueue(240 * turn, 240, 0.02)
            wait_until(lambda turn=turn: count_effects() > 240 * turn + 30, 60, "some effects")
            # No process is left that could name the dead.
            victim.process.kill()
            victim.process.wait(5)
            hosts.enter_context(start_host(tmp_path))
            wait_for_shares([5, 5, 6], 40)
        assert_each_effect_once_and_in_order(jobs)
