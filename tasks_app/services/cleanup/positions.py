"""Retention of positions: whole days are dropped with their partition, so that it costs the same for any number."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.db import DatabaseError, connection

from tasks_app.engine import current_job
from tasks_app.models import DeviceState, Position
from tasks_app.services.cleanup.runs import BATCH_ROWS, cutoff, run_exclusively
from tasks_app.services.partitions import drop_partition, list_partitions
from tasks_app.services.transactions import LOCK_TIMEOUT, run_in_transaction, sqlstate

# Dropping locks the whole table for an instant. Rather than let writers queue up behind us we give up and try again.
_LOCK_TIMEOUT_MS = 100
_DROP_ATTEMPTS = 8

_POSITIONS, _STATES = Position._meta.db_table, DeviceState._meta.db_table
_IS_KEPT = f"EXISTS (SELECT FROM {_STATES} s WHERE s.device_id = p.device_id AND s.fix_time = p.fix_time)"
_COUNT = f'SELECT count(*) FROM "{{name}}" p WHERE NOT {_IS_KEPT}'  # noqa: S608 - as below
_HAS_KEPT = 'SELECT EXISTS (SELECT FROM {states} s JOIN "{name}" p USING (device_id, fix_time))'
_DELETE_BATCH = f"""
    WITH batch AS (
        SELECT device_id, fix_time FROM "{{name}}" p
        WHERE (device_id, fix_time) > (%s, %s) AND NOT {_IS_KEPT}
        ORDER BY device_id, fix_time LIMIT %s
    ), gone AS (
        DELETE FROM "{{name}}" p USING batch b
        WHERE p.device_id = b.device_id AND p.fix_time = b.fix_time
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM gone), device_id, fix_time FROM batch ORDER BY device_id DESC, fix_time DESC LIMIT 1
"""  # noqa: S608 - constant table names; {name} is a partition's, from the catalogue


def remove_old_positions(*, days_to_keep: int, now: datetime, dry_run: bool = False) -> dict[str, Any]:
    """Remove the positions of UTC days that ended `days_to_keep` days ago or earlier.

    Each device's last known position survives. Returns rows, bytes, partitions_dropped, positions_kept, postponed (names
    of partitions that were too busy to drop: next time), seconds. Raises InvalidLimit, JobCancelled.
    """
    oldest_kept_day = cutoff(now, days_to_keep).astimezone(UTC).date()
    return run_exclusively("old_positions", lambda: _remove_days_before(oldest_kept_day, dry_run))


def _remove_days_before(oldest_kept_day: date, dry_run: bool) -> dict[str, Any]:
    names = [name for name, day in list_partitions() if day < oldest_kept_day]
    done: dict[str, Any] = {"dry_run": dry_run, "rows": 0, "bytes": 0, "partitions_dropped": 0, "postponed": []}
    done["positions_kept"] = 0
    for number, name in enumerate(names, start=1):
        current_job().raise_if_cancelled()
        _remove_day(name, done, dry_run)
        current_job().progress(number, len(names), name)
    return done


def _remove_day(name: str, done: dict[str, Any], dry_run: bool) -> None:
    rows, size, has_kept = (
        _number(_COUNT, name),
        _number("SELECT pg_total_relation_size('{name}')", name),
        _has_kept(name),
    )
    if has_kept:
        done["rows"] += rows if dry_run else _delete_rows(name)
        done["positions_kept"] += _number('SELECT count(*) FROM "{name}"', name) - (rows if dry_run else 0)
        return
    if not dry_run and not _drop(name):
        done["postponed"].append(name)
        return
    done["rows"] += rows
    done["bytes"] += size
    done["partitions_dropped"] += 1


def _number(sql: str, name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.format(name=name))
        return int(cursor.fetchone()[0])


def _has_kept(name: str) -> bool:
    return bool(_number(_HAS_KEPT.format(states=_STATES, name="{name}"), name))


def _drop(name: str) -> bool:
    """Drop the partition unless a last known position came into it meanwhile, or writers keep us from its lock."""

    def work() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {_LOCK_TIMEOUT_MS}")
            # The parent first, as writers do. Who has it before us commits rows and states together, so the look after
            # it sees both.
            cursor.execute(f"LOCK TABLE ONLY {_POSITIONS} IN ACCESS EXCLUSIVE MODE")
        if _has_kept(name):
            return False
        drop_partition(name)
        return True

    try:
        return run_in_transaction(work, max_attempts=_DROP_ATTEMPTS, backoff_seconds=0.05)
    except DatabaseError as error:
        if sqlstate(error) != LOCK_TIMEOUT:
            raise
        return False


def _delete_rows(name: str) -> int:
    """Delete all but the last known positions, in key order, one short transaction per batch."""
    deleted, device_id, fix_time = 0, 0, datetime.min.replace(tzinfo=UTC)
    while True:
        current_job().raise_if_cancelled()
        with connection.cursor() as cursor:
            cursor.execute(_DELETE_BATCH.format(name=name), [device_id, fix_time, BATCH_ROWS])
            row = cursor.fetchone()
        if row is None:
            return deleted
        deleted, device_id, fix_time = deleted + row[0], row[1], row[2]
