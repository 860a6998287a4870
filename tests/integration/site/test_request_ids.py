"""The id of a request: in its answer, in log lines, and with all that follows from it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.config
from datetime import timedelta
from uuid import UUID

import pytest
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import Delivery, DeliveryAttempt, Notification
from notifications_app.services.notifications import enqueue_deliveries
from tasks_app.engine import chain, get_task
from tasks_app.models import Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, list_jobs
from tasks_app.request_ids import current_request, fields_of_log_line
from tests.support.jobs import make_due
from tests.support.probe.poison import poison_retried
from tests.support.probe.tasks import probe_add, probe_call_and_wait
from trackerproject.logs import logging_config
from trackerproject.observed_requests import ObservedRequests
from trackerproject.request_threads import ThreadKeepingHandler

pytestmark = pytest.mark.django_db
REQUEST = {"X-Request-ID": "shop-7:1"}


@pytest.fixture
def in_request():
    """Code of the test runs as that of a request."""
    before = current_request.set("shop-7:1")
    yield
    current_request.reset(before)


def ids_of_requests() -> set[str]:
    return set(Job.objects.values_list("request_id", flat=True))


def test_jobs_of_a_request_carry_its_id_through_groups_to_their_rows(api, make_device, run_jobs):
    at = timezone.now() - timedelta(minutes=5)
    items = [
        {"device_id": make_device().unique_id, "timestamp": at.isoformat(), "latitude": 1.0, "longitude": 2.0}
        for _ in range(12)
    ]
    answer = api.post("/api/tasks/position/process-batch", items, format="json", headers=REQUEST)
    assert answer.status_code == 202, answer.content
    assert answer["X-Request-ID"] == "shop-7:1"
    job_url = f"/api/tasks/task/{answer.json()['task_id']}"
    assert api.get(job_url).json()["request_id"] == "shop-7:1"
    run_jobs("positions")
    assert api.get(job_url).json()["request_id"] == "shop-7:1"
    assert ids_of_requests() == {"shop-7:1"}


def test_a_job_passes_the_id_on_to_its_children_retries_and_followers(in_request, run_jobs, monkeypatch):
    monkeypatch.setattr(probe_call_and_wait, "function", lambda: str(probe_add.delay(1).id))
    probe_call_and_wait.delay()
    poison_retried.delay()
    chain(probe_add.s(1), probe_add.s(2)).apply_async()
    current_request.set("")
    run_jobs()
    make_due("reports")
    run_jobs()
    tasks = set(Job.objects.filter(request_id="shop-7:1").values_list("task", flat=True))
    assert {"probe_call_and_wait", "poison_retried", "probe_add"} <= tasks
    assert ids_of_requests() == {"shop-7:1"}
    probe_add.delay(3)
    run_jobs()
    assert ids_of_requests() == {"shop-7:1", ""}


def test_a_job_that_was_cancelled_before_it_started_keeps_the_id(in_request, run_jobs):
    probe_add.delay(1).cancel()
    run_jobs("positions")
    assert ids_of_requests() == {"shop-7:1"}


def test_a_delivery_says_which_request_led_to_it(in_request, operator, sink, run_jobs):
    notification = Notification.objects.create(user=operator, kind="system", subject="S", body_text="T")
    delivery = Delivery.objects.create(notification=notification, channel="email")
    enqueue_deliveries([delivery.pk])
    current_request.set("")
    run_jobs("notifications")
    assert DeliveryAttempt.objects.get(delivery=delivery).request_id == "shop-7:1"


def test_jobs_are_found_by_their_request(in_request, staff, client, run_jobs):
    mine = probe_add.delay(1)
    current_request.set("other")
    other = probe_add.delay(2)
    assert [job.id for job in list_jobs(user=SHELL, filters=JobFilters(search="request:shop-7:1")).jobs] == [
        UUID(mine.id)
    ]
    run_jobs("positions")
    assert [job.id for job in list_jobs(user=SHELL, filters=JobFilters(search="request:shop-7:1")).jobs] == [
        UUID(mine.id)
    ]
    found = list_jobs(user=SHELL, filters=JobFilters(search="-request:shop-7:1")).jobs
    assert [job.id for job in found] == [UUID(other.id)]
    client.force_login(staff)
    page = client.get(reverse("admin:tasks_app_job_change", args=[UUID(mine.id)])).content.decode()
    assert "request%3Ashop-7%3A1" in page


def test_log_lines_name_the_request_and_the_job(in_request, run_jobs, monkeypatch):
    stream = io.StringIO()
    config = logging_config(level="INFO", as_json=True)
    formatter = logging.config.DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log = logging.getLogger("probe")
    monkeypatch.setattr(log, "handlers", [handler])
    monkeypatch.setattr(log, "propagate", False)
    log.setLevel(logging.INFO)
    log.info("before")
    monkeypatch.setattr(probe_call_and_wait, "function", lambda: log.info("inside"))
    job = probe_call_and_wait.delay()
    current_request.set("")
    run_jobs("positions")
    log.info("after")
    before, inside, after = map(json.loads, stream.getvalue().splitlines())
    assert (before["event"], before["request_id"]) == ("before", "shop-7:1")
    assert (inside["request_id"], inside["job_id"]) == ("shop-7:1", str(job.id))
    assert (inside["task"], inside["queue"]) == ("probe_call_and_wait", "positions")
    assert not {"request_id", "job_id"} & after.keys()


@pytest.mark.parametrize("path", ["/health/live", "/nothing/here"])
def test_the_line_of_the_access_log_names_the_request(path):
    """The web server writes it as the answer begins, after Django closed the request."""
    seen = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "headers": [(b"host", b"localhost"), (b"x-request-id", b"shop-7:1")],
    }

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        seen.append((message["type"], fields_of_log_line().get("request_id")))

    handler = ThreadKeepingHandler()
    asyncio.run(ObservedRequests(handler)({**scope, "query_string": b""}, receive, send))
    for thread in handler.idle:
        thread.retire()
    assert seen == [("http.response.start", "shop-7:1"), ("http.response.body", "shop-7:1")]


def test_a_job_that_no_request_made_names_none(run_jobs):
    get_task("cleanup_expired_sessions").delay()
    run_jobs("cleanup")
    assert ids_of_requests() == {""}
