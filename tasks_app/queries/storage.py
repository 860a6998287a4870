"""Reads about how much the database holds, and when that will be too much."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection

from tasks_app.models import StorageSample
from tasks_app.queries.retention import storage_budget_bytes
from tasks_app.queries.storage_forecast import StorageForecast, TableSize, forecast

HISTORY_DAYS = 90

# A partition counts for the table it belongs to.
_SIZES = """
    SELECT coalesce(parent.relname, c.relname), sum(greatest(c.reltuples, pg_stat_get_live_tuples(c.oid), 0))::bigint,
           sum(pg_total_relation_size(c.oid))::bigint
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace GROUP BY 1 ORDER BY 1
"""


def table_sizes(day: date) -> list[TableSize]:
    """Every table as it is now, under the name of `day`; rows as PostgreSQL last counted them."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return [TableSize(day, *row) for row in cursor.fetchall()]


def database_bytes() -> int:
    """The size of the whole database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def storage_forecast(*, now: datetime) -> StorageForecast:
    """The sizes of now and of the days before, and how long the budget lasts."""
    samples = StorageSample.objects.filter(day__gt=now.date() - timedelta(days=HISTORY_DAYS), day__lt=now.date())
    known = [TableSize(row.day, row.table, row.rows, row.size_bytes) for row in samples]
    return forecast(known + table_sizes(now.date()), size_bytes=database_bytes(), budget_bytes=storage_budget_bytes())
