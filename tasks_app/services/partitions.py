"""The daily partitions of the position table: made a week ahead, or when a day's first fix arrives, dropped whole by retention.

A day is a UTC day. A partition is created beside the table (`LIKE`) and then attached: that takes a lock on the parent
which does not hold up other writers, as `CREATE TABLE ... PARTITION OF` would.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from tasks_app.engine import current_job
from tasks_app.models import Position
from tasks_app.services.transactions import run_in_transaction

logger = logging.getLogger(__name__)

_PARENT = Position._meta.db_table
_NAME = re.compile(rf"{_PARENT}_(\d{{8}})")
# Any number that no other advisory lock of this database uses.
_LOCK_ID = 0x905_9A47
# Each new partition holds some ten locks until the commit; PostgreSQL's lock table has room for a few thousand.
_PER_TRANSACTION = 100
# Writers wait behind a lock of the whole table that waits itself, so no wait for it is longer than this.
LOCK_TIMEOUT_MS = 50
LOCK_ATTEMPTS = 12
_GOING, _REPLACEMENT = "_going", "_kept"

_known_days: set[date] = set()


def partition_name(day: date) -> str:
    """The table that holds the fixes of `day` (UTC)."""
    return f"{_PARENT}_{day:%Y%m%d}"


def ensure_partitions(days: Iterable[date | datetime]) -> list[date]:
    """Make sure that fixes of these UTC days can be stored; return the days whose partition was made now.

    Safe when several processes do it at once. Should the caller's transaction roll back, so do the partitions: an insert
    that finds none calls `forget_known_partitions` and comes back here.
    """
    missing = sorted({_utc_day(day) for day in days} - _known_days)
    created: list[date] = []
    for start in range(0, len(missing), _PER_TRANSACTION):
        created += _create(missing[start : start + _PER_TRANSACTION])
    _known_days.update(missing)
    return created


def ensure_upcoming_partitions(*, now: datetime) -> list[date]:
    """Make the partitions of today and the next settings.PARTITION_DAYS_AHEAD days before their first fix comes.

    Returns the days whose partition was made now. What the database has is looked up anew. A default partition, which
    the product never makes, is logged as an error.
    """
    forget_known_partitions()
    if name := default_partition():
        logger.error("%s is a default partition of %s: retention cannot drop what collects there", name, _PARENT)
    today = _utc_day(now)
    return ensure_partitions(today + timedelta(days=ahead) for ahead in range(settings.PARTITION_DAYS_AHEAD + 1))


def default_partition() -> str | None:
    """The name of the table's default partition, where someone added one: rows collect there and retention never drops it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_partitioned_table t JOIN pg_class c ON c.oid = t.partdefid"
            " WHERE t.partrelid = %s::regclass",
            [_PARENT],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def forget_known_partitions() -> None:
    """Look again next time: after an insert found no partition, someone dropped one this process knew."""
    _known_days.clear()


def list_partitions() -> list[tuple[str, date]]:
    """(table name, UTC day) of every partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY c.relname",
            [_PARENT],
        )
        names = [name for (name,) in cursor.fetchall()]
    return [(name, _day_of(name)) for name in names if _NAME.fullmatch(name)]


def drop_partition(name: str) -> None:
    """Drop one partition with all its fixes. Raises ValueError for a name that is not a partition's, and as below."""
    detach_partition(name, keep_table=False)


def detach_partition(
    name: str,
    *,
    may_go: Callable[[], bool] = lambda: True,
    replacement: str | None = None,
    keep_table: bool = True,
) -> str | None:
    """Take a partition out of the table, in one transaction; return its new name, or None where it may not go.

    Without `keep_table` it is dropped at once. `may_go` is asked once nobody writes any more. `replacement` is a table for
    the same day, with what stays of it. This needs the whole table for an instant. Behind a long read or write it gives
    up after LOCK_TIMEOUT_MS and tries again, since every writer queues up behind it meanwhile; raises OperationalError
    (55P03) after LOCK_ATTEMPTS, ValueError for a name that is not a partition's.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a partition of {_PARENT}.")

    def work() -> str | None:
        current_job().raise_if_cancelled()
        with connection.cursor() as cursor:
            return _detach(cursor, name, may_go, replacement, keep_table)

    going = run_in_transaction(work, max_attempts=LOCK_ATTEMPTS, backoff_seconds=0.02)
    if going and not replacement:
        _known_days.discard(_day_of(name))
    return going


def make_replacement(name: str) -> str:
    """Make an empty table that can take a partition's place, with its key and its bounds; return the name."""
    fresh, day = f"{name}{_REPLACEMENT}", _day_of(name)
    with connection.cursor() as cursor:
        cursor.execute(
            f'DROP TABLE IF EXISTS "{fresh}"; CREATE TABLE "{fresh}" (LIKE {_PARENT} INCLUDING ALL);'
            # Attaching a table that proves its bounds need not read it.
            f'ALTER TABLE "{fresh}" ADD CONSTRAINT bounds CHECK (fix_time >= {_midnight(day)}'
            f" AND fix_time < {_midnight(day + timedelta(days=1))})"
        )
    return fresh


def drop_replacements() -> None:
    """Drop unused replacements. For the caller that makes them only, never in parallel."""
    for name, _day in _tables_like(_REPLACEMENT):
        with connection.cursor() as cursor:
            cursor.execute(f'DROP TABLE "{name}"')


def going_name(name: str) -> str:
    """Name of a detached partition until it is dropped."""
    return f"{name}{_GOING}"


def list_going() -> list[tuple[str, date]]:
    """(table name, UTC day) of detached partitions not dropped yet: a run was killed in between, or goes on now."""
    return _tables_like(_GOING)


def drop_going(name: str) -> None:
    """Drop detached partitions: no lock of the table is needed."""
    if not name.endswith(_GOING) or not _NAME.match(name):
        raise ValueError(f"{name!r} was not a partition of {_PARENT}.")
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE IF EXISTS "{name}"')


def _utc_day(value: date | datetime) -> date:
    return value.astimezone(UTC).date() if isinstance(value, datetime) else value


def _day_of(name: str) -> date:
    return datetime.strptime(name[len(_PARENT) + 1 :][:8], "%Y%m%d").date()


def _tables_like(suffix: str) -> list[tuple[str, date]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            " AND relname ~ %s ORDER BY relname",
            [f"^{_PARENT}_[0-9]{{8}}{suffix}$"],
        )
        return [(name, _day_of(name)) for (name,) in cursor.fetchall()]


def _midnight(day: date) -> str:
    return f"'{day} 00:00:00+00'"


def _detach(
    cursor: Any, name: str, may_go: Callable[[], bool], replacement: str | None, keep_table: bool
) -> str | None:
    going = going_name(name)
    cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_ID])
    # The parent first, as writers do. Who has it before us commits rows and states together, so that a look after it
    # sees both.
    cursor.execute(f'LOCK TABLE ONLY {_PARENT}, ONLY "{name}" IN ACCESS EXCLUSIVE MODE')
    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    if not may_go():
        return None
    statements = [f'DROP TABLE "{name}"']
    if keep_table:
        statements = [
            f'ALTER TABLE {_PARENT} DETACH PARTITION "{name}"',
            f'ALTER TABLE "{name}" RENAME TO "{going}"',
            # So that the names are free for whatever takes this day's place.
            f'ALTER INDEX IF EXISTS "{name}_pkey" RENAME TO "{going}_pkey"',
        ]
    if replacement:
        statements += [
            f'ALTER TABLE "{replacement}" RENAME TO "{name}"',
            f'ALTER INDEX IF EXISTS "{replacement}_pkey" RENAME TO "{name}_pkey"',
            _attach_statement(_day_of(name)),
            f'ALTER TABLE "{name}" DROP CONSTRAINT bounds',
        ]
    cursor.execute(";".join(statements))
    return going


def _create(days: list[date]) -> list[date]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_ID])
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass AND c.relname = ANY(%s)",
            [_PARENT, [partition_name(day) for day in days]],
        )
        present = {name for (name,) in cursor.fetchall()}
        new_days = [day for day in days if partition_name(day) not in present]
        if new_days:
            cursor.execute(";".join(_create_statements(day) for day in new_days))
    return new_days


def _create_statements(day: date) -> str:
    """Names and dates come from `date` values, never from outside, so they may stand in the statement."""
    return (
        f'CREATE TABLE "{partition_name(day)}" (LIKE {_PARENT} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);'
        + _attach_statement(day)
    )


def _attach_statement(day: date) -> str:
    return (
        f'ALTER TABLE {_PARENT} ATTACH PARTITION "{partition_name(day)}"'
        f" FOR VALUES FROM ({_midnight(day)}) TO ({_midnight(day + timedelta(days=1))})"
    )
