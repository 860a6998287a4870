"""PostgreSQL's binary COPY format, made by numpy: no value becomes text here, none is parsed there.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": signature, flags, length of the extension; of each
row the number of its fields, of each field its length in bytes and its value, big-endian.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

# timestamptz counts microseconds from here.
POSTGRES_EPOCH_US = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"


def copy_stream(columns: Sequence[npt.NDArray[Any]], json_texts: Sequence[bytes | None]) -> bytes:
    """Rows of these columns (n,), then one of jsonb, None for NULL.

    int64 becomes bigint (or timestamptz), int32 integer, float64 float8, bool boolean; none of them is NULL.
    """
    return b"".join((_HEADER, *_rows(columns, json_texts), _TRAILER))


def copy_stream_with_nulls(columns: Sequence[npt.NDArray[Any]], json_texts: Sequence[bytes | None]) -> bytes:
    """Rows as those of `copy_stream`, NULL where a float is NaN. Rows with the same columns missing stand together."""
    missing = np.zeros(len(json_texts), dtype=np.int64)
    for number, column in enumerate(columns):
        if column.dtype.kind == "f":
            missing |= np.isnan(column).astype(np.int64) << number
    parts: list[bytes] = []
    for pattern in np.unique(missing).tolist():
        rows = np.flatnonzero(missing == pattern)
        some = [None if pattern >> number & 1 else column[rows] for number, column in enumerate(columns)]
        parts += _rows(some, [json_texts[row] for row in rows.tolist()])
    return b"".join((_HEADER, *parts, _TRAILER))


def _rows(columns: Sequence[npt.NDArray[Any] | None], json_texts: Sequence[bytes | None]) -> list[bytes]:
    """The rows without header and trailer, in parts; a column that is None is NULL in all of them."""
    dtype = _row_dtype(tuple("" if column is None else column.dtype.str for column in columns))
    rows = np.empty(len(json_texts), dtype=dtype)
    rows["count"] = len(columns) + 1
    for number, column in enumerate(columns):
        rows[f"length{number}"] = -1 if column is None else column.dtype.itemsize
        if column is not None:
            rows[f"value{number}"] = column
    raw, size = rows.tobytes(), dtype.itemsize
    parts = [b""] * (2 * len(rows))
    parts[0::2] = [raw[start : start + size] for start in range(0, len(raw), size)]
    parts[1::2] = [_NULL if text is None else _jsonb_field(text) for text in json_texts]
    return parts


@lru_cache(maxsize=64)
def _row_dtype(kinds: tuple[str, ...]) -> np.dtype[Any]:
    """The fixed part of a row; a column of kind "" is NULL: a length without a value."""
    fields = [("count", ">i2")]
    for number, kind in enumerate(kinds):
        fields.append((f"length{number}", ">i4"))
        if kind:
            fields.append((f"value{number}", ">" + kind[1:]))
    return np.dtype(fields)


def _jsonb_field(text: bytes) -> bytes:
    return (len(text) + 1).to_bytes(4, "big") + b"\x01" + text


def _named(table: str, columns: str) -> str:
    return f"{table}_{hashlib.sha256(columns.encode()).hexdigest()[:8]}"


# Temporary tables that COPY fills before a statement takes their rows over, one of each per session: making one costs more
# than filling it. They empty themselves with the transaction; a second batch in the same one deletes.
# A session that a pool keeps has those of former releases, too: their names say what their columns are.
_FIX_COLUMNS = """
    device_id bigint, fix_time timestamptz, received_at timestamptz,
    latitude float8, longitude float8, altitude_meters float8, speed_kph float8, course_degrees float8,
    accuracy_meters float8, attributes jsonb
"""
_STATE_COLUMNS = """
    device_id bigint, last_seen_at timestamptz, fix_time timestamptz, latitude float8, longitude float8,
    altitude_meters float8, speed_kph float8, course_degrees float8, accuracy_meters float8,
    is_speed_derived bool, is_moving bool, ignition int, odometer_meters float8, engine_seconds float8,
    version bigint, attributes jsonb
"""
FIX_STAGING = _named("fix_staging", _FIX_COLUMNS)
STATE_STAGING = _named("state_staging", _STATE_COLUMNS)
# Without a result: sent in front of another statement, it costs no round trip.
EMPTY_STAGING = f"""
    CREATE TEMP TABLE IF NOT EXISTS {FIX_STAGING} ({_FIX_COLUMNS}) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS {STATE_STAGING} ({_STATE_COLUMNS}) ON COMMIT DELETE ROWS;
    DELETE FROM {FIX_STAGING};
    DELETE FROM {STATE_STAGING};
"""  # noqa: S608 - constants
