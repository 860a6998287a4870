"""Storing rows of positions: each (device, fix time) once, however often it is sent."""

from __future__ import annotations

import io
from datetime import timedelta

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import DatabaseError, connection

from tasks_app.services.binary_copy import FIX_STAGING, POSTGRES_EPOCH_US, copy_stream
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions
from tasks_app.services.positions.columns import EPOCH, FixColumns
from tasks_app.services.transactions import sqlstate

_CHECK_VIOLATION = "23514"
_DAY_US = 86_400_000_000

# The columns of a row in the order of `copy_rows`; absent quantities are NaN there.
COPY_COLUMNS = (
    *("device_id", "fix_time", "received_at"),
    *("latitude", "longitude", "altitude_meters", "speed_kph", "course_degrees", "accuracy_meters"),
    "attributes",
)
_COPY = f"COPY {FIX_STAGING} ({', '.join(COPY_COLUMNS)}) FROM STDIN (FORMAT binary)"
_INSERT = f"""
    INSERT INTO tasks_app_position ({", ".join(COPY_COLUMNS)})
    SELECT device_id, fix_time, received_at, latitude, longitude, NULLIF(altitude_meters, 'NaN'),
           NULLIF(speed_kph, 'NaN'), NULLIF(course_degrees, 'NaN'), NULLIF(accuracy_meters, 'NaN'), attributes
    FROM {FIX_STAGING}
    ON CONFLICT DO NOTHING
    RETURNING device_id, fix_time
"""  # noqa: S608 - constant column names


def insert_new(columns: FixColumns) -> npt.NDArray[np.bool_]:
    """Store the rows that are not stored yet; True, shape (n,), for those that were stored now.

    Their devices' states are locked: `lock_states` emptied the staging table.
    """
    if not len(columns):
        return np.zeros(0, dtype=np.bool_)
    rows = copy_rows(columns)
    with connection.cursor() as cursor:
        cursor.copy_expert(_COPY, io.BytesIO(rows))
        cursor.execute(_INSERT)
        if cursor.rowcount == len(columns):
            return np.ones(len(columns), dtype=np.bool_)
        stored = set(cursor.fetchall())
    pks = columns.device_pks[columns.device].tolist()
    keys = zip(pks, columns.times_us.tolist(), strict=True)
    return np.array([(pk, EPOCH + timedelta(microseconds=time_us)) in stored for pk, time_us in keys], dtype=np.bool_)


def copy_rows(columns: FixColumns) -> bytes:
    """The rows as a binary COPY stream of COPY_COLUMNS: NaN where a quantity is absent, NULL for empty attributes."""
    encode = msgspec.json.Encoder().encode
    integers = (
        columns.device_pks[columns.device],
        columns.times_us - POSTGRES_EPOCH_US,
        columns.received_us - POSTGRES_EPOCH_US,
    )
    floats = (columns.latitudes, columns.longitudes, columns.altitudes, columns.speeds, columns.courses)
    texts = [encode(one) if one else None for one in columns.attributes]
    return copy_stream((*integers, *floats, columns.accuracies), texts)


def prepare_partitions(times_us: npt.NDArray[np.int64]) -> None:
    """Make sure that fixes of these times find their partition."""
    days = np.unique(times_us // _DAY_US).tolist()
    ensure_partitions((EPOCH + timedelta(days=day)).date() for day in days)


def is_missing_partition(error: DatabaseError) -> bool:
    """True when a row found no partition (which is then looked for anew): the one check violation without a name."""
    diagnostics = getattr(error.__cause__, "diag", None)
    missing = sqlstate(error) == _CHECK_VIOLATION and diagnostics is not None and not diagnostics.constraint_name
    if missing:
        forget_known_partitions()
    return missing
