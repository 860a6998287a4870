"""A real cluster under orders: a worker rests, wakes and stops after its job; one more, one less; nonsense is not obeyed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import WorkerLimit, WorkerNotFound
from tasks_app.models import Job, QueueAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs import grow_cluster, quiet_worker, shrink_cluster, stop_worker, wake_worker
from tests.support.cluster import running_cluster, wait_until
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)
WHO = {"user": SHELL, "now": datetime(2026, 1, 2, 3, 4, tzinfo=UTC)}


@pytest.fixture
def cluster(tmp_path):
    with running_cluster(tmp_path, "--name", "positions", "--workers", "2") as running:
        wait_until(lambda: len([worker for worker in list_workers() if worker.most_workers]) == 2, what="two workers")
        yield running


def workers() -> dict:
    return {worker.name: worker for worker in list_workers()}


def add(number: int) -> object:
    return probe.probe_add.delay(number)


def succeeded(*job_ids) -> bool:
    return Job.objects.filter(pk__in=job_ids, state="succeeded").count() == len(job_ids)


def test_a_worker_that_is_told_to_rest_gives_its_lanes_away_and_takes_no_job_until_it_is_woken(cluster):
    resting, other = sorted(workers())
    wait_until(lambda: all(len(worker.lanes) == 8 for worker in list_workers()), what="lanes shared by two")
    quiet_worker(name=resting, **WHO)
    wait_until(
        lambda: len(workers()[other].lanes) == 16 and workers()[resting].mode == "quiet", what="all lanes at one"
    )
    jobs = [add(number) for number in range(30)]
    wait_until(lambda: succeeded(*jobs), what="thirty results")
    assert set(Job.objects.values_list("worker_pid", flat=True)) == {workers()[other].pid}
    wake_worker(name=resting, **WHO)
    wait_until(lambda: workers()[resting].mode == "working" and len(workers()[resting].lanes) == 8, what="lanes again")


def test_a_stopped_worker_ends_after_its_job_and_nobody_takes_its_place(cluster):
    job_id = probe.probe_sleep.delay(6, "long")
    busy = wait_until(lambda: next((w for w in list_workers() if w.current_job_id == str(job_id)), None), what="busy")
    assert busy.current_task == "probe_sleep"
    assert busy.current_job_started_at
    stop_worker(name=busy.name, **WHO)
    wait_until(lambda: workers()[busy.name].mode == "stopping", what="the heartbeat that says so")
    wait_until(lambda: busy.name not in workers(), what="its end")
    assert Job.objects.get(pk=job_id).attempt_count == 1, "its job was neither cut off nor run again"
    (left,) = workers()
    with pytest.raises(WorkerLimit, match="last worker"):
        stop_worker(name=left, **WHO)
    assert succeeded(job_id)
    assert cluster.stop() == 0


def test_a_cluster_grows_within_its_places_and_shrinks_to_one(cluster):
    name = list_workers()[0].cluster
    where = {"cluster": name, "queue": "positions"}
    for count in (3, 4):
        grow_cluster(**where, **WHO)
        wait_until(lambda count=count: len(workers()) == count, what="one more")
    for count in (3, 2, 1):
        shrink_cluster(**where, **WHO)
        wait_until(lambda count=count: len(workers()) == count, what="one less")
    with pytest.raises(WorkerLimit):
        shrink_cluster(**where, **WHO)
    assert list(QueueAction.objects.order_by("pk").values_list("verb", "subject")) == (
        [("grow", name)] * 2 + [("shrink", name)] * 3
    )
    with pytest.raises(WorkerNotFound):
        grow_cluster(cluster=name, queue="reports", **WHO)
    job_id = add(1)
    wait_until(lambda: succeeded(job_id), what="the last one works")


def test_nonsense_among_the_orders_harms_nothing(cluster):
    keys = JobQueue("positions", client()).keys
    lines = [
        b"\xff",
        b"{}",
        b"[]",
        b'{"verb": "burn", "queue": "positions"}',
        b'{"verb": "stop", "queue": "x"}',
        b"x" * 5000,
    ]
    lines += [b'{"verb": "shrink", "queue": "positions"}'] * 5
    client().rpush(keys.orders(list_workers()[0].cluster), *lines)
    wait_until(lambda: len(workers()) == 1, what="what can be obeyed: all but the last worker stop")
    job_id = add(1)
    wait_until(lambda: succeeded(job_id), what="a result")
    assert len(workers()) == 1
