"""`python -m benchmarks.day_removal ROWS`: seconds until a whole day of ROWS positions is gone, in several ways.

`run` is the service with everything it looks at before, `partition` its one statement: lock, detach, drop. The peers:
`delete` is one DELETE; `delete_vacuum` also gives the space of the rows back, as dropping does; `batches_vacuum` is what
the product does to days that cannot be dropped, of which a third are pauses. `files` is the file system's share: files
as large are cut to nothing and unlinked, as PostgreSQL does with those of a dropped table.

A day that goes was stored weeks ago and lies in no cache (`..._cold`; what PostgreSQL's own buffers still hold is to the
advantage of the peers). The same right after it was written is `..._cached`. Dropping, over in an instant, is done
ROUNDS times, and the median counts.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

import django

django.setup()

from django.db import connection  # noqa: E402

from benchmarks.old_days import OLDEST, execute, files_of, fill, made, remove, start_over, uncache  # noqa: E402
from benchmarks.sample_fleet import make_fleet  # noqa: E402
from tasks_app.services.cleanup.position_days import delete_going, plan_day, stored_device_ids  # noqa: E402
from tasks_app.services.cleanup.runs import Run  # noqa: E402
from tasks_app.services.partitions import drop_partition, partition_name  # noqa: E402

ROUNDS = 3
NAME = partition_name(OLDEST.date())


def main(rows: int) -> None:
    make_fleet()
    start_over()
    figures: dict[str, float] = {}
    for is_cold, suffix in ((True, "cold"), (False, "cached")):
        for way in (run, partition):
            figures[f"{way.__name__}_{suffix}"] = median(measure(way, rows, is_cold)[0] for _ in range(ROUNDS))
        seconds, figures[f"delete_cpu_{suffix}"] = measure(delete, rows, is_cold)
        figures |= {f"delete_{suffix}": seconds, f"delete_vacuum_{suffix}": seconds + seconds_of_vacuum()}
        figures[f"batches_vacuum_{suffix}"] = measure(batches, rows, is_cold)[0] + seconds_of_vacuum()
        fill(OLDEST, rows)
        figures[f"files_{suffix}"] = median(seconds_of_files(is_cold) for _ in range(ROUNDS))
        _seconds, figures[f"partition_cpu_{suffix}"] = measure(partition, rows, is_cold)
    start_over()
    print(json.dumps(figures))


def measure(way: Callable[[int], None], rows: int, is_cold: bool) -> tuple[float, float]:
    """Seconds by the clock, and of processor time of the database's process, to remove a day that is filled anew."""
    fill(OLDEST, rows)
    if is_cold:
        for path in files_of(NAME):
            uncache(path)
    began, cpu = time.perf_counter(), backend_cpu_seconds()
    way(rows)
    return time.perf_counter() - began, backend_cpu_seconds() - cpu


def run(_rows: int) -> None:
    done, _seconds = remove()
    if done["partitions_dropped"] != 1:
        raise SystemExit(f"nothing was dropped: {done}")


def partition(_rows: int) -> None:
    drop_partition(NAME)


def delete(rows: int) -> None:
    if execute("DELETE FROM tasks_app_position WHERE fix_time < %s", OLDEST + timedelta(days=1)) != made(rows):
        raise SystemExit("not every row was deleted")


def batches(rows: int) -> None:
    plan = plan_day(NAME, OLDEST.date(), stored_device_ids(NAME), [])
    if delete_going(plan, Run(dry_run=False)) != made(rows):
        raise SystemExit("not every row was deleted")


def seconds_of_vacuum() -> float:
    began = time.perf_counter()
    execute(f'VACUUM "{NAME}"')
    return time.perf_counter() - began


def seconds_of_files(is_cold: bool) -> float:
    """To cut files as large as those of the day to nothing and unlink them, on the same file system."""
    originals = list(files_of(NAME))
    with tempfile.TemporaryDirectory(dir=originals[0].parent) as folder:
        copies = [Path(shutil.copy(original, folder)) for original in originals]
        for copy in copies:
            uncache(copy) if is_cold else os.sync()
        began = time.perf_counter()
        for copy in copies:
            os.truncate(copy, 0)
            copy.unlink()
        return time.perf_counter() - began


def backend_cpu_seconds() -> float:
    """Processor time so far of the database's process that serves our connection; it is one of this machine."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        nanoseconds = Path(f"/proc/{cursor.fetchone()[0]}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1e9


if __name__ == "__main__":
    main(int(sys.argv[1]))
