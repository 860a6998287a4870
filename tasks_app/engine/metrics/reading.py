"""Reading the metrics of all processes from Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from tasks_app.engine.connection import client
from tasks_app.engine.job_fields import read_number, read_text
from tasks_app.engine.metrics.kinds import SUM, Gauge, Histogram, Labels, Metric
from tasks_app.engine.metrics.sending import LOST_AFTER_SECONDS, metric_key, send_counts


@dataclass(frozen=True, slots=True)
class Buckets:
    """A series of a histogram: how many values up to each bound, the last without one, and their sum."""

    counts: list[int]
    total: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric with its series."""

    metric: Metric
    series: Mapping[Labels, float | Buckets]


def read_metrics() -> list[Reading]:
    """Return all metrics by name, those without any series too. Raises redis.RedisError."""
    send_counts()
    metrics = [metric for _, metric in sorted(Metric.all.items())]
    seconds, _ = client().time()
    pipe = client().pipeline(transaction=False)
    for metric in metrics:
        pipe.hgetall(metric_key(metric.name))
    return [
        Reading(metric, _read(metric, {read_text(name): text for name, text in answer.items()}, int(seconds)))
        for metric, answer in zip(metrics, pipe.execute(), strict=True)
    ]


def _read(metric: Metric, fields: Mapping[str, bytes], now: int) -> Mapping[Labels, Any]:
    if isinstance(metric, Histogram):
        return _histogram(metric, fields)
    if isinstance(metric, Gauge):
        return _gauge(metric, fields, now)
    numbers = {_labels(name): read_number(text) for name, text in fields.items()}
    return {labels: number for labels, number in numbers.items() if len(labels) == len(metric.labels)}


def _labels(name: str) -> Labels:
    return tuple(name.split("|")) if name else ()


def _histogram(metric: Histogram, fields: Mapping[str, bytes]) -> dict[Labels, Buckets]:
    counts: dict[Labels, list[int]] = defaultdict(lambda: [0] * (len(metric.bounds) + 1))
    sums: dict[Labels, int] = {}
    for name, text in fields.items():
        *labels, part = name.split("|")
        if len(labels) != len(metric.labels):
            continue
        if part == SUM:
            sums[tuple(labels)] = read_number(text)
        elif part.isdigit() and int(part) <= len(metric.bounds):
            counts[tuple(labels)][int(part)] = read_number(text)
    return {
        labels: Buckets(list(accumulate(of_series)), sums.get(labels, 0) / metric.scale)
        for labels, of_series in counts.items()
    }


def _gauge(metric: Gauge, fields: Mapping[str, bytes], now: int) -> dict[Labels, float]:
    found: dict[Labels, float] = defaultdict(float)
    lost = []
    for name, text in fields.items():
        number, _, written_at = text.partition(b" ")
        if now - read_number(written_at) > LOST_AFTER_SECONDS:
            lost.append(name)
        elif len(labels := _labels(name)[1:]) == len(metric.labels):
            found[labels] += float(number)
    if lost:
        client().hdel(metric_key(metric.name), *lost)
    return found
