"""`python -m benchmarks.fix_cost FIXES SINGLES`: microseconds of processor time that a fix costs each part of the product.

FIXES are posted in batches of 1 000, then SINGLES one per request as phones send them. Counted are the processes of one
uvicorn worker, of the positions cluster, of PostgreSQL (all its processes) and of Redis, until every fix is stored. Times
of the processor, not of the clock: they add up over machines, and other work on this one changes them little.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from subprocess import Popen

import django

django.setup()

import msgspec  # noqa: E402
import psutil  # noqa: E402
from django.db import connection  # noqa: E402

from benchmarks.http_batch import FIXES as FIXES_PER_BATCH  # noqa: E402
from benchmarks.http_batch import operator_token, post  # noqa: E402
from benchmarks.pipeline import clear  # noqa: E402
from benchmarks.sample_fleet import DEVICES, batches, make_fixes, yesterday  # noqa: E402
from benchmarks.single_fixes import Phones, cluster, device_keys  # noqa: E402
from benchmarks.web import connect, web_server  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.ingest.serialise import fix_to_item  # noqa: E402
from tasks_app.models import Position  # noqa: E402
from tasks_app.services.partitions import ensure_partitions  # noqa: E402

SINGLES_PER_SECOND = 500
WARM_UP_BATCHES = 5
PATIENCE_SECONDS = 300.0


def main(fixes: int, singles: int) -> None:
    client().flushdb()
    clear()
    keys = device_keys()
    with cluster() as workers, web_server("trackerproject.asgi:application") as (web, port):
        parts = Parts(web, workers)
        answer = {f"batch_{part}": cost for part, cost in cost_of_batches(port, parts, fixes).items()}
        answer |= {f"single_{part}": cost for part, cost in cost_of_singles(port, parts, keys, singles).items()}
    clear()
    client().flushdb()
    print(json.dumps(answer))


def cost_of_batches(port: int, parts: Parts, fixes: int) -> dict[str, float]:
    headers = {"Authorization": f"Token {operator_token()}", "Content-Type": "application/json"}
    made = make_fixes((fixes + WARM_UP_BATCHES * FIXES_PER_BATCH) // DEVICES, yesterday())
    ensure_partitions({fix.fix_time for fix in made})
    bodies = [msgspec.json.encode([fix_to_item(fix) for fix in batch]) for batch in batches(made, FIXES_PER_BATCH)]
    web = connect(port)

    def send(some: list[bytes]) -> None:
        for body in some:
            post(web, body, headers)

    stored_after(lambda: send(bodies[:WARM_UP_BATCHES]), WARM_UP_BATCHES * FIXES_PER_BATCH)
    return parts.cost(lambda: stored_after(lambda: send(bodies[WARM_UP_BATCHES:]), fixes), fixes)


def cost_of_singles(port: int, parts: Parts, keys: dict[str, str], singles: int) -> dict[str, float]:
    def send(count: int) -> None:
        phones = Phones(port, keys, SINGLES_PER_SECOND, count)
        asyncio.run(phones.send_all())
        if phones.refused:
            raise SystemExit(f"refused: {dict(phones.refused)}")

    stored_after(lambda: send(SINGLES_PER_SECOND), SINGLES_PER_SECOND)
    return parts.cost(lambda: stored_after(lambda: send(singles), singles), singles)


def stored_after(send: Callable[[], None], fixes: int) -> None:
    """Send, and return when so many rows are stored; empty the table."""
    send()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while Position.objects.count() < fixes:
        if time.monotonic() > deadline:
            raise SystemExit(f"{Position.objects.count()} of {fixes} fixes were stored")
        time.sleep(0.2)
    clear()


class Parts:
    """The processes of each part of the product."""

    def __init__(self, web: Popen[bytes], workers: Popen[bytes]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            postmaster = psutil.Process(cursor.fetchone()[0]).ppid()
        redis_pid = client().info("server")["process_id"]
        self._roots = {"web": web.pid, "workers": workers.pid, "postgres": postmaster, "redis": redis_pid}

    def cost(self, work: Callable[[], None], fixes: int) -> dict[str, float]:
        """Microseconds of each part per fix."""
        before = self._seconds()
        work()
        after = self._seconds()
        return {part: (after[part] - before[part]) / fixes * 1_000_000 for part in after}

    def _seconds(self) -> dict[str, float]:
        return {part: tree_seconds(psutil.Process(pid)) for part, pid in self._roots.items()}


def tree_seconds(root: psutil.Process) -> float:
    """Processor time of a process, of its living descendants, and of those that ended."""
    found = [one.cpu_times() for one in (root, *root.children(recursive=True))]
    return sum(one.user + one.system + one.children_user + one.children_system for one in found)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
