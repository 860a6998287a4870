"""Figures for Prometheus, read from Redis on each request, so that all web processes give the same.

What is counted stands in Redis (`engine.metrics`), added up over all processes of all hosts. What it names: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tasks_app.api.base import ApiView
from tasks_app.api.monitoring.exposition import text_of
from tasks_app.api.permissions import HasRight
from tasks_app.api.schema import describe
from tasks_app.engine.metrics import read_metrics
from tasks_app.models import Scope
from tasks_app.queries.access import Right
from tasks_app.queries.health import is_a_scheduler_running
from tasks_app.queries.jobs import held_lanes, queue_stats
from tasks_app.queries.position_buffer import buffer_stats
from tasks_app.queries.unknown_quantities import unknown_quantities

# Registers the metrics that only gateway processes count.
from tasks_app.services import trackers  # noqa: F401

QUEUE_METRICS = (
    ("tracker_queue_depth", "Jobs that wait to start", "depth"),
    ("tracker_queue_running", "Jobs that run", "running"),
    ("tracker_queue_scheduled", "Jobs that are due later", "scheduled"),
    ("tracker_queue_retrying", "Jobs that wait for another attempt", "retrying"),
    ("tracker_queue_oldest_age_seconds", "Age of the job that waits longest", "oldest_age_seconds"),
    ("tracker_queue_workers", "Workers that send heartbeats", "workers"),
    ("tracker_queue_finished_per_minute", "Jobs that ended in the last minute", "per_minute"),
    ("tracker_queue_paused", "1 while the queue is paused", "paused"),
)


class MetricsPermission(HasRight):
    """Staff that may see jobs, or everyone where METRICS_PUBLIC says so (a network that only the scraper reaches)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return getattr(settings, "METRICS_PUBLIC", False) or super().has_permission(request, view)


class NowCollector(Collector):
    """How things stand now."""

    def collect(self) -> Iterable[Metric]:
        queues = queue_stats()
        for name, help_text, attribute in QUEUE_METRICS:
            family = GaugeMetricFamily(name, help_text, labels=["queue"])
            for queue in queues:
                family.add_metric([queue.name], getattr(queue, attribute) or 0)
            yield family
        yield from _lanes()
        yield GaugeMetricFamily("tracker_scheduler_up", "1 while some scheduler runs", is_a_scheduler_running())
        buffer = buffer_stats()
        yield GaugeMetricFamily("tracker_position_buffer_size", "Single fixes that wait to be stored", buffer.size)
        age = buffer.oldest_age_seconds or 0
        yield GaugeMetricFamily("tracker_position_buffer_oldest_age_seconds", "Age of the fix that waits longest", age)
        yield _unknown_quantities()


def _lanes() -> Iterable[Metric]:
    lanes = GaugeMetricFamily("tracker_lanes", "Lanes of the queue", labels=["queue"])
    held = GaugeMetricFamily("tracker_lanes_held", "Lanes whose jobs some worker may run", labels=["queue"])
    for queue, count, held_count in held_lanes():
        lanes.add_metric([queue], count)
        held.add_metric([queue], held_count)
    return [lanes, held]


def _unknown_quantities() -> CounterMetricFamily:
    family = CounterMetricFamily(
        "tracker_unknown_quantities",
        "Quantities left out of good fixes, as what was sent cannot be right",
        labels=["way", "quantity"],
    )
    for one in unknown_quantities():
        family.add_metric([one.way, one.quantity], one.count)
    return family


class MetricsView(ApiView):
    """Prometheus text. Staff that may see jobs, unless METRICS_PUBLIC."""

    rights = {"GET": Right(None, "tasks_app.view_job")}
    permission_classes: list[type[BasePermission]] = [MetricsPermission]
    throttle_classes: list[Any] = []
    scopes_to_read = (Scope.METRICS, Scope.READ)

    @describe(
        "Metrics in Prometheus' text format",
        name="metrics",
        tag="health",
        answers={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(NowCollector())
        text = generate_latest(registry).decode() + text_of(read_metrics())
        return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)
