"""`python -m benchmarks.single_fixes SECONDS`: phones that send one fix per request, at ever higher rates.

One uvicorn worker, the positions cluster as it is configured, 500 devices with a key each. The requests of a rate are due at
even times, for SECONDS; each is counted from when it was due until its row is seen in the table by a query that is asked
over and over, so a server that falls behind shows. A rate is borne when every request was answered with 200, every fix
was stored, and 99 of 100 within LIMIT_SECONDS. The answer holds the highest rate borne and its latencies in seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.pipeline import clear  # noqa: E402
from benchmarks.sample_fleet import make_fleet  # noqa: E402
from benchmarks.web import HOST, web_server  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.engine.live import queue_stats  # noqa: E402
from tasks_app.services.devices.credentials import issue_key  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402
from trackerproject.dev.embedded import start_child, stop_children  # noqa: E402

RATES = (25, 50, 100, 150, 200, 300, 400, 600, 800, 1_000, 1_500, 2_000)
LIMIT_SECONDS = 1.5
CONNECTIONS = 64
LOOK_SECONDS = 0.02
START_SECONDS = 60.0
# Fixes that are not stored so long after the last answer are given up.
PATIENCE_SECONDS = 10.0
SEEN = "SELECT altitude_meters::int FROM tasks_app_position WHERE fix_time >= %s AND altitude_meters >= %s"
REQUEST = (
    "GET /ingest/osmand?id={id}&key={key}&timestamp={ms}&lat={latitude:.6f}&lon={longitude:.6f}&speed=20&altitude={number}"
    f" HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The requests of one rate: latencies of those whose fix was stored, in order, and how many were due."""

    due: int
    refused: Counter[str]
    latencies: list[float]

    @property
    def is_borne(self) -> bool:
        return not self.refused and len(self.latencies) == self.due and self.at(0.99) <= LIMIT_SECONDS

    def at(self, share: float) -> float:
        """The latency of this share of the requests; of one that was lost there is none but PATIENCE_SECONDS at least."""
        place = int(self.due * share)
        return self.latencies[place] if place < len(self.latencies) else PATIENCE_SECONDS


def main(seconds: int) -> None:
    keys = device_keys()
    client().flushdb()
    best: tuple[int, Outcome] | None = None
    with cluster(), web_server("trackerproject.asgi:application") as (_, port):
        measure(port, keys, RATES[0], 2)  # Warm: connections, caches, first statements.
        for rate in RATES:
            outcome = measure(port, keys, rate, seconds)
            print(f"{rate}/s: p99 {outcome.at(0.99):.2f} s, refused: {dict(outcome.refused)}", file=sys.stderr)
            if best is None or outcome.is_borne:
                best = rate, outcome
            if not outcome.is_borne:
                break
    clear()
    client().flushdb()
    rate, outcome = best
    print(json.dumps({"rate": rate, "p50": outcome.at(0.5), "p99": outcome.at(0.99)}))


def device_keys() -> dict[str, str]:
    """The keys of the devices by their identifiers; what they send today can be stored."""
    fleet = make_fleet()
    ensure_partitions([timezone.now()])
    return {device.unique_id: issue_key(device=device, rotate=True) for device in fleet.devices.order_by("pk")}


@contextmanager
def cluster() -> Iterator[Popen[bytes]]:
    """Run the positions queue's workers until the block ends."""
    with (Path(os.environ["BENCH_LOG_DIR"]) / "single-fixes-cluster.log").open("ab") as log:
        process = start_child([sys.executable, "manage.py", "qcluster", "--name", "positions"], output=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not any(queue.workers for queue in queue_stats(client()) if queue.name == "positions"):
            if time.monotonic() > deadline:
                raise SystemExit("the cluster does not start")
            time.sleep(0.1)
        yield process
    finally:
        stop_children([process])


def measure(port: int, keys: dict[str, str], rate: int, seconds: int) -> Outcome:
    """Send at this rate, wait until every fix is stored or given up, and empty the table."""
    phones = Phones(port, keys, rate, rate * seconds)
    watch = Watch(phones.total, datetime.fromtimestamp(phones.began_ms / 1000, UTC))
    watch.start()
    asyncio.run(phones.send_all())
    watch.finish_until = time.perf_counter() + PATIENCE_SECONDS
    watch.join()
    latencies = sorted(at - phones.due(number) for number, at in watch.seen.items())
    clear()
    return Outcome(phones.total, phones.refused, latencies)


class Phones:
    """The sending side: connections that stay open, each with one request at a time."""

    def __init__(self, port: int, keys: dict[str, str], rate: int, total: int) -> None:
        self.port, self.rate, self.total = port, rate, total
        self.keys = list(keys.items())
        # Milliseconds, as they are sent.
        self.began_ms = time.time_ns() // 1_000_000
        self.began = time.perf_counter()
        self._next = 0
        self.refused: Counter[str] = Counter()

    def due(self, number: int) -> float:
        """The time of a request (time.perf_counter)."""
        return self.began + number / self.rate

    async def send_all(self) -> None:
        """Send every request at its time; count the answers that are not 200."""
        await asyncio.gather(*(self._send_some() for _ in range(CONNECTIONS)))

    async def _send_some(self) -> None:
        reader, writer = await asyncio.open_connection(HOST, self.port)
        while (number := self._next) < self.total:
            self._next += 1
            await asyncio.sleep(max(0.0, self.due(number) - time.perf_counter()))
            writer.write(self._request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(content_length(head))
            if not head.startswith(b"HTTP/1.1 200 "):
                self.refused[f"{head.split(maxsplit=2)[1].decode()} {body.decode()}"] += 1
        writer.close()

    def _request(self, number: int) -> bytes:
        unique_id, key = self.keys[number % len(self.keys)]
        # Each device drives north, away from the others.
        latitude = -23.55 + number // len(self.keys) * 1e-4
        longitude = -46.63 + number % len(self.keys) * 1e-3
        ms = self.began_ms + number * 1000 // self.rate
        text = REQUEST.format(id=unique_id, key=key, ms=ms, latitude=latitude, longitude=longitude, number=number)
        return text.encode()


def content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


class Watch(threading.Thread):
    """A thread that notes when each fix is seen in the table. Its altitude is the number of its request."""

    def __init__(self, total: int, began_at: datetime) -> None:
        super().__init__(daemon=True)
        self.seen: dict[int, float] = {}
        self.finish_until = float("inf")
        self._total, self._began_at = total, began_at

    def run(self) -> None:
        lowest = 0
        while len(self.seen) < self._total and time.perf_counter() < self.finish_until:
            with connection.cursor() as cursor:
                cursor.execute(SEEN, [self._began_at, lowest])
                rows = cursor.fetchall()
            now = time.perf_counter()
            for (number,) in rows:
                self.seen.setdefault(number, now)
            while lowest in self.seen:
                lowest += 1
            time.sleep(LOOK_SECONDS)
        connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
