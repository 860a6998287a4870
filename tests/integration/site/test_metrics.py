"""Counting, in whichever process, and the figures of /metrics."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.urls import resolve
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ConnectionError as RedisAway
from rest_framework.test import APIClient

from notifications_app.models import Delivery, Notification
from notifications_app.services.deliveries import deliver
from tasks_app.engine import get_task
from tasks_app.engine.clusters.housekeeping import Housekeeping
from tasks_app.engine.connection import client
from tasks_app.engine.metrics import Counter, Gauge, forget_counts, read_metrics, send_counts, sending
from tasks_app.engine.metrics.jobs import JOBS_ENQUEUED
from tasks_app.engine.metrics.kinds import Metric
from tasks_app.engine.metrics.sending import metric_key
from tasks_app.engine.slots import Slots
from tasks_app.engine.streams import JobQueue
from tests.support.cluster import ROOT, environment
from tests.support.jobs import make_due
from tests.support.probe.lanes import lane_flaky, lane_note
from tests.support.probe.poison import poison_retried
from tests.support.probe.tasks import probe_add, probe_unkept

pytestmark = pytest.mark.django_db


def scraped() -> dict[str, dict[tuple[str, ...], float]]:
    """Return name of a sample -> values of its labels, in the order of the labels' names -> value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    text = APIClient().get("/metrics").content.decode()
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name, {})
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@pytest.fixture(autouse=True)
def public_metrics(settings):
    settings.METRICS_PUBLIC = True


def test_jobs_are_counted_by_task_with_their_waits_and_runs(run_jobs):
    probe_add.enqueue_many([(1,), (2,), (3,)])
    probe_unkept.delay()
    run_jobs("positions")
    found = scraped()
    assert found["tracker_jobs_enqueued_total"] == {("positions", "probe_add"): 3, ("positions", "probe_unkept"): 1}
    # Labels by name: queue, state, task.
    ended = found["tracker_jobs_finished_total"]
    assert ended[("positions", "succeeded", "probe_add")] == 3
    assert ended[("positions", "succeeded", "probe_unkept")] == 1
    for name in ("tracker_job_wait_seconds", "tracker_job_run_seconds"):
        assert found[f"{name}_count"][("positions", "probe_add")] == 3
        assert 0 < found[f"{name}_sum"][("positions", "probe_add")] < 60
        assert found[f"{name}_bucket"][("+Inf", "positions", "probe_add")] == 3


def test_retries_and_failures_are_counted_by_class(run_jobs):
    poison_retried.delay()
    run_jobs("reports")
    make_due("reports")
    run_jobs("reports")
    found = scraped()
    attempts = {key[0]: number for key, number in found["tracker_job_attempts_total"].items()}
    assert attempts == {"retried": 1, "failed": 1}
    (failures,) = found["tracker_job_failures_total"].items()
    assert failures[1] == 2
    assert found["tracker_jobs_finished_total"] == {("reports", "failed", "poison_retried"): 1}
    # The second attempt did not wait for a worker, but for its time.
    assert found["tracker_job_wait_seconds_count"] == {("reports", "poison_retried"): 1}
    assert found["tracker_job_run_seconds_count"] == {("reports", "poison_retried"): 2}


def test_retries_in_a_lane_and_batches_are_counted(run_jobs, device):
    lane_flaky.delay("a", "x", 1)
    lane_note.delay("b", "y")
    run_jobs("positions")
    attempts = scraped()["tracker_job_attempts_total"]
    assert attempts[("retried", "positions", "lane_flaky")] == 1
    assert attempts[("succeeded", "positions", "lane_note")] == 1


def test_a_job_that_is_cancelled_before_it_starts_is_counted_once(run_jobs):
    probe_add.delay(1).cancel()
    run_jobs("positions")
    assert scraped()["tracker_jobs_finished_total"] == {("positions", "cancelled", "probe_add"): 1}


def test_deaths_of_workers_are_counted_by_cause():
    read, write = os.pipe()
    keeper = Housekeeping(["positions"], Slots(1), read, ["positions"], client=client())
    queue = JobQueue("positions", client())
    death = {"queue": "positions", "consumer": "h:1:positions:0", "running": []}
    for reason in ("was killed by SIGKILL", "was killed by SIGSEGV", "was frozen and was killed", "exited with code 0"):
        keeper._recover({"positions": queue}, {**death, "reason": reason}, dead_after_seconds=0)
    keeper._recover({"positions": queue}, {**death, "reason": "its host went silent"}, dead_after_seconds=8)
    os.close(read)
    os.close(write)
    # Another host may have found the silent one before: it had no jobs here.
    assert scraped()["tracker_worker_losses_total"] == {("frozen", "positions"): 1, ("signal", "positions"): 2}


def test_positions_are_counted_by_way_and_outcome(operator, device, run_jobs):
    at = timezone.now() - timedelta(minutes=5)
    good = {"device_id": device.unique_id, "timestamp": at.isoformat(), "latitude": 1.0, "longitude": 2.0}
    items = [good, good, {**good, "latitude": 100}, {**good, "device_id": "nobody"}]
    get_task("process_position_batch").apply_async((items,), requested_by=operator)
    run_jobs("positions")
    found = scraped()
    assert found["tracker_fixes_received_total"] == {("batch",): 4}
    assert sum(found["tracker_fixes_rejected_total"].values()) == 2
    assert found["tracker_positions_stored_total"] == {("live",): 1}
    assert found["tracker_positions_duplicate_total"] == {("live",): 1}
    assert found["tracker_position_batch_size_sum"] == {("live",): 2}


def test_positions_that_are_refused_at_once_are_counted(api, device, run_jobs):
    at = (timezone.now() - timedelta(minutes=5)).isoformat()
    good = {"device_id": device.unique_id, "timestamp": at, "latitude": 1.0, "longitude": 2.0}
    items = [good, {**good, "latitude": 100}, {**good, "device_id": "nobody"}]
    assert api.post("/api/tasks/position/process-batch", items, format="json").status_code == 202
    run_jobs("positions")
    found = scraped()
    assert found["tracker_fixes_received_total"] == {("batch",): 3}
    assert sum(found["tracker_fixes_rejected_total"].values()) == 2
    assert len(found["tracker_fixes_rejected_total"]) == 2


def test_deliveries_are_counted_by_channel_and_outcome(operator, sink):
    notification = Notification.objects.create(user=operator, kind="system", subject="S", body_text="T")
    delivery = Delivery.objects.create(notification=notification, channel="email")
    assert deliver(delivery.pk, now=timezone.now()) == "sent"
    found = scraped()
    assert found["tracker_deliveries_total"] == {("email", "sent"): 1}
    assert found["tracker_delivery_send_seconds_count"] == {("email",): 1}


def test_requests_are_counted_by_route_method_and_class_of_status(api):
    api.get("/api/devices")
    api.get("/api/devices")
    api.get("/api/devices/424242")
    api.get("/no/such/address")
    api.get("/no/other/address")
    api.generic("BREW", "/api/devices")
    found = scraped()["tracker_http_requests_total"]
    assert found[("GET", resolve("/api/devices").view_name, "2xx")] == 2
    assert found[("GET", resolve("/api/devices/1").view_name, "4xx")] == 1
    # Addresses that nobody has are one series, however many are tried.
    assert found[("GET", resolve("/no/such/address").view_name or "unmatched", "4xx")] == 2
    assert found[("other", resolve("/api/devices").view_name, "4xx")] == 1


def test_an_answer_says_the_id_of_its_request(api):
    assert api.get("/api/devices", headers={"X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
    made = api.get("/api/devices", headers={"X-Request-ID": "a\nb c"})["X-Request-ID"]
    assert len(made) == 32


def test_counts_of_other_processes_are_added_up():
    code = (
        "import django; django.setup()\n"
        "from tasks_app.engine.metrics.jobs import JOBS_ENQUEUED\n"
        "JOBS_ENQUEUED.add(5, 'positions', 'probe_add')\n"
    )
    # It ends long before it would send at its interval.
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), check=True)
    JOBS_ENQUEUED.add(2, "positions", "probe_add")
    assert scraped()["tracker_jobs_enqueued_total"] == {("positions", "probe_add"): 7}


def test_what_a_parent_counted_is_not_sent_by_its_child():
    JOBS_ENQUEUED.add(2, "positions", "probe_add")
    pid = os.fork()
    if not pid:
        try:
            send_counts()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert scraped()["tracker_jobs_enqueued_total"] == {("positions", "probe_add"): 2}


def test_what_is_counted_while_redis_is_away_is_added_later(monkeypatch):
    def away(*_):
        raise RedisAway("away")

    JOBS_ENQUEUED.add(2, "positions", "probe_add")
    with monkeypatch.context() as patch:
        patch.setattr(sending, "run_script", away)
        send_counts()
        JOBS_ENQUEUED.add(1, "positions", "probe_add")
        send_counts()
    assert scraped()["tracker_jobs_enqueued_total"] == {("positions", "probe_add"): 3}


@pytest.fixture
def forgotten(monkeypatch):
    monkeypatch.setattr(Metric, "all", {})


def test_a_metric_has_no_more_series_than_it_may(forgotten):
    counter = Counter("tracker_bounded_total", "Bounded", ("queue", "error"), most_series=3)
    for number in range(10):
        counter.add(1, "q", f"Error{number}")
    send_counts()
    counter.add(5, "q", "Error1")
    (reading,) = read_metrics()
    assert reading.series == {("q", "Error0"): 1, ("q", "Error1"): 6, ("q", "Error2"): 1, ("q", "other"): 7}


def test_labels_are_short_and_printable(forgotten):
    Counter("tracker_odd_total", "Odd", ("a",)).add(1, "x|y\n" + "z" * 500)
    (reading,) = read_metrics()
    assert reading.series == {("x_y_" + "z" * 96,): 1}


def test_a_gauge_is_the_sum_of_the_processes_that_live(forgotten):
    gauge = Gauge("tracker_open", "Open")
    gauge.set(3)
    send_counts()
    now = client().time()[0]
    client().hset(metric_key("tracker_open"), mapping={"h:1": f"4 {now - 5}", "h:2": f"5 {now - 60}"})
    (reading,) = read_metrics()
    assert reading.series == {(): 7}
    assert client().hlen(metric_key("tracker_open")) == 2
    forget_counts()


def test_every_metric_is_described_before_it_counts_anything():
    found = scraped()
    assert {name.removesuffix("_total") for name in Metric.all} <= found.keys()
