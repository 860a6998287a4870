"""The task engine beside Celery, stock django-q2, Huey, RQ and Dramatiq: the same Redis, PostgreSQL and machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Load:
    """Which peer, in which Redis database, and how many jobs keep it busy for some seconds."""

    name: str
    database: int
    jobs: int
    warm_up: int


OURS = Load("tracker", 0, jobs=30_000, warm_up=6_000)
CELERY = Load("celery", 1, jobs=6_000, warm_up=1_500)
PEERS = (
    CELERY,
    Load("django-q2", 2, jobs=1_500, warm_up=300),
    Load("huey", 3, jobs=24_000, warm_up=6_000),
    Load("rq", 4, jobs=300, warm_up=60),
    Load("dramatiq", 5, jobs=9_000, warm_up=2_000),
)
ENQUEUEING_PEERS = (CELERY, *(load for load in PEERS if load.name in ("huey", "rq", "dramatiq")))
PING = Load("redis_ping", OURS.database, jobs=0, warm_up=0)
# What an idle web server and the workers of all four queues may take together.
IDLE_LIMIT_MB = 250.0
Measured = dict[str, dict[str, float]]


def run(setting: Setting) -> Iterator[Figure]:
    """No-op jobs, enqueueing, latency, memory, and how throughput grows with workers."""
    measured = throughput_of_all(setting)
    yield from noop_figures(measured)
    yield from memory_figures(measured)
    yield from idle_figures(setting)
    yield from enqueue_figures(setting)
    yield from latency_figures(setting)
    yield from scaling_figures(setting)
    yield from depth_figures(setting)


def throughput_of_all(setting: Setting) -> Measured:
    """The median of some rounds; in each round everyone has its turn, so that a busy minute hits all."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for _ in range(setting.rounds):
        for load in (OURS, *PEERS):
            found[load.name].append(throughput(setting, load, WORKERS))
    return {name: {key: median(one[key] for one in rounds) for key in rounds[0]} for name, rounds in found.items()}


def throughput(setting: Setting, load: Load, workers: int) -> dict[str, float]:
    answer = setting.measure(
        *("benchmarks.peers", load.name, "throughput", "--workers", workers),
        *("--jobs", setting.scaled(load.jobs), "--warm-up", setting.scaled(load.warm_up)),
        redis_database=load.database,
    )
    setting.console.print(f"{load.name}, {workers} workers: {answer['jobs_per_second']:,.0f} jobs/s")
    return answer


def noop_figures(measured: Measured) -> Iterator[Figure]:
    ours = measured[OURS.name]["jobs_per_second"]
    for peer in PEERS:
        yield Figure("engine", "noop_saved", ours, peer.name, measured[peer.name]["jobs_per_second"], "jobs/s")


def memory_figures(measured: Measured) -> Iterator[Figure]:
    for case, key in (("memory_per_worker", "pss_per_worker_mib"), ("memory_largest_process", "largest_rss_mib")):
        unit = "MiB PSS" if "pss" in key else "MiB RSS"
        for peer in PEERS:
            yield Figure("engine", case, measured[OURS.name][key], peer.name, measured[peer.name][key], unit)


def idle_figures(setting: Setting) -> Iterator[Figure]:
    """The whole installation without work; "theirs" is what is allowed."""
    took = setting.measure("benchmarks.idle_memory")
    setting.console.print(", ".join(f"{part} {mb:.0f} MB" for part, mb in took.items()))
    for case, clusters in (("idle_memory", "one_cluster"), ("idle_memory_four_clusters", "four_clusters")):
        yield Figure("engine", case, took[f"{clusters}_web"] + took[clusters], "limit", IDLE_LIMIT_MB, "MB PSS")


def enqueue_figures(setting: Setting) -> Iterator[Figure]:
    """One client, no worker running. Medians of rounds, as those of `throughput_of_all`."""
    jobs, rounds = setting.scaled(12_000), []
    for _ in range(setting.rounds):
        rounds.append({load.name: enqueue_rates(setting, load, jobs) for load in (OURS, PING, *ENQUEUEING_PEERS)})
    single, bulk = (
        {name: median(one[name][kind] for one in rounds) for name in rounds[0]} for kind in ("single", "bulk")
    )
    yield Figure("engine", "enqueue_bulk", bulk[OURS.name], CELERY.name, bulk[CELERY.name], "jobs/s")
    for peer in (CELERY, PING, *ENQUEUEING_PEERS[1:]):
        yield Figure("engine", "enqueue_single", single[OURS.name], peer.name, single[peer.name], "jobs/s")


def enqueue_rates(setting: Setting, load: Load, jobs: int) -> dict[str, float]:
    rates = setting.measure("benchmarks.peers", load.name, "enqueue", "--jobs", jobs, redis_database=load.database)
    setting.console.print(
        f"{load.name}: {rates['single']:,.0f} jobs/s enqueued one by one, {rates['bulk']:,.0f} in bulk"
    )
    return rates


def latency_figures(setting: Setting) -> Iterator[Figure]:
    """From the call that enqueues to the first line of the task, with idle workers."""
    jobs = setting.scaled(300)
    ours = setting.measure("benchmarks.peers", OURS.name, "latency", "--jobs", jobs, redis_database=OURS.database)
    theirs = setting.measure("benchmarks.peers", CELERY.name, "latency", "--jobs", jobs, redis_database=CELERY.database)
    for kind in ("p50", "p99"):
        case = f"enqueue_to_start_{kind}"
        yield Figure("engine", case, ours[kind] * 1000, CELERY.name, theirs[kind] * 1000, "ms")


def scaling_figures(setting: Setting) -> Iterator[Figure]:
    """Ours with one, two and four workers; "theirs" is ours with one."""
    rates = {workers: throughput(setting, OURS, workers)["jobs_per_second"] for workers in (1, 2, 4)}
    for workers in (2, 4):
        yield Figure("engine", f"noop_saved_{workers}_workers", rates[workers], "1 worker", rates[1], "jobs/s")


def depth_figures(setting: Setting) -> Iterator[Figure]:
    """With a million jobs waiting; "theirs" is ours with a thousand."""
    took = setting.measure("benchmarks.deep_queue", setting.scaled(1_000_000))
    for operation in ("enqueue", "inspect", "find", "list", "cancel"):
        deep, shallow = took[f"{operation}_deep"], took[f"{operation}_shallow"]
        yield Figure("engine", f"deep_queue_{operation}", deep, "1 000 jobs", shallow, "ms")
