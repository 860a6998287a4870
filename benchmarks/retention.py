"""`python -m benchmarks.retention ROWS`: rows/s and milliseconds of removing part of a day of ROWS positions.

Each way removes a day that was filled anew, vacuumed and analyzed, as a day is some weeks after it was stored. For what
ingest feels, `manage.py cleanup` runs in a process of its own beside batches of 1 000 new fixes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from statistics import quantiles

import django

django.setup()

from django.db import transaction  # noqa: E402

from benchmarks.old_days import OLDEST, execute, fill, keep, made, remove, start_over  # noqa: E402
from benchmarks.sample_fleet import DEVICES, batches, make_fixes, make_fleet, yesterday  # noqa: E402
from tasks_app.ingest.fix import Fix  # noqa: E402
from tasks_app.models import Device  # noqa: E402
from tasks_app.services.cleanup import positions  # noqa: E402
from tasks_app.services.positions.store import store_fixes  # noqa: E402

BATCH = 1_000
WARM_UP_BATCHES = 20
# Half of them before the cleanup and half after it, so that a machine that grows slower does not decide.
ALONE_BATCHES = 150
KEPT_SHARE = 10
LOCK = "LOCK TABLE ONLY tasks_app_position IN ROW EXCLUSIVE MODE"
# Of a run that deletes in batches, exchanges and drops: the days' shares of all rows.
SHARES = (0.25, 0.25, 0.25, 0.05, 0.05, 0.05)


def main(rows: int) -> None:
    make_fleet()
    start_over()
    kept = list(Device.objects.order_by("pk").values_list("pk", flat=True))[::KEPT_SHARE]
    figures = {"delete_rate": rate_of_delete(rows, kept)}
    figures["batch_rate"] = rate_of_removal(rows, kept, copied=0)
    figures["exchange_rate"] = rate_of_removal(rows, kept[:1], copied=positions.MAX_COPIED_ROWS)
    figures |= felt_by_ingest(rows, kept)
    keep([])
    start_over()
    print(json.dumps(figures))


def rate_of_delete(rows: int, kept: list[int]) -> float:
    fill(OLDEST, rows)
    began = time.perf_counter()
    gone = execute("DELETE FROM tasks_app_position WHERE device_id <> ALL(%s)", kept)
    return gone / (time.perf_counter() - began)


def rate_of_removal(rows: int, kept: list[int], copied: int) -> float:
    positions.MAX_COPIED_ROWS = copied
    fill(OLDEST, rows)
    keep(kept)
    done, seconds = remove()
    left = execute("SELECT FROM tasks_app_position")
    if left != made(rows) * len(kept) // DEVICES:
        raise SystemExit(f"{left} rows are left: {done}")
    return done["rows"] / seconds


def felt_by_ingest(rows: int, kept: list[int]) -> dict[str, float]:
    start_over()
    keep(kept)
    for number, share in enumerate(SHARES):
        fill(OLDEST + timedelta(days=number), int(rows * share))
    work = iter(batches(make_fixes(1500 * BATCH // DEVICES, yesterday()), BATCH))
    for batch in (next(work) for _ in range(WARM_UP_BATCHES)):
        store_fixes(batch, datetime.now(UTC))
    before = [store(work)[0] for _ in range(ALONE_BATCHES)]
    during, waits = [], []
    cleaner = subprocess.Popen([sys.executable, "manage.py", "cleanup", "positions"], stdout=subprocess.DEVNULL)
    while cleaner.poll() is None:
        took, waited = store(work)
        during.append(took)
        waits.append(waited)
    if cleaner.returncode:
        raise SystemExit("the cleanup failed")
    alone = before + [store(work)[0] for _ in range(ALONE_BATCHES)]
    return {"during_ms": p99(during), "alone_ms": p99(alone), "lock_wait_ms": max(waits) * 1000}


def store(work: Iterable[list[Fix]]) -> tuple[float, float]:
    """Seconds that the next batch took, and that a writer waited for the table before it."""
    began = time.perf_counter()
    with transaction.atomic():
        execute(LOCK)
        waited = time.perf_counter() - began
    began = time.perf_counter()
    store_fixes(next(iter(work)), datetime.now(UTC))
    return waited + time.perf_counter() - began, waited


def p99(seconds: list[float]) -> float:
    return quantiles(seconds, n=100)[98] * 1000


if __name__ == "__main__":
    main(int(sys.argv[1]))
