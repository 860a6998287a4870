"""The same measurement of any job system: `python -m benchmarks.peers NAME throughput|enqueue|latency ...`.

Throughput: all jobs are in the queue before the workers start. The clock starts when the warm-up jobs are done and stops
when the last job is, both read off the system's own books (its queue length or its stored results), which cost it next to
nothing. The answer is one JSON object on the last line of standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from trackerproject.dev.embedded import start_child, stop_children

LOOK_SECONDS = 0.01
STALLED_SECONDS = 30.0
IDLE_BETWEEN_JOBS_SECONDS = 0.03
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Peer:
    """A job system.

    `stored()` counts results where the system keeps them, `latencies(n)` runs n jobs one at a time and returns the
    seconds from enqueueing to start of each.
    """

    name: str
    enqueue_bulk: Callable[[int], None]
    unfinished: Callable[[], int]
    worker_command: Callable[[int], list[str]]
    clear: Callable[[], None]
    stored: Callable[[], int] | None = None
    enqueue_one: Callable[[], object] | None = None
    latencies: Callable[[int], list[float]] | None = None
    environment: dict[str, str] = field(default_factory=dict)


def redis_url() -> str:
    """The Redis database this peer has to itself."""
    return os.environ["REDIS_URL"]


def serve(peer: Peer, arguments: list[str]) -> None:
    """Do what the command line asks and print the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["throughput", "enqueue", "latency"])
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--warm-up", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    peer.clear()
    measure = {"throughput": _throughput, "enqueue": _enqueue, "latency": _latency}[options.what]
    answer = measure(peer, options)
    peer.clear()
    print(json.dumps(answer))


def _throughput(peer: Peer, options: argparse.Namespace) -> dict[str, float]:
    peer.enqueue_bulk(options.warm_up + options.jobs)
    workers = _start_workers(peer, options.workers)
    try:
        _wait_until_at_most(peer, options.jobs)
        # The look that saw the warm-up over may have seen more than that done.
        began, todo = time.perf_counter(), peer.unfinished()
        _wait_until_at_most(peer, 0)
        seconds = time.perf_counter() - began
        if peer.stored and (stored := peer.stored()) != options.warm_up + options.jobs:
            raise SystemExit(f"{peer.name} stored {stored} results")
        memory = _memory(workers, options.workers)
    finally:
        stop_children([workers])
    return {"jobs_per_second": todo / seconds, **memory}


def _enqueue(peer: Peer, options: argparse.Namespace) -> dict[str, float]:
    """Client rates without any worker running."""
    if peer.enqueue_one is None:
        raise SystemExit(f"{peer.name} has no enqueue measurement")
    for _ in range(200):
        peer.enqueue_one()
    began = time.perf_counter()
    for _ in range(options.jobs):
        peer.enqueue_one()
    single = options.jobs / (time.perf_counter() - began)
    began = time.perf_counter()
    peer.enqueue_bulk(options.jobs)
    return {"single": single, "bulk": options.jobs / (time.perf_counter() - began)}


def _latency(peer: Peer, options: argparse.Namespace) -> dict[str, float]:
    if peer.latencies is None:
        raise SystemExit(f"{peer.name} has no latency measurement")
    workers = _start_workers(peer, options.workers)
    try:
        peer.enqueue_bulk(100)
        _wait_until_at_most(peer, 0)
        found = sorted(peer.latencies(options.jobs))
    finally:
        stop_children([workers])
    return {"p50": found[len(found) // 2], "p99": found[int(len(found) * 0.99)]}


def _start_workers(peer: Peer, count: int) -> subprocess.Popen[bytes]:
    with (Path(os.environ["BENCH_LOG_DIR"]) / f"{peer.name}-workers.log").open("ab") as log:
        return start_child(peer.worker_command(count), env={**os.environ, **peer.environment}, output=log)


def _wait_until_at_most(peer: Peer, count: int) -> None:
    last, moved_at = -1, time.monotonic()
    while (unfinished := peer.unfinished()) > count:
        if unfinished != last:
            last, moved_at = unfinished, time.monotonic()
        elif time.monotonic() - moved_at > STALLED_SECONDS:
            raise SystemExit(f"{peer.name} stalled with {unfinished} jobs left")
        time.sleep(LOOK_SECONDS)


def _memory(process: subprocess.Popen[bytes], workers: int) -> dict[str, float]:
    """MiB per worker: the proportional set of the whole process tree shared out, and the largest resident set in it."""
    root = psutil.Process(process.pid)
    found = []
    for one in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # RQ's children live for one job
            found.append(one.memory_full_info())
    return {
        "pss_per_worker_mib": sum(one.pss for one in found) / workers / MIB,
        "largest_rss_mib": max(one.rss for one in found) / MIB,
    }
