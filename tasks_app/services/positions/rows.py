"""Storing rows of positions: each (device, fix time) once, however often it is sent."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from django.db import DatabaseError, connection

from tasks_app.engine.database import sqlstate
from tasks_app.services.binary_copy import FIX_STAGING, POSTGRES_EPOCH_US, copy_stream, copy_stream_with_nulls
from tasks_app.services.partitions import ensure_partitions, forget_known_partitions
from tasks_app.services.positions.columns import EPOCH, FixColumns
from tasks_app.utils.copying import copy

_CHECK_VIOLATION, _UNIQUE_VIOLATION = "23514", "23505"
_DAY_US = 86_400_000_000

# The columns of a row in the order of `copy_rows`; absent quantities are NaN there.
COPY_COLUMNS = (
    *("device_id", "fix_time", "received_at"),
    *("latitude", "longitude", "altitude_meters", "speed_kph", "course_degrees", "accuracy_meters"),
    "attributes",
)
_NAMES = ", ".join(COPY_COLUMNS)
_COPY_STRAIGHT = f"COPY tasks_app_position ({_NAMES}) FROM STDIN (FORMAT binary)"
_COPY = f"COPY {FIX_STAGING} ({_NAMES}) FROM STDIN (FORMAT binary)"
_INSERT = f"""
    INSERT INTO tasks_app_position ({_NAMES})
    SELECT device_id, fix_time, received_at, latitude, longitude, NULLIF(altitude_meters, 'NaN'),
           NULLIF(speed_kph, 'NaN'), NULLIF(course_degrees, 'NaN'), NULLIF(accuracy_meters, 'NaN'), attributes
    FROM {FIX_STAGING}
    ON CONFLICT DO NOTHING
    RETURNING device_id, fix_time
"""  # noqa: S608 - constant column names


class RowWriter:
    """Stores rows in a transaction, and says whether a failed one is to be run again.

    Rows that cannot be there yet go straight into the table: half the work of the database of taking them over from a staging
    table, which those that may be duplicates need.
    """

    def __init__(self) -> None:
        self._is_straight = True

    def insert_new(self, columns: FixColumns, newer: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Store the rows that are not stored yet; True, shape (n,), for those that were stored now.

        `newer` (n,) are the rows later than all that is known of their devices, whose states are locked: `lock_states` emptied
        the staging table.
        """
        if not self._is_straight or not newer.any():
            return _insert_staged(columns)
        is_all = bool(newer.all())
        rows = _straight_rows(columns if is_all else columns.select(newer))
        with connection.cursor() as cursor:
            copy(cursor, _COPY_STRAIGHT, io.BytesIO(rows))
        stored = newer.copy()
        if not is_all:
            stored[~newer] = _insert_staged(columns.select(~newer))
        return stored

    def should_repeat(self, error: DatabaseError) -> bool:
        """True after an error that the next attempt does not meet: a row found no partition, or is there although it is newer.

        The latter is a device whose state is behind its positions, as after a restored backup.
        """
        if sqlstate(error) == _UNIQUE_VIOLATION and self._is_straight:
            self._is_straight = False
            return True
        return _is_missing_partition(error)


def _insert_staged(columns: FixColumns) -> npt.NDArray[np.bool_]:
    if not len(columns):
        return np.zeros(0, dtype=np.bool_)
    with connection.cursor() as cursor:
        copy(cursor, _COPY, io.BytesIO(copy_rows(columns)))
        cursor.execute(_INSERT)
        if cursor.rowcount == len(columns):
            return np.ones(len(columns), dtype=np.bool_)
        stored = set(cursor.fetchall())
    pks = columns.device_pks[columns.device].tolist()
    keys = zip(pks, columns.times_us.tolist(), strict=True)
    return np.array([(pk, EPOCH + timedelta(microseconds=time_us)) in stored for pk, time_us in keys], dtype=np.bool_)


def copy_rows(columns: FixColumns) -> bytes:
    """The rows as a binary COPY stream of COPY_COLUMNS: NaN where a quantity is absent, NULL for empty attributes."""
    return copy_stream(*_values_of(columns))


def _straight_rows(columns: FixColumns) -> bytes:
    """The rows as `copy_rows` has them, NULL where a quantity is absent."""
    return copy_stream_with_nulls(*_values_of(columns))


def _values_of(columns: FixColumns) -> tuple[list[npt.NDArray[Any]], list[bytes | None]]:
    encode = msgspec.json.Encoder().encode
    integers = (
        columns.device_pks[columns.device],
        columns.times_us - POSTGRES_EPOCH_US,
        columns.received_us - POSTGRES_EPOCH_US,
    )
    floats = (columns.latitudes, columns.longitudes, columns.altitudes, columns.speeds, columns.courses)
    texts = [encode(one) if one else None for one in columns.attributes]
    return [*integers, *floats, columns.accuracies], texts


def prepare_partitions(times_us: npt.NDArray[np.int64]) -> None:
    """Make sure that fixes of these times find their partition."""
    days = np.unique(times_us // _DAY_US).tolist()
    ensure_partitions((EPOCH + timedelta(days=day)).date() for day in days)


def _is_missing_partition(error: DatabaseError) -> bool:
    """True when a row found no partition (which is then looked for anew): the one check violation without a name."""
    diagnostics = getattr(error.__cause__, "diag", None)
    missing = sqlstate(error) == _CHECK_VIOLATION and diagnostics is not None and not diagnostics.constraint_name
    if missing:
        forget_known_partitions()
    return missing
