"""What belongs to nothing any more. Positions have no foreign key, so those of a deleted device stay until this runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection

from tasks_app.engine import current_job
from tasks_app.models import Device
from tasks_app.services.cleanup.runs import BATCH_ROWS, run_exclusively
from tasks_app.services.partitions import list_partitions
from tasks_app.signals import orphans_cleanup_requested

# Jumps from one device to the next through the primary key: costs devices, not positions.
_DEVICE_IDS = """
    WITH RECURSIVE found AS (
        (SELECT device_id FROM "{name}" ORDER BY device_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.device_id FROM "{name}" p WHERE p.device_id > found.device_id ORDER BY p.device_id LIMIT 1)
        FROM found WHERE found.device_id IS NOT NULL
    )
    SELECT device_id FROM found WHERE device_id IS NOT NULL
"""
_COUNT = 'SELECT count(*) FROM "{name}" WHERE device_id = ANY(%s)'
_DELETE_BATCH = """
    WITH batch AS (
        SELECT device_id, fix_time FROM "{name}"
        WHERE device_id = %s AND fix_time > %s ORDER BY fix_time LIMIT %s
    ), gone AS (
        DELETE FROM "{name}" p USING batch b WHERE p.device_id = b.device_id AND p.fix_time = b.fix_time RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone), max(fix_time) FROM batch
"""


def remove_orphaned_data(*, now: datetime, dry_run: bool = False) -> dict[str, Any]:
    """Remove positions of devices that no longer exist, and ask the other packages to remove their own orphans.

    Returns positions, what each other package counted under its own names, rows (their sum), seconds.
    Raises JobCancelled.
    """

    def work() -> dict[str, Any]:
        counts = {"positions": _remove_orphaned_positions(dry_run)}
        for answer in _ask_other_packages(now, dry_run):
            counts.update(answer)
        return {"dry_run": dry_run, **counts, "rows": sum(counts.values())}

    return run_exclusively("orphaned_data", work)


def _ask_other_packages(now: datetime, dry_run: bool) -> list[dict[str, int]]:
    answers: list[Any] = orphans_cleanup_requested.send(sender="tasks_app", now=now, dry_run=dry_run)
    return [answer for _receiver, answer in answers if answer]


def _remove_orphaned_positions(dry_run: bool) -> int:
    partitions = list_partitions()
    rows = 0
    for number, (name, _day) in enumerate(partitions, start=1):
        current_job().raise_if_cancelled()
        device_ids = _orphaned_device_ids(name)
        rows += _count(name, device_ids) if dry_run else sum(_delete(name, device_id) for device_id in device_ids)
        current_job().progress(number, len(partitions), name)
    return rows


def _orphaned_device_ids(name: str) -> list[int]:
    """Devices come before their positions: who is missing after the positions were seen was deleted, not just made."""
    with connection.cursor() as cursor:
        cursor.execute(_DEVICE_IDS.format(name=name))
        stored = {device_id for (device_id,) in cursor.fetchall()}
    return sorted(stored - set(Device.objects.filter(pk__in=stored).values_list("pk", flat=True)))


def _count(name: str, device_ids: list[int]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(name=name), [device_ids])
        return int(cursor.fetchone()[0])


def _delete(name: str, device_id: int) -> int:
    deleted, after = 0, datetime.min.replace(tzinfo=UTC)
    while after is not None:
        current_job().raise_if_cancelled()
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_BATCH.format(name=name), [device_id, after, BATCH_ROWS])
            count, after = cursor.fetchone()
        deleted += count
    return deleted
