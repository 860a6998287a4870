"""Probes and metrics."""

from __future__ import annotations

import json
import os

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from tasks_app.engine.clusters.scheduler import beat as beat_of_scheduler
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.services.jobs import pause_queue
from tasks_app.services.jobs.actions import start_task
from tasks_app.services.trackers import beat as beat_of_gateway
from tests.support.cluster import wait_until

pytestmark = pytest.mark.django_db
QUEUES = ["positions", "reports", "cleanup", "notifications"]


def beat(*names: str) -> None:
    """One heartbeat of a worker of each queue, as a cluster's maintenance process sends it."""
    description = {
        "host": "h",
        "pid": os.getpid(),
        "started_at": "2026-01-01T00:00:00+00:00",
        "job_id": "",
        "memory_bytes": 1,
    }
    for name in names:
        JobQueue(name, client()).beat({f"h:1:{name}:0": json.dumps(description)})


WELL = {"connected": True, "workers": 4, "queues_without_workers": [], "late_queues": {}, "scheduler": True}


def health() -> tuple[int, dict]:
    answer = APIClient().get("/health")
    return answer.status_code, answer.json()


def test_it_is_unhealthy_without_workers():
    cluster = {
        "connected": False,
        "workers": 0,
        "queues_without_workers": QUEUES,
        "late_queues": {},
        "scheduler": False,
    }
    expected = {"status": "unhealthy", "cluster": cluster, "gateways": 0, "database": True, "redis": True}
    assert health() == (503, expected)
    assert APIClient().get("/health/ready").json() == {"status": "ready", "database": True, "redis": True}
    assert APIClient().get("/health/live").json() == {"status": "alive"}


def test_it_is_healthy_with_a_worker_on_every_queue_and_a_scheduler():
    beat(*QUEUES)
    beat_of_scheduler(client())
    assert health() == (200, {"status": "healthy", "cluster": WELL, "gateways": 0, "database": True, "redis": True})


def test_it_is_degraded_without_the_gateway_that_is_expected(settings):
    beat(*QUEUES)
    beat_of_scheduler(client())
    settings.GATEWAY = {**settings.GATEWAY, "EXPECTED": True}
    code, body = health()
    assert (code, body["status"], body["gateways"]) == (503, "degraded", 0)
    beat_of_gateway("h:2:abc")
    code, body = health()
    assert (code, body["status"], body["gateways"]) == (200, "healthy", 1)


def test_it_names_queues_without_workers():
    beat("positions")
    beat_of_scheduler(client())
    code, body = health()
    assert (code, body["status"]) == (503, "degraded")
    assert body["cluster"]["queues_without_workers"] == QUEUES[1:]


def test_it_is_degraded_without_a_scheduler():
    beat(*QUEUES)
    code, body = health()
    assert (code, body["status"], body["cluster"]["scheduler"]) == (503, "degraded", False)


def test_it_names_queues_that_are_late_unless_they_are_paused(staff, settings):
    beat(*QUEUES)
    beat_of_scheduler(client())
    settings.HEALTH_MAX_JOB_AGE_SECONDS = 0.0
    start_task(task_name="cleanup_expired_sessions", user=staff)
    wait_until(lambda: health()[1]["cluster"]["late_queues"], what="the job to be some milliseconds old")
    code, body = health()
    assert (code, body["status"], list(body["cluster"]["late_queues"])) == (503, "degraded", ["cleanup"])
    pause_queue(name="cleanup", user=staff, now=timezone.now())
    assert health()[0] == 200


def test_it_answers_probes_however_often_they_ask():
    codes = {APIClient().get("/health/live").status_code for _number in range(100)}
    assert codes == {200}


def test_metrics_count_what_waits_and_what_ended(staff_api, staff, run_jobs):
    start_task(task_name="cleanup_expired_sessions", user=staff)
    run_jobs("cleanup")
    start_task(task_name="cleanup_expired_sessions", user=staff)
    beat("cleanup")
    response = staff_api.get("/metrics")
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    text = response.content.decode()
    assert 'tracker_queue_depth{queue="cleanup"} 1.0' in text
    assert 'tracker_queue_workers{queue="cleanup"} 1.0' in text
    assert 'tracker_jobs_finished_total{queue="cleanup",task="cleanup_expired_sessions",state="succeeded"} 1\n' in text
    assert 'tracker_queue_oldest_age_seconds{queue="positions"} 0.0' in text


def test_metrics_are_for_staff_unless_the_setting_opens_them(api, settings):
    assert APIClient().get("/metrics").status_code == 401
    assert api.get("/metrics").status_code == 403
    settings.METRICS_PUBLIC = True
    assert APIClient().get("/metrics").status_code == 200


def test_every_queue_of_the_settings_is_known_here():
    assert list(engine_config().queues) == QUEUES
