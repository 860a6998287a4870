"""Reads of stored positions as numpy columns: what statistics and reports compute from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.models import Position
from tasks_app.queries.replica import reading_connection
from tasks_app.utils.copying import copy

FloatArray = npt.NDArray[np.float64]

_POSTGRES_EPOCH_SECONDS = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format": 19 bytes before the rows, 2 after them.
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
# Each column as an expression that is NaN where the quantity is not known.
_QUANTITIES = {
    "latitude": "latitude",
    "longitude": "longitude",
    "speed_kph": "COALESCE(speed_kph, 'NaN')",
    "course_degrees": "COALESCE(course_degrees, 'NaN')",
    "altitude_meters": "COALESCE(altitude_meters, 'NaN')",
    "accuracy_meters": "COALESCE(accuracy_meters, 'NaN')",
    "ignition": """CASE attributes -> 'ignition' WHEN 'true' THEN 1.0::float8 WHEN 'false' THEN 0.0::float8
        ELSE 'NaN'::float8 END""",
}
# Numbers that devices send beside their place, under the names of Traccar: percent, liters, percent, liters.
ATTRIBUTES = {"battery_percent": "batteryLevel", "fuel": "fuel", "fuel_level": "fuelLevel", "fuel_used": "fuelUsed"}
_ATTRIBUTE = """CASE WHEN jsonb_typeof(attributes -> '{key}') = 'number' THEN (attributes ->> '{key}')::float8
    ELSE 'NaN'::float8 END"""
_COPY = """
    COPY (
        SELECT fix_time, {columns} FROM tasks_app_position
        WHERE device_id = %s AND fix_time >= %s AND fix_time < %s {condition} ORDER BY fix_time
    ) TO STDOUT (FORMAT binary)
"""
# The last condition is known before the plan is made, and leaves out whole partitions.
_COPY_SEVERAL = """
    COPY (
        SELECT device_id, fix_time, {columns} FROM tasks_app_position
        JOIN unnest(%s::bigint[], %s::timestamptz[]) AS wanted (pk, since) ON device_id = pk AND fix_time >= since
        WHERE fix_time >= %s ORDER BY device_id, fix_time
    ) TO STDOUT (FORMAT binary)
"""


@dataclass(frozen=True, slots=True)
class Track:
    """The stored fixes of one device in time order. Arrays have shape (n,); NaN where a quantity is not known.

    `times_seconds` since 1970 (UTC), degrees, km/h, meters; `ignition` is 1, 0 or NaN.
    """

    times_seconds: FloatArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds_kph: FloatArray
    courses_degrees: FloatArray
    altitudes_meters: FloatArray
    accuracies_meters: FloatArray
    ignition: FloatArray

    def __len__(self) -> int:
        return len(self.times_seconds)


def positions_between(device_id: int, start: datetime, end: datetime, limit: int) -> list[Position]:
    """Return the stored positions of a device in `[start, end)` in time order; the first `limit`."""
    stored = Position.objects.filter(device_id=device_id, fix_time__gte=start, fix_time__lt=end)
    return list(stored.order_by("fix_time")[:limit])


def track(device_id: int, start: datetime, end: datetime) -> Track:
    """The fixes of a device (primary key) with `start <= fix_time < end` (aware datetimes), in one read.

    Takes some 100 bytes of memory per fix while reading, 64 afterwards.
    """
    times, columns = _read(_QUANTITIES, device_id, start, end)
    return Track(times, *columns)


def single_fix(seconds: float, latitude: float, longitude: float, speed_kph: float, ignition: float) -> Track:
    """A track of one fix, of which the rest is not known; NaN for what is not known of these."""
    values = (seconds, latitude, longitude, speed_kph, np.nan, np.nan, np.nan, ignition)
    return Track(*(np.array([value], dtype=np.float64) for value in values))


def joined(first: Track, then: Track) -> Track:
    """Two tracks of a device one after the other."""
    names = [field.name for field in fields(Track)]
    return Track(*(np.concatenate([getattr(first, name), getattr(then, name)]) for name in names))


def track_with(device_id: int, start: datetime, end: datetime, name: str) -> tuple[Track, FloatArray]:
    """As `track`, with one of the ATTRIBUTES, NaN where it was not sent."""
    times, columns = _read({**_QUANTITIES, name: _ATTRIBUTE.format(key=ATTRIBUTES[name])}, device_id, start, end)
    return Track(times, *columns[:-1]), columns[-1]


def sent_numbers(
    device_id: int, start: datetime, end: datetime, names: Sequence[str]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """The times of the fixes that say any of these ATTRIBUTES, and what they say, NaN where one of them was not sent."""
    keys = [ATTRIBUTES[name] for name in names]
    quantities = {name: _ATTRIBUTE.format(key=ATTRIBUTES[name]) for name in names}
    times, columns = _read(quantities, device_id, start, end, "AND attributes ?| %s", [keys])
    return times, dict(zip(names, columns, strict=True))


def tracks_since(wanted: Sequence[tuple[int, datetime]]) -> dict[int, Track]:
    """The fixes of several devices (primary keys) from a time of each on, in one read. Devices without any are absent."""
    if not wanted:
        return {}
    names = list(_QUANTITIES)
    row = np.dtype([("count", ">i2"), *_field("device_id", ">i8"), *_field("fix_time", ">i8"), *_fields(names)])
    devices, times = [pk for pk, _ in wanted], [at for _, at in wanted]
    statement = _COPY_SEVERAL.format(columns=", ".join(_QUANTITIES.values()))
    rows = _copied(statement, [devices, times, min(times)], row)
    pks, starts = np.unique(rows["device_id"], return_index=True)
    parts = zip(pks.tolist(), np.split(rows, starts[1:]), strict=True)
    return {pk: Track(_seconds(part), *(part[name].astype(np.float64) for name in names)) for pk, part in parts}


def _read(
    quantities: Mapping[str, str],
    device_id: int,
    start: datetime,
    end: datetime,
    condition: str = "",
    parameters: Sequence[Any] = (),
) -> tuple[FloatArray, list[FloatArray]]:
    """Times in seconds since 1970 and these quantities of a device's fixes. The expressions are constants of this module."""
    row = np.dtype([("count", ">i2"), *_field("fix_time", ">i8"), *_fields(quantities)])
    statement = _COPY.format(columns=", ".join(quantities.values()), condition=condition)
    rows = _copied(statement, [device_id, start, end, *parameters], row)
    return _seconds(rows), [rows[name].astype(np.float64) for name in quantities]


def _copied(statement: str, parameters: Sequence[Any], row: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """The rows of a COPY in binary format."""
    buffer = io.BytesIO()
    with reading_connection().cursor() as cursor:
        copy(cursor, cursor.mogrify(statement, parameters), buffer)
    return np.frombuffer(buffer.getbuffer()[_HEADER_BYTES:-_TRAILER_BYTES], dtype=row)


def _field(name: str, kind: str) -> list[tuple[str, str]]:
    """A column of the format: its length in bytes, then its value."""
    return [(f"{name}_length", ">i4"), (name, kind)]


def _fields(names: Iterable[str]) -> list[tuple[str, str]]:
    return [part for name in names for part in _field(name, ">f8")]


def _seconds(rows: npt.NDArray[np.void]) -> FloatArray:
    """Their times in seconds since 1970."""
    return rows["fix_time"].astype(np.float64) / 1e6 + _POSTGRES_EPOCH_SECONDS
