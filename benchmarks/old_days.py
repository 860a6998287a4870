"""Days of positions as they are some weeks after they were stored: vacuumed, analyzed, on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection

from benchmarks.growth import FILL
from benchmarks.pipeline import clear
from benchmarks.sample_fleet import DEVICES, FLEET
from tasks_app.models import Device
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.partitions import drop_partition, ensure_partitions, list_partitions, partition_name

OLDEST = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=60)
_FILES = """
    SELECT current_setting('data_directory') || '/' || pg_relation_filepath(oid) FROM (
        SELECT %(name)s::regclass::oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = %(name)s::regclass
    ) relations (oid)
"""


def fill(start: datetime, rows: int) -> None:
    """The day that begins then, anew, with positions of all devices."""
    name = partition_name(start.date())
    if name in dict(list_partitions()):
        drop_partition(name)
    ensure_partitions([start])
    steps = rows // DEVICES
    values = {"steps": steps, "first_at": start, "apart": timedelta(days=1) / steps, "fleet": FLEET}
    if execute(FILL, values) != rows_made(rows):
        raise SystemExit("not every row was made")
    execute(f'VACUUM (ANALYZE) "{name}"')
    execute("CHECKPOINT")


def rows_made(rows: int) -> int:
    """How many rows `fill` makes of so many."""
    return rows // DEVICES * DEVICES


def files_of(name: str) -> Iterator[Path]:
    """The files of a partition and its index. The server is one of this machine."""
    with connection.cursor() as cursor:
        cursor.execute(_FILES, {"name": name})
        for (path,) in cursor.fetchall():
            first = Path(path)
            yield from (file for file in first.parent.iterdir() if file.name.split("_")[0].split(".")[0] == first.name)


def uncache(path: Path) -> None:
    """Take a file out of the system's cache of pages, in which nothing of it is unwritten."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def remove() -> tuple[dict[str, Any], float]:
    """One run of the retention of positions, and its seconds."""
    began = time.perf_counter()
    done = remove_old_positions(now=datetime.now(UTC), days_to_keep=30)
    return done, time.perf_counter() - began


def keep(device_ids: list[int]) -> None:
    """These devices keep their positions for ever, and no other."""
    Device.objects.update(keep_positions_forever=False)
    Device.objects.filter(pk__in=device_ids).update(keep_positions_forever=True)


def start_over() -> None:
    clear()
    for name, _day in list_partitions():
        drop_partition(name)


def execute(sql: str, *values: object) -> int:
    """The number of rows the statement was about."""
    parameters = values[0] if values and isinstance(values[0], dict) else values or None
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)
