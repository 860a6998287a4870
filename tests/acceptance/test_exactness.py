"""The same traffic through any number of workers and hosts, with workers killed on the way, comes to the same."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from threading import Timer
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import Schedule
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from notifications_app.services.events import sweep_event_outbox
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

# EXACTNESS=whole: 200 000 fixes of 500 devices, some ten minutes for each number of workers.
IS_WHOLE = os.environ.get("EXACTNESS") == "whole"
TRAFFIC = Traffic(500, 400, 500) if IS_WHOLE else Traffic(devices=40, fixes_per_device=120, batch_size=250)
LIMIT_SECONDS = 1_500 if IS_WHOLE else 120
# Hosts, workers of each, workers killed on the way.
CLUSTERS = [(1, 1, 0), (1, 4, 0), (1, 2, 4), (3, 2, 4)]
WHOLE_CLUSTERS = [(1, 1, 0), (1, 2, 4), (1, 4, 4), (1, 8, 4), (3, 1, 4), (3, 2, 8)]


@pytest.fixture
def vehicles(fleet, operator, settings) -> None:
    """The devices, their geofence, and a rule whose notifications are compared too, however long all of it takes."""
    settings.ALERT_MAX_AGE_MINUTES = 24 * 60
    Schedule.objects.all().delete()
    ensure_upcoming_partitions(now=timezone.now())
    make_vehicles(fleet, TRAFFIC)
    make_rule(fleet, [operator], kinds=["geofence_enter"], channels=["in_app"], devices=fleet.devices.all()[:3])


def notify(run_jobs) -> None:
    """Write the notifications, those of workers killed between a commit and the enqueueing of its jobs included."""
    sweep_event_outbox(now=timezone.now() + timedelta(days=1))
    run_jobs("notifications", max_turns=100_000)


def expected_of(posted: list[list[dict[str, Any]]], operator, run_jobs) -> dict[str, list[Any]]:
    """Store the batches one after the other in this process; return all that followed, and forget it."""
    forget()
    for batch in posted:
        process_batch(batch, received_at=timezone.now(), user_id=operator.pk)
    notify(run_jobs)
    expected = everything()
    assert len(expected["positions"]) == TRAFFIC.devices * TRAFFIC.fixes_per_device
    assert len(expected["events"]) > 10 * TRAFFIC.devices
    assert expected["notifications"]
    forget()
    return expected


def drawn_batches(batch_size: int) -> list[list[dict[str, Any]]]:
    """The traffic in batches of this size, up to now."""
    now = timezone.now().replace(microsecond=0)
    return batches(replace(TRAFFIC, batch_size=batch_size), now - timedelta(seconds=TRAFFIC.fixes_per_device + 5))


def post_all(posted, operator) -> list[JobHandle]:
    return [enqueue_batch(batch, range(len(batch)), requested_by=operator) for batch in posted]


def ended_jobs(jobs: list[JobHandle]) -> dict[str, int]:
    states = Job.objects.filter(pk__in=jobs).values_list("state", flat=True)
    return {state: list(states).count(state) for state in set(states)}


def signal_workers(
    jobs: list[JobHandle], signals: Sequence[tuple[signal.Signals, float]], chance: random.Random
) -> None:
    """Kill a worker, or stop it for some seconds, each time another part of the jobs has ended."""
    for turn, (number, seconds) in enumerate(signals, start=1):
        wait_until(
            lambda turn=turn: sum(ended_jobs(jobs).values()) >= turn * len(jobs) // (len(signals) + 2), LIMIT_SECONDS
        )
        worker = chance.choice(wait_until(list_workers, what="a worker with a heartbeat"))
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)
            if number == signal.SIGSTOP:
                Timer(seconds, _resume, [worker.pid]).start()


def _resume(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


@contextmanager
def running_hosts(tmp_path, hosts: int, workers: int) -> Iterator[None]:
    """Clusters of the positions queue, which must end by themselves when the block does."""
    with ExitStack() as stack:
        clusters = [
            stack.enter_context(running_cluster(tmp_path, "--name", "positions", "--workers", str(workers)))
            for _ in range(hosts)
        ]
        wait_until(lambda: len(list_workers()) == hosts * workers, 40, "all workers to have a heartbeat")
        yield
        for cluster in clusters:
            assert cluster.stop() == 0


def process_all(posted, operator, signals: Sequence[tuple[signal.Signals, float]], chance: random.Random) -> None:
    """Post the batches and wait until all have ended well, with trouble for the workers on the way."""
    jobs = post_all(posted, operator)
    signal_workers(jobs, signals, chance)
    wait_until(
        lambda: ended_jobs(jobs) == {"succeeded": len(jobs)},
        LIMIT_SECONDS,
        lambda: f"all jobs to end: {ended_jobs(jobs)}",
    )


@pytest.mark.parametrize(("hosts", "workers", "kills"), WHOLE_CLUSTERS if IS_WHOLE else CLUSTERS, ids=str)
def test_it_comes_to_the_same(vehicles, operator, run_jobs, tmp_path, hosts, workers, kills):
    posted = drawn_batches(TRAFFIC.batch_size)
    expected = expected_of(posted, operator, run_jobs)
    with running_hosts(tmp_path, hosts, workers):
        process_all(posted, operator, [(signal.SIGKILL, 0.0)] * kills, random.Random(1))
    notify(run_jobs)
    assert differences(expected, everything()) == {}


TROUBLE = st.one_of(
    st.just((signal.SIGKILL, 0.0)),
    # Shorter and longer than a lease lives without its heartbeat.
    st.tuples(st.just(signal.SIGSTOP), st.floats(0.1, 18.0)),
)


# Not shrunk: an example takes half a minute, and a fault by a race would hardly come again.
@settings(
    max_examples=20 if IS_WHOLE else 2, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    batch_size=st.integers(20, 600),
    hosts=st.integers(1, 2),
    workers=st.integers(1, 3),
    signals=st.lists(TROUBLE, min_size=1, max_size=3),
    seed=st.integers(0, 1_000),
)
def test_kills_and_pauses_change_nothing_whatever_the_size_of_batches(
    vehicles, operator, run_jobs, tmp_path, batch_size, hosts, workers, signals, seed
):
    # Fixes of one batch are sorted by time: which ones are late depends on where batches end, so each size has its own.
    posted = drawn_batches(batch_size)
    expected = expected_of(posted, operator, run_jobs)
    with running_hosts(tmp_path, hosts, workers):
        process_all(posted, operator, signals, random.Random(seed))
    notify(run_jobs)
    assert differences(expected, everything()) == {}
