"""Prometheus' text of what was counted: thousands of lines, which prometheus-client takes five times as long to write."""

from __future__ import annotations

from collections.abc import Iterator

from tasks_app.engine.metrics import Buckets, Counter, Gauge, Histogram, Reading


def text_of(readings: list[Reading]) -> str:
    """Return the text of these metrics, with their descriptions."""
    return "".join(line + "\n" for reading in readings for line in _lines(reading))


def _lines(reading: Reading) -> Iterator[str]:
    metric = reading.metric
    kinds = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
    yield f"# HELP {metric.name} {metric.text}"
    yield f"# TYPE {metric.name} {kinds[type(metric)]}"
    for values, number in sorted(reading.series.items()):
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, values, strict=True))
        if isinstance(metric, Histogram) and isinstance(number, Buckets):
            yield from _buckets(metric, labels, number)
        else:
            yield f"{metric.name}{{{labels}}} {number}" if labels else f"{metric.name} {number}"


def _buckets(metric: Histogram, labels: str, found: Buckets) -> Iterator[str]:
    head = f"{metric.name}_bucket{{{labels}," if labels else f"{metric.name}_bucket{{"
    for bound, count in zip(metric.bounds, found.counts, strict=False):
        yield f'{head}le="{float(bound)}"}} {count}'
    yield f'{head}le="+Inf"}} {found.counts[-1]}'
    tail = f"{{{labels}}}" if labels else ""
    yield f"{metric.name}_count{tail} {found.counts[-1]}"
    yield f"{metric.name}_sum{tail} {found.total}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"")
