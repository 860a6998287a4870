"""The same traffic through any number of workers and hosts, with workers killed on the way, comes to the same."""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.engine import JobHandle
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.intake import enqueue_batch
from tasks_app.services.partitions import ensure_upcoming_partitions
from tasks_app.services.positions import process_batch
from tests.support.cluster import running_cluster, wait_until
from tests.support.exactness import Traffic, batches, differences, everything, forget, make_vehicles
from tests.support.notifications import make_rule

pytestmark = pytest.mark.django_db(transaction=True)

TRAFFIC = Traffic(devices=40, fixes_per_device=200, batch_size=250)


@pytest.fixture
def traffic(fleet, operator, run_jobs):
    """The batches, and all that follows from them when one process stores them one after the other."""
    Schedule.objects.all().delete()
    ensure_upcoming_partitions(now=timezone.now())
    make_vehicles(fleet, TRAFFIC)
    make_rule(fleet, [operator], kinds=["geofence_enter"], channels=["in_app"], devices=fleet.devices.all()[:3])
    now = timezone.now().replace(microsecond=0)
    posted = batches(TRAFFIC, now - timedelta(seconds=TRAFFIC.fixes_per_device + 5))
    for batch in posted:
        process_batch(batch, received_at=timezone.now(), user_id=operator.pk)
    run_jobs("notifications", max_turns=5000)
    expected = everything()
    assert len(expected["positions"]) == TRAFFIC.devices * TRAFFIC.fixes_per_device
    assert len(expected["events"]) > 10 * TRAFFIC.devices
    assert expected["notifications"]
    forget()
    return posted, expected


def post_all(posted, operator) -> list[JobHandle]:
    return [enqueue_batch(batch, range(len(batch)), requested_by=operator) for batch in posted]


def ended_jobs(jobs: list[JobHandle]) -> dict[str, int]:
    states = Job.objects.filter(pk__in=jobs).values_list("state", flat=True)
    return {state: list(states).count(state) for state in set(states)}


def kill_workers(jobs: list[JobHandle], times: int) -> None:
    """Kill a worker each time another part of the jobs has ended."""
    chance = random.Random(1)
    for number in range(1, times + 1):
        wait_until(lambda number=number: sum(ended_jobs(jobs).values()) >= number * len(jobs) // (times + 2), 60)
        workers = wait_until(list_workers, what="a worker with a heartbeat")
        with suppress(ProcessLookupError):
            os.kill(chance.choice(workers).pid, signal.SIGKILL)


@pytest.mark.parametrize(("hosts", "workers", "kills"), [(1, 1, 0), (1, 4, 0), (1, 2, 4), (3, 2, 4)], ids=str)
def test_it_comes_to_the_same(traffic, operator, run_jobs, tmp_path, hosts, workers, kills):
    posted, expected = traffic
    with ExitStack() as stack:
        clusters = [
            stack.enter_context(running_cluster(tmp_path, "--name", "positions", "--workers", str(workers)))
            for _ in range(hosts)
        ]
        wait_until(lambda: len(list_workers()) == hosts * workers, 40, "all workers to have a heartbeat")
        jobs = post_all(posted, operator)
        kill_workers(jobs, kills)
        wait_until(
            lambda: ended_jobs(jobs) == {"succeeded": len(jobs)}, 120, lambda: f"all jobs to end: {ended_jobs(jobs)}"
        )
        for cluster in clusters:
            assert cluster.stop() == 0
    run_jobs("notifications", max_turns=5000)
    assert differences(expected, everything()) == {}
