"""Positions: rows per second through the whole pipeline, as the table grows, and how soon a batch is accepted over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

# 200 fixes of each of 500 devices: 100 000 rows.
FIXES_PER_DEVICE = 200
REQUESTS = 300
# Of 1 000 fixes each; one worker process on either side.
QUEUED_JOBS = 100
WARM_UP_JOBS = 20
FIXES_PER_JOB = 1_000
STORED_ROWS = 10_000_000
QUICK_STORED_ROWS = 1_000_000
GROWTH_BATCHES = 20


def run(setting: Setting) -> Iterator[Figure]:
    """The pipeline beside bare COPY, bulk_create and Celery; with a full table; HTTP against the clock."""
    yield from pipeline_figures(setting)
    yield from queued_figures(setting)
    took = setting.measure("benchmarks.http_batch", setting.scaled(REQUESTS))
    for kind in ("p50", "p99"):
        yield Figure("ingest", f"http_batch_{kind}", took[kind], None, None, "ms")
    yield growth_figure(setting)


def pipeline_figures(setting: Setting) -> Iterator[Figure]:
    rounds = []
    for _ in range(setting.rounds):
        rates = setting.measure("benchmarks.pipeline", setting.scaled(FIXES_PER_DEVICE))
        setting.console.print(", ".join(f"{name} {rate:,.0f} rows/s" for name, rate in rates.items()))
        rounds.append(rates)
    rates = {name: median(one[name] for one in rounds) for name in rounds[0]}
    for peer in ("copy", "copy_prepared", "bulk_create"):
        yield Figure("ingest", "pipeline", rates["pipeline"], peer, rates[peer], "rows/s")


def queued_figures(setting: Setting) -> Iterator[Figure]:
    """Both sides through their queues: ours deriving everything, Celery with bulk_create and nothing derived."""
    rounds = [
        [queued_rate(setting, "tracker-positions", 0), queued_rate(setting, "celery-positions", 1)]
        for _ in range(setting.rounds)
    ]
    ours, theirs = (median(rates) for rates in zip(*rounds, strict=True))
    yield Figure("ingest", "pipeline", ours, "celery", theirs, "rows/s")


def queued_rate(setting: Setting, peer: str, redis_database: int) -> float:
    """Rows per second that one worker process takes from the queue and stores."""
    answer = setting.measure(
        *("benchmarks.peers", peer, "throughput", "--workers", 1),
        *("--jobs", setting.scaled(QUEUED_JOBS), "--warm-up", WARM_UP_JOBS),
        redis_database=redis_database,
    )
    rate = answer["jobs_per_second"] * FIXES_PER_JOB
    setting.console.print(f"{peer}, 1 worker: {rate:,.0f} rows/s")
    return rate


def growth_figure(setting: Setting) -> Figure:
    """With ten million rows stored; "theirs" is ours with a hundred thousand."""
    stored = QUICK_STORED_ROWS if setting.quick else STORED_ROWS
    took = setting.measure("benchmarks.growth", stored, GROWTH_BATCHES)
    few = f"{took['few_before']:.1f} before and {took['few_after']:.1f} after"
    setting.console.print(f"{stored:,} rows stored: {took['many']:.1f} us/position, few: {few}")
    return Figure("ingest", "growth", took["many"], "100 000 rows", took["few"], "us/position")
