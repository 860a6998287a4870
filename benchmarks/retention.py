"""`python -m benchmarks.retention ROWS`: seconds, rows/s and milliseconds of removing a day of ROWS positions.

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

from django.db import connection, transaction  # noqa: E402

from benchmarks.growth import FILL  # noqa: E402
from benchmarks.pipeline import clear  # noqa: E402
from benchmarks.sample_fleet import DEVICES, FLEET, batches, make_fixes, make_fleet, yesterday  # noqa: E402
from tasks_app.ingest.fix import Fix  # noqa: E402
from tasks_app.models import Device  # noqa: E402
from tasks_app.services.cleanup import positions  # noqa: E402
from tasks_app.services.partitions import (  # noqa: E402
    drop_partition,
    ensure_partitions,
    list_partitions,
    partition_name,
)
from tasks_app.services.positions import store_fixes  # noqa: E402

BATCH = 1_000
WARM_UP_BATCHES = 20
# Half of them before the cleanup and half after it, so that a machine that grows slower does not decide.
ALONE_BATCHES = 150
KEPT_SHARE = 10
OLDEST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=60)
LOCK = "LOCK TABLE ONLY tasks_app_position IN ROW EXCLUSIVE MODE"
# Of a run that deletes in batches, exchanges and drops: the days' shares of all rows.
SHARES = (0.25, 0.25, 0.25, 0.05, 0.05, 0.05)


def main(rows: int) -> None:
    make_fleet()
    start_over()
    kept = list(Device.objects.order_by("pk").values_list("pk", flat=True))[::KEPT_SHARE]
    figures = {
        "delete": seconds_of_delete(rows),
        "drop": seconds_of_drop(rows),
        "drop_table": seconds_of_statement(rows),
    }
    figures["delete_rate"] = rate_of_delete(rows, kept)
    figures["batch_rate"] = rate_of_removal(rows, kept, copied=0)
    figures["exchange_rate"] = rate_of_removal(rows, kept[:1], copied=positions.MAX_COPIED_ROWS)
    figures |= felt_by_ingest(rows, kept)
    keep([])
    start_over()
    print(json.dumps(figures))


def seconds_of_delete(rows: int) -> float:
    fill(OLDEST, rows)
    began = time.perf_counter()
    if execute("DELETE FROM tasks_app_position WHERE fix_time < %s", OLDEST + timedelta(days=1)) != made(rows):
        raise SystemExit("not every row was deleted")
    return time.perf_counter() - began


def seconds_of_drop(rows: int) -> float:
    """The whole run, with everything it looks at before."""
    fill(OLDEST, rows)
    done, seconds = remove()
    if done["partitions_dropped"] != 1:
        raise SystemExit(f"nothing was dropped: {done}")
    return seconds


def seconds_of_statement(rows: int) -> float:
    """Taking the partition out and dropping it, with the locks that takes."""
    fill(OLDEST, rows)
    began = time.perf_counter()
    drop_partition(partition_name(OLDEST.date()))
    return time.perf_counter() - began


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


def remove() -> tuple[dict, float]:
    began = time.perf_counter()
    done = positions.remove_old_positions(now=datetime.now(UTC), days_to_keep=30)
    return done, time.perf_counter() - began


def keep(device_ids: list[int]) -> None:
    """These devices keep their positions for ever, and no other."""
    Device.objects.update(keep_positions_forever=False)
    Device.objects.filter(pk__in=device_ids).update(keep_positions_forever=True)


def made(rows: int) -> int:
    return rows // DEVICES * DEVICES


def fill(start: datetime, rows: int) -> None:
    """The day that begins then, anew, with positions of all devices."""
    name = partition_name(start.date())
    if name in dict(list_partitions()):
        drop_partition(name)
    ensure_partitions([start])
    steps = rows // DEVICES
    values = {"steps": steps, "first_at": start, "apart": timedelta(days=1) / steps, "fleet": FLEET}
    if execute(FILL, values) != made(rows):
        raise SystemExit("not every row was made")
    execute(f'VACUUM (ANALYZE) "{name}"')
    execute("CHECKPOINT")


def start_over() -> None:
    clear()
    for name, _day in list_partitions():
        drop_partition(name)


def execute(sql: str, *values: object) -> int:
    parameters = values[0] if values and isinstance(values[0], dict) else values or None
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


if __name__ == "__main__":
    main(int(sys.argv[1]))
