"""Tending the tables: dead rows, fresh statistics, tables that someone holds."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, connections, transaction

from tasks_app.engine import PermanentError
from tasks_app.models import Event, Position
from tasks_app.services.cleanup.optimize import optimize_tables
from tasks_app.services.partitions import (
    partition_name,
)
from tests.support.retention import NOW, store

NIGHT = datetime(2026, 3, 10, 3, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_partitions")]


def dead_rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = %s", [table])
        return cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_optimizing_gives_dead_rows_back_and_says_so(device):
    table = Event._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    try:
        Event.objects.bulk_create([Event(device=device, kind="overspeed", occurred_at=NOW) for _ in range(3000)])
        Event.objects.all().delete()
        wait_until(lambda: dead_rows(table) >= 3000)
        would = optimize_tables(now=NOW, dry_run=True)
        assert dead_rows(table) >= 3000
        done = optimize_tables(now=NIGHT)
        report = next(entry for entry in done["optimized"] if entry["table"] == table)
        assert next(entry for entry in would["optimized"] if entry["table"] == table)["did"] == "vacuum"
        assert report["did"] == "vacuum"
        assert report["dead_rows_before"] >= 3000
        assert report["dead_rows_after"] == 0
        assert report["bytes_after"] <= report["bytes_before"]
        assert table not in {entry["table"] for entry in optimize_tables(now=NIGHT)["optimized"]}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


@pytest.mark.django_db(transaction=True)
def test_a_table_that_someone_holds_is_skipped_and_reported_so(device):
    store(device, NOW)
    name = partition_name(NOW.date())
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'LOCK TABLE "{name}" IN SHARE UPDATE EXCLUSIVE MODE')
            is_held.set()
            may_end.wait(60)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    try:
        done = _with_lock_timeout(lambda: optimize_tables(now=NIGHT))
    finally:
        may_end.set()
        holder.join()
    assert next(entry for entry in done["optimized"] if entry["table"] == name)["did"] == "skipped"


def _with_lock_timeout(work):
    """A wait for a lock fails the test instead of hanging it."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    try:
        return work()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@pytest.mark.django_db(transaction=True)
def test_optimizing_analyzes_what_never_was_and_the_parent_of_the_partitions(device):
    store(device, NOW)
    done = optimize_tables(now=NIGHT)
    assert partition_name(NOW.date()) in {entry["table"] for entry in done["optimized"]}
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [Position._meta.db_table])
        assert cursor.fetchone()[0] == 1


def test_optimizing_inside_a_transaction_fails_clearly():
    with pytest.raises(PermanentError, match="transaction"):
        optimize_tables(now=NIGHT)


def wait_until(is_true, seconds: float = 20) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=seconds)
    pause = threading.Event()
    while not is_true():
        assert datetime.now(UTC) < deadline, "it did not become true in time"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
        pause.wait(0.05)
