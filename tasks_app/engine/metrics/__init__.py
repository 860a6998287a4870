"""Metrics: counted anywhere, added up in Redis, read for Prometheus."""

from tasks_app.engine.metrics.kinds import (
    OTHER,
    SECONDS_OF_REQUESTS,
    Counter,
    Gauge,
    Histogram,
)
from tasks_app.engine.metrics.reading import Buckets, Reading, read_metrics
from tasks_app.engine.metrics.sending import forget_counts, send_counts, send_last_counts

__all__ = [
    "OTHER",
    "SECONDS_OF_REQUESTS",
    "Buckets",
    "Counter",
    "Gauge",
    "Histogram",
    "Reading",
    "forget_counts",
    "read_metrics",
    "send_counts",
    "send_last_counts",
]
