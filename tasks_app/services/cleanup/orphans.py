"""Clean-up of orphans. Positions have no foreign key, so those of a deleted device stay until this runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from tasks_app.engine import current_job
from tasks_app.engine.live import repair_queue
from tasks_app.models import Device, Position, PositionArchive, PositionUpload
from tasks_app.services.cleanup import position_archives
from tasks_app.services.cleanup.orphan_files import remove_files_without_row
from tasks_app.services.cleanup.position_days import stored_device_ids
from tasks_app.services.cleanup.runs import BATCH_ROWS, Run, bytes_per_row, run_exclusively, scalar
from tasks_app.services.intake import UPLOAD_FOLDER
from tasks_app.services.partitions import list_partitions
from tasks_app.signals import orphans_cleanup_requested

_DELETE_BATCH = """
    WITH batch AS (
        SELECT device_id, fix_time FROM "{name}"
        WHERE device_id = %s AND fix_time > %s ORDER BY fix_time LIMIT %s
    ), gone AS (
        DELETE FROM "{name}" p USING batch b WHERE p.device_id = b.device_id AND p.fix_time = b.fix_time RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone), max(fix_time) FROM batch
"""


def remove_orphaned_data(*, now: datetime, dry_run: bool = False, max_seconds: float | None = None) -> dict[str, Any]:
    """Remove positions of deleted devices, files without a row and what leaked in Redis; ask the other packages, too.

    Returns how many of each kind, what each other package counted under its own names, and the figures of the run.
    Raises JobCancelled, redis.RedisError.
    """

    def work(run: Run) -> dict[str, Any]:
        counts = {"positions": _remove_orphaned_positions(run)}
        counts["upload_files"] = _remove_files(run, now, UPLOAD_FOLDER, PositionUpload)
        counts["archive_files"] = _remove_files(run, now, position_archives.FOLDER, PositionArchive)
        counts |= _repair_queues(run)
        for answer in _ask_other_packages(now, dry_run):
            counts.update(answer)
            for kind, count in answer.items():
                run.add(kind, count)
        return counts

    return run_exclusively("orphaned_data", work, dry_run=dry_run, max_seconds=max_seconds)


def _ask_other_packages(now: datetime, dry_run: bool) -> list[dict[str, int]]:
    answers: list[Any] = orphans_cleanup_requested.send(sender="tasks_app", now=now, dry_run=dry_run)
    return [answer for _receiver, answer in answers if answer]


def _remove_files(run: Run, now: datetime, folder: str, model: Any) -> int:
    known = set(model.objects.exclude(file="").values_list("file", flat=True))
    return remove_files_without_row(folder, known, now=now, run=run)


def _repair_queues(run: Run) -> dict[str, int]:
    counts = {"lost_jobs": 0, "job_remains": 0, "unique_keys": 0, "consumers": 0}
    for name in settings.QUEUES:
        for kind, count in repair_queue(name, apply=not run.dry_run, has_time=run.has_time).items():
            counts[kind] += count
    for kind, count in counts.items():
        run.add(kind, count)
    return counts


def _remove_orphaned_positions(run: Run) -> int:
    partitions, rows = list_partitions(), 0
    row_bytes = bytes_per_row(partitions[-1][0]) if partitions else 0
    for number, (name, _day) in enumerate(partitions, start=1):
        if not run.has_time():
            break
        for device_id in _orphaned_device_ids(name):
            rows += _count(name, device_id) if run.dry_run else _delete(name, device_id, run)
        current_job().progress(number, len(partitions), name)
    run.add(Position._meta.db_table, rows, int(rows * row_bytes))
    return rows


def _orphaned_device_ids(name: str) -> list[int]:
    """Devices come before their positions: one missing after the positions were seen was deleted, not just made."""
    stored = set(stored_device_ids(name))
    return sorted(stored - set(Device.objects.filter(pk__in=stored).values_list("pk", flat=True)))


def _count(name: str, device_id: int) -> int:
    return int(scalar(f'SELECT count(*) FROM "{name}" WHERE device_id = %s', device_id))  # noqa: S608 - a partition's name


def _delete(name: str, device_id: int, run: Run) -> int:
    deleted, after = 0, datetime.min.replace(tzinfo=UTC)
    while after is not None and run.has_time():
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_BATCH.format(name=name), [device_id, after, BATCH_ROWS])
            count, after = cursor.fetchone()
        deleted += count
    return deleted
