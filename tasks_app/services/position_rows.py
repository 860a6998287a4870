"""Storing rows of positions: each (device, fix time) once, whoever sends it and however often."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
from django.db import DatabaseError, connection

from tasks_app.services.fix_columns import COPY_COLUMNS, FixColumns, copy_rows
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions
from tasks_app.services.transactions import sqlstate

_CHECK_VIOLATION = "23514"
_DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One staging table per connection instead of one per batch: making a table costs more than filling it.
_STAGING = """
    CREATE TEMP TABLE IF NOT EXISTS fix_staging (
        device_id bigint, fix_time timestamptz, received_at timestamptz,
        latitude float8, longitude float8, altitude_meters float8, speed_kph float8, course_degrees float8,
        accuracy_meters float8, attributes jsonb
    ) ON COMMIT DELETE ROWS;
    DELETE FROM fix_staging
"""
_COPY = f"COPY fix_staging ({', '.join(COPY_COLUMNS)}) FROM STDIN (FORMAT binary)"
_INSERT = f"""
    INSERT INTO tasks_app_position ({", ".join(COPY_COLUMNS)})
    SELECT device_id, fix_time, received_at, latitude, longitude, NULLIF(altitude_meters, 'NaN'),
           NULLIF(speed_kph, 'NaN'), NULLIF(course_degrees, 'NaN'), NULLIF(accuracy_meters, 'NaN'), attributes
    FROM fix_staging
    ON CONFLICT DO NOTHING
    RETURNING device_id, fix_time
"""  # noqa: S608 - constant column names


def insert_new(columns: FixColumns) -> npt.NDArray[np.bool_]:
    """Store the rows that are not stored yet; True, shape (n,), for those that were stored now."""
    rows = copy_rows(columns)
    with connection.cursor() as cursor:
        cursor.execute(_STAGING)
        cursor.copy_expert(_COPY, io.BytesIO(rows))
        cursor.execute(_INSERT)
        if cursor.rowcount == len(columns):
            return np.ones(len(columns), dtype=np.bool_)
        stored = set(cursor.fetchall())
    pks = columns.device_pks[columns.device].tolist()
    keys = zip(pks, columns.times_us.tolist(), strict=True)
    return np.array([(pk, _EPOCH + timedelta(microseconds=time_us)) in stored for pk, time_us in keys], dtype=np.bool_)


def prepare_partitions(times_us: npt.NDArray[np.int64]) -> None:
    """Make sure that fixes of these times find their partition."""
    days = np.unique(times_us // _DAY_US).tolist()
    ensure_partitions((_EPOCH + timedelta(days=day)).date() for day in days)


def is_missing_partition(error: DatabaseError) -> bool:
    """True when a row found no partition (which is then looked for anew): the one check violation without a name."""
    diagnostics = getattr(error.__cause__, "diag", None)
    missing = sqlstate(error) == _CHECK_VIOLATION and diagnostics is not None and not diagnostics.constraint_name
    if missing:
        forget_known_partitions()
    return missing
