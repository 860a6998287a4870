"""Spans of a request, of the jobs that it enqueues, of their attempts and deliveries, in one trace."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from notifications_app.models import Delivery, Notification
from notifications_app.services.notifications import enqueue_deliveries
from tasks_app.engine import chain
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.tracing import is_tracing, span, trace_with
from tests.support.cluster import ROOT, environment
from tests.support.jobs import make_due
from tests.support.probe.batched import probe_batched
from tests.support.probe.poison import poison_retried
from tests.support.probe.tasks import probe_add, probe_call_and_wait
from trackerproject.traces import OpenTelemetryTracer

pytestmark = pytest.mark.django_db
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SENDER = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


@pytest.fixture
def exporter():
    found = InMemorySpanExporter()
    trace_with(OpenTelemetryTracer(SimpleSpanProcessor(found)))
    yield found
    trace_with(None)


def by_name(exporter: InMemorySpanExporter) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = {}
    for one in exporter.get_finished_spans():
        found.setdefault(one.name, []).append(one)
    return found


def parent_id(one: ReadableSpan) -> int | None:
    return one.parent.span_id if one.parent else None


def test_a_batch_is_followed_from_its_request_to_the_attempts_of_its_parts(exporter, api, make_device, run_jobs):
    at = (timezone.now() - timedelta(minutes=5)).isoformat()
    items = [
        {"device_id": make_device().unique_id, "timestamp": at, "latitude": 1.0, "longitude": 2.0} for _ in range(12)
    ]
    headers = {"traceparent": SENDER, "X-Request-ID": "shop-7"}
    answer = api.post("/api/tasks/position/process-batch", items, format="json", headers=headers)
    assert answer.status_code == 202
    run_jobs("positions")
    found = by_name(exporter)
    (request,) = [one for name, spans in found.items() if name.startswith("POST ") for one in spans]
    assert f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert request.attributes["http.response.status_code"] == 202
    assert request.attributes["request.id"] == "shop-7"
    enqueued = found["enqueue process_position_batch"]
    assert {parent_id(one) for one in enqueued} == {request.context.span_id}
    makers = {one.context.span_id for one in enqueued} | {request.context.span_id}
    attempts = found["run process_position_batch"]
    assert attempts
    assert all(parent_id(one) in makers for one in attempts)
    assert {f"{one.context.trace_id:032x}" for one in exporter.get_finished_spans()} == {TRACE_ID}


def test_children_retries_and_followers_stay_in_the_trace(exporter, run_jobs, monkeypatch):
    monkeypatch.setattr(probe_call_and_wait, "function", lambda: str(probe_add.delay(1).id))
    with span("shell", "client", [SENDER]):
        probe_call_and_wait.delay()
        poison_retried.delay()
        chain(probe_add.s(1), probe_add.s(2)).apply_async()
    run_jobs()
    make_due("reports")
    run_jobs()
    found = by_name(exporter)
    (outer,) = found["run probe_call_and_wait"]
    children = [one for one in found["enqueue probe_add"] if parent_id(one) == outer.context.span_id]
    assert len(children) == 1
    assert children[0].context.span_id in {parent_id(one) for one in found["run probe_add"]}
    assert len(found["run probe_add"]) == 3
    first, second = found["run poison_retried"]
    assert parent_id(first) == parent_id(second)
    assert (first.attributes["job.attempt"], second.attributes["job.attempt"]) == (1, 2)
    assert first.attributes["error.type"]
    # The text of an error may hold a secret.
    assert not first.events
    assert {f"{one.context.trace_id:032x}" for one in exporter.get_finished_spans()} == {TRACE_ID}


def test_one_call_for_jobs_of_several_traces_is_linked_to_all(exporter, run_jobs):
    for number in range(8):
        with span(f"request {number}", "server"):
            probe_batched.delay(str(number))
    run_jobs("positions")
    found = by_name(exporter)
    enqueued = {one.context.span_id for one in found["enqueue probe_batched"]}
    attempts = found["run probe_batched"]
    # How many go together grows with what was fetched before.
    assert len(attempts) < len(enqueued) == 8
    for one in attempts:
        assert one.attributes["messaging.batch.message_count"] == 1 + len(one.links)
    linked = {link.context.span_id for one in attempts for link in one.links}
    assert linked | {parent_id(one) for one in attempts} == enqueued


def test_a_delivery_is_a_span_under_the_attempt_of_its_job(exporter, operator, sink, run_jobs):
    notification = Notification.objects.create(user=operator, kind="system", subject="S", body_text="T")
    delivery = Delivery.objects.create(notification=notification, channel="email")
    with span("request", "server", [SENDER]):
        enqueue_deliveries([delivery.pk])
    run_jobs("notifications")
    found = by_name(exporter)
    (sent,) = found["deliver email"]
    (attempt,) = found["run deliver_notification"]
    assert parent_id(sent) == attempt.context.span_id
    assert f"{sent.context.trace_id:032x}" == TRACE_ID


def test_a_traceparent_that_is_none_begins_a_trace(exporter, api):
    api.get("/api/devices", headers={"traceparent": "00-nonsense-\n1"})
    (request,) = exporter.get_finished_spans()
    assert request.parent is None


def test_nothing_is_noted_while_nothing_is_traced(api, run_jobs):
    assert not is_tracing()
    assert span("a", "server") is span("b", "client", [SENDER])
    job = probe_add.delay(1)
    assert b"trace" not in client().hget(JobQueue("positions", client()).keys.job(job.id), "p")


def test_spans_of_a_process_reach_the_collector_when_it_ends():
    """A real collector's address, and OpenTelemetry's own variables."""
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    code = (
        "import django; django.setup()\n"
        "from tasks_app.tracing import span\n"
        "with span('shell', 'client', attributes={'request.id': 'shop-7'}): pass\n"
    )
    address = f"http://127.0.0.1:{server.server_port}"
    variables = environment(TRACING="1", OTEL_EXPORTER_OTLP_ENDPOINT=address, OTEL_SERVICE_NAME="fleet")
    try:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=variables, check=True, timeout=60)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    sent = ExportTraceServiceRequest.FromString(received[0]).resource_spans[0]
    assert sent.scope_spans[0].spans[0].name == "shell"
    about = {one.key: one.value.string_value for one in sent.resource.attributes}
    assert about["service.name"] == "fleet"
