"""Positions: rows per second through the whole pipeline, and how soon a batch is accepted over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

# 200 fixes of each of 500 devices: 100 000 rows.
FIXES_PER_DEVICE = 200
REQUESTS = 300


def run(setting: Setting) -> Iterator[Figure]:
    """The pipeline beside bare COPY and bulk_create; HTTP against the clock."""
    yield from pipeline_figures(setting)
    took = setting.measure("benchmarks.http_batch", setting.scaled(REQUESTS))
    for kind in ("p50", "p99"):
        yield Figure("ingest", f"http_batch_{kind}", took[kind], None, None, "ms")


def pipeline_figures(setting: Setting) -> Iterator[Figure]:
    rounds = []
    for _ in range(setting.rounds):
        rates = setting.measure("benchmarks.pipeline", setting.scaled(FIXES_PER_DEVICE))
        setting.console.print(", ".join(f"{name} {rate:,.0f} rows/s" for name, rate in rates.items()))
        rounds.append(rates)
    rates = {name: median(one[name] for one in rounds) for name in rounds[0]}
    for peer in ("copy", "copy_prepared", "bulk_create"):
        yield Figure("ingest", "pipeline", rates["pipeline"], peer, rates[peer], "rows/s")
