"""The daily partitions of the position table: made a week ahead, or when a day's first fix arrives, dropped whole by retention.

A day is a UTC day. A partition is created beside the table (`LIKE`) and then attached: that takes a lock on the parent
which does not hold up other writers, as `CREATE TABLE ... PARTITION OF` would.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from tasks_app.models import Position
from tasks_app.services.transactions import run_in_transaction

logger = logging.getLogger(__name__)

_PARENT = Position._meta.db_table
_NAME = re.compile(rf"{_PARENT}_(\d{{8}})")
# Any number that no other advisory lock of this database uses.
_LOCK_ID = 0x905_9A47
# Each new partition holds some ten locks until the commit; PostgreSQL's lock table has room for a few thousand.
_PER_TRANSACTION = 100

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
    return [(name, datetime.strptime(found[1], "%Y%m%d").date()) for name in names if (found := _NAME.fullmatch(name))]


def drop_partition(name: str) -> None:
    """Drop one partition with all its fixes. Raises ValueError for a name that is not a partition's.

    Dropping needs the whole table for an instant. Behind a long read it gives up after a second and tries again, since
    every writer would queue up behind it; raises OperationalError after five tries.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a partition of {_PARENT}.")
    run_in_transaction(lambda: _drop(name), backoff_seconds=0.25)
    _known_days.discard(datetime.strptime(name[-8:], "%Y%m%d").date())


def _utc_day(value: date | datetime) -> date:
    return value.astimezone(UTC).date() if isinstance(value, datetime) else value


def _drop(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_ID])
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        cursor.execute(f'DROP TABLE IF EXISTS "{name}"')
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


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
    name, until = partition_name(day), day + timedelta(days=1)
    return (
        f'CREATE TABLE "{name}" (LIKE {_PARENT} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);'
        f'ALTER TABLE {_PARENT} ATTACH PARTITION "{name}"'
        f" FOR VALUES FROM ('{day} 00:00:00+00') TO ('{until} 00:00:00+00')"
    )
