"""A real cluster whose worker is killed in the middle of a bulk action: all of its jobs are changed, none of them twice."""

from __future__ import annotations

import os
import signal
from uuid import uuid4

import pytest
from django.utils import timezone

from tasks_app.models import BulkAction, Job, JobAction
from tasks_app.queries.jobs import list_workers, queue_stats
from tasks_app.services.jobs import ask_for_bulk_action
from tests.support.cluster import running_cluster, wait_until
from tests.support.probe.tasks import probe_add

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = 600


def make_failed() -> list:
    at = timezone.now()
    row = {"task": "probe_fail_for_good", "queue": "positions", "state": "failed", "args": ["x"]}
    return [
        job.pk
        for job in Job.objects.bulk_create(Job(id=uuid4(), created_at=at, finished_at=at, **row) for _ in range(JOBS))
    ]


def depth() -> int:
    return next(queue.depth for queue in queue_stats() if queue.name == "positions")


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_killed_worker_costs_nothing_and_doubles_nothing(verb, tmp_path, staff):
    ids = probe_add.enqueue_many([[1]] * JOBS) if verb == "cancel" else make_failed()
    job = ask_for_bulk_action(verb=verb, user=staff, job_ids=ids)

    def is_half_way() -> bool:
        return 0 < BulkAction.objects.get().done_count < JOBS

    with running_cluster(tmp_path, "--name", "cleanup", "--workers", "1"):
        wait_until(is_half_way, what="the middle")
        (worker,) = list_workers()
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: Job.objects.filter(pk=job).exists(), 60, what="its end")
    row = Job.objects.get(pk=job)
    assert (row.state, row.attempt_count) == ("succeeded", 2)
    assert (row.result["changed"], row.result["skipped"]) == (JOBS, {})
    assert JobAction.objects.filter(verb=verb).count() == JOBS
    if verb == "cancel":
        assert Job.objects.filter(pk__in=ids, state="cancelled").count() == JOBS
    else:
        assert depth() == JOBS
        assert JobAction.objects.filter(verb=verb).values("job_id").distinct().count() == JOBS
