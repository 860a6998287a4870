"""Positions: rows per second through the whole pipeline, as the table grows, and how soon a batch is accepted over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

# 200 fixes of each of 500 devices: 100 000 rows.
FIXES_PER_DEVICE = 200
REQUESTS = 300
OURS = "tracker-positions"
# Through the queue.
QUEUED_FIXES = 100_000
WARM_UP_FIXES = 20_000
FEW_LANES = 4
# One uvicorn worker that takes in fixes of phones.
WANTED_RATE = 2_000
SINGLE_FIX_LIMIT_MS = 1_500.0
SECONDS_OF_A_RATE = 20
QUICK_SECONDS_OF_A_RATE = 4
STORED_ROWS = 10_000_000
QUICK_STORED_ROWS = 1_000_000
GROWTH_BATCHES = 20


@dataclass(frozen=True, slots=True)
class QueuedLoad:
    """How fixes go through a queue."""

    peer: str
    redis_database: int = 0
    workers: int = 1
    fixes_per_job: int = 1_000
    # None for the default.
    lanes: int | None = None


def run(setting: Setting) -> Iterator[Figure]:
    """The pipeline beside bare COPY, bulk_create and Celery; with a full table; HTTP against the clock."""
    yield from pipeline_figures(setting)
    yield from queued_figures(setting)
    yield from batch_size_figures(setting)
    yield from worker_figures(setting)
    yield from http_figures(setting)
    yield from single_fix_figures(setting)
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
    ours, theirs = by_turns(setting, QueuedLoad(OURS), QueuedLoad("celery-positions", redis_database=1))
    yield Figure("ingest", "pipeline", ours, "celery", theirs, "rows/s")


def batch_size_figures(setting: Setting) -> Iterator[Figure]:
    """Ours through the queue in small jobs; "theirs" is ours with the same fixes in large ones, or with the default lanes."""
    loads = (QueuedLoad(OURS, fixes_per_job=50), QueuedLoad(OURS, fixes_per_job=5_000))
    small, large, in_few_lanes = by_turns(setting, *loads, replace(loads[0], lanes=FEW_LANES))
    yield Figure("ingest", "batches_of_50", small, "batches_of_5000", large, "rows/s")
    yield Figure("ingest", f"batches_of_50_{FEW_LANES}_lanes", in_few_lanes, "batches_of_50", small, "rows/s")


def worker_figures(setting: Setting) -> Iterator[Figure]:
    """Ours through the queue with two workers; "theirs" is ours with one."""
    two, one = by_turns(setting, QueuedLoad(OURS, workers=2), QueuedLoad(OURS, workers=1))
    yield Figure("ingest", "workers_2", two, "workers_1", one, "rows/s")


def by_turns(setting: Setting, *loads: QueuedLoad) -> list[float]:
    """The median rate of each load; in each round every one has its turn."""
    rounds = [[queued_rate(setting, load) for load in loads] for _ in range(setting.rounds)]
    return [median(rates) for rates in zip(*rounds, strict=True)]


def queued_rate(setting: Setting, load: QueuedLoad) -> float:
    """Rows per second that the workers take from the queue and store."""
    fixes = max(setting.scaled(QUEUED_FIXES), 5 * load.fixes_per_job)
    environment = {"BENCH_FIXES_PER_JOB": str(load.fixes_per_job)}
    if load.lanes:
        environment["POSITIONS_LANES"] = str(load.lanes)
    answer = setting.measure(
        *("benchmarks.peers", load.peer, "throughput", "--workers", load.workers),
        *("--jobs", fixes // load.fixes_per_job, "--warm-up", max(1, WARM_UP_FIXES // load.fixes_per_job)),
        redis_database=load.redis_database,
        environment=environment,
    )
    rate = answer["jobs_per_second"] * load.fixes_per_job
    lanes = f" in {load.lanes} lanes" if load.lanes else ""
    what = f"{load.peer}, {load.workers} of {load.fixes_per_job:,}{lanes}"
    setting.console.print(f"{what}: {rate:,.0f} rows/s")
    return rate


def http_figures(setting: Setting) -> Iterator[Figure]:
    """Until a batch is accepted; "theirs" is the floor, which only decodes the JSON and makes one XADD."""
    took = setting.measure("benchmarks.http_batch", setting.scaled(REQUESTS))
    yield Figure("ingest", "http_accept", took["ours_p50"], "floor", took["floor_p50"], "ms")
    for kind in ("p50", "p99"):
        yield Figure("ingest", f"http_batch_{kind}", took[f"ours_{kind}"], None, None, "ms")


def single_fix_figures(setting: Setting) -> Iterator[Figure]:
    """Requests of one fix each at the highest rate that is borne; "theirs" is what is wanted."""
    seconds = QUICK_SECONDS_OF_A_RATE if setting.quick else SECONDS_OF_A_RATE
    took = setting.measure("benchmarks.single_fixes", seconds)
    setting.console.print(", ".join(f"{name} {value:,.2f}" for name, value in took.items()))
    yield Figure("ingest", "single_fixes", took["rate"], "wanted", float(WANTED_RATE), "requests/s")
    yield Figure("ingest", "single_fixes_p99", took["p99"] * 1000, "limit", SINGLE_FIX_LIMIT_MS, "ms")


def growth_figure(setting: Setting) -> Figure:
    """With ten million rows stored; "theirs" is ours with a hundred thousand."""
    stored = QUICK_STORED_ROWS if setting.quick else STORED_ROWS
    took = setting.measure("benchmarks.growth", stored, GROWTH_BATCHES)
    few = f"{took['few_before']:.1f} before and {took['few_after']:.1f} after"
    setting.console.print(f"{stored:,} rows stored: {took['many']:.1f} us/position, few: {few}")
    return Figure("ingest", "growth", took["many"], "100 000 rows", took["few"], "us/position")
