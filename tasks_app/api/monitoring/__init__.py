"""Endpoints that probes and Prometheus read."""

from tasks_app.api.monitoring.health import HealthView, LiveView, ReadyView
from tasks_app.api.monitoring.metrics import MetricsView

__all__ = [
    "HealthView",
    "LiveView",
    "MetricsView",
    "ReadyView",
]
