"""Retention of the audit: the one way out of the table, which the database guards (ADR 15)."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction


def prune_audit(before: datetime, most: int) -> int:
    """Remove up to `most` of the oldest entries older than `before`; return their number.

    The database refuses entries of the last day: raises InternalError for a later `before`.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT tasks_app_prune_audit(%s, %s)", [before, most])
        return int(cursor.fetchone()[0])
