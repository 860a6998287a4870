"""Cells as bytes, a column of a chunk at a time, for the text formats.

Python's own formatting of a number costs some 400 ns; a JSON encoder writes a whole list of them in a third of that,
and where the numbers of a chunk lie close together (speeds, courses) each distinct one is written only once. Every
function returns one bytes per row: `before + text + after`, or `empty` where the cell is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from reports_app.table import NO_TIME, Coded

Cells = Sequence[bytes]
Int64Array = npt.NDArray[np.int64]

MICROSECONDS_PER_SECOND = 1_000_000
_SECONDS_PER_DAY = 86_400
_QUARTER_HOUR_SECONDS = 900
_EXACT = 2.0**53

_encode = msgspec.json.Encoder().encode


def number_cells(
    values: npt.NDArray[np.float64], decimals: int, *, before: bytes = b"", after: bytes = b"", empty: bytes = b""
) -> Cells:
    """Numbers with at most `decimals` decimals and a point, never in exponents below 1e16. NaN is an empty cell."""
    scaled = np.rint(values * 10.0**decimals)
    known = scaled[~np.isnan(scaled)]
    if not len(known):
        return [empty] * len(values)
    if not (np.abs(known) < _EXACT).all():
        return [before + repr(value).encode() + after if value == value else empty for value in values.tolist()]
    low, high = int(known.min()), int(known.max())
    if high - low < len(values) // 2:
        return _looked_up(scaled, low, high, decimals, before, after, empty)
    return _written(_shown(scaled, decimals), before, after, empty)


def coded_cells(data: Coded, write: Callable[[str], bytes], *, empty: bytes = b"") -> Cells:
    """Texts that come again and again, each written once."""
    written = np.array([*map(write, data.values), empty], dtype=object)  # code -1 is the last one
    return written[data.codes].tolist()


def text_cells(data: Sequence[str | None] | Coded, write: Callable[[str], bytes], *, empty: bytes = b"") -> Cells:
    """Texts as `write` writes each."""
    if isinstance(data, Coded):
        return coded_cells(data, write, empty=empty)
    remembered = lru_cache(maxsize=1024)(write)
    return [empty if text is None else remembered(text) for text in data]


def time_cells(
    timestamps: Int64Array, zone: ZoneInfo | None, *, before: bytes = b"", after: bytes = b"", empty: bytes = b""
) -> Cells:
    """Microseconds since 1970 as ISO 8601: in UTC with a Z, or the wall clock of `zone` with its offset. Milliseconds
    are written where there are any."""
    if not len(timestamps):
        return []
    is_empty, seconds = timestamps == NO_TIME, timestamps // MICROSECONDS_PER_SECOND
    seconds = np.where(is_empty, 0, seconds)
    offsets = np.zeros(len(seconds), dtype=np.int64) if zone is None else utc_offsets(seconds, zone)
    tails = {offset: (_offset_text(offset) if zone else b"Z") + after for offset in np.unique(offsets).tolist()}
    width = len(before) + 19 + max(map(len, tails.values()), default=0)
    if len(set(map(len, tails.values()))) > 1:  # an offset with seconds, as before 1900
        return [_one_time(timestamp, zone, before, after, empty) for timestamp in timestamps.tolist()]
    found = np.empty((len(seconds), width), dtype=np.uint8)
    _write_times(found, seconds + offsets, before)
    found[:, len(before) + 19 :] = _rows_of(offsets, tails)
    cells = found.view(f"S{width}").ravel().tolist()
    for index in np.flatnonzero(is_empty | (timestamps % MICROSECONDS_PER_SECOND != 0)).tolist():
        cells[index] = _one_time(int(timestamps[index]), zone, before, after, empty)
    return cells


def date_cells(days: Int64Array, *, before: bytes = b"", after: bytes = b"", empty: bytes = b"") -> Cells:
    """Days since 1970 as ISO 8601."""
    write = lru_cache(maxsize=1024)(lambda day: before + _date_of(day).isoformat().encode() + after)
    return [empty if day == NO_TIME else write(day) for day in days.tolist()]


def utc_offsets(seconds: Int64Array, zone: ZoneInfo) -> Int64Array:
    """Return the offsets of the zone from UTC in seconds, at each of these epoch seconds.

    They are looked up once for each quarter of an hour. Within one they change hardly ever: in Newfoundland clocks were
    changed at a minute past midnight.
    """
    quarters, places = np.unique(seconds // _QUARTER_HOUR_SECONDS, return_inverse=True)
    begins, ends = (
        np.array([_offset_seconds(quarter * _QUARTER_HOUR_SECONDS, zone) for quarter in edges], dtype=np.int64)
        for edges in (quarters.tolist(), (quarters + 1).tolist())
    )
    offsets = begins[places]
    for index in np.flatnonzero((begins != ends)[places]).tolist():
        offsets[index] = _offset_seconds(int(seconds[index]), zone)
    return offsets


def _looked_up(
    scaled: npt.NDArray[np.float64], low: int, high: int, decimals: int, before: bytes, after: bytes, empty: bytes
) -> Cells:
    whole = np.arange(low, high + 1, dtype=np.float64)
    table = np.array([*_written(_shown(whole, decimals), before, after, empty), empty], dtype=object)
    places = np.where(np.isnan(scaled), high - low + 1, scaled - low).astype(np.intp)
    return table[places].tolist()


def _shown(scaled: npt.NDArray[np.float64], decimals: int) -> list[Any]:
    """The numbers as Python's, whose shortest form has no more than these decimals; NaN is None after encoding."""
    if decimals == 0 and not np.isnan(scaled).any():
        return scaled.astype(np.int64).tolist()
    if decimals == 0:
        return [int(value) if value == value else None for value in scaled.tolist()]
    return (scaled / 10.0**decimals + 0.0).tolist()  # + 0.0: never -0.0


def _written(values: list[Any], before: bytes, after: bytes, empty: bytes) -> Cells:
    text = _encode(values)[1:-1]
    if b"e" in text:  # 1e-06
        text = b",".join(b"null" if value is None or value != value else f"{value:f}".encode() for value in values)
    if not before and not after:
        cells = text.split(b",")
    else:
        cells = (before + text.replace(b",", after + b"\n" + before) + after).split(b"\n")
    if b"null" not in text:
        return cells
    missing = before + b"null" + after
    return [empty if cell == missing else cell for cell in cells]


def _write_times(found: npt.NDArray[np.uint8], wall_seconds: Int64Array, before: bytes) -> None:
    """`before` and 2026-03-01T12:00:00 into the first columns of `found`."""
    start = len(before)
    found[:, :start] = np.frombuffer(before, dtype=np.uint8)
    days, clock = wall_seconds // _SECONDS_PER_DAY, wall_seconds % _SECONDS_PER_DAY
    unique_days, places = np.unique(days, return_inverse=True)
    dates = np.array([_date_of(day).isoformat().encode() for day in unique_days.tolist()], dtype="S10")
    found[:, start : start + 10] = dates.view(np.uint8).reshape(-1, 10)[places]
    found[:, start + 10] = ord("T")
    found[:, start + 13] = found[:, start + 16] = ord(":")
    for place, value in ((11, clock // 3600), (14, clock // 60 % 60), (17, clock % 60)):
        found[:, start + place] = value // 10 + ord("0")
        found[:, start + place + 1] = value % 10 + ord("0")


def _rows_of(values: Int64Array, texts: dict[int, bytes]) -> npt.NDArray[np.uint8]:
    unique, places = np.unique(values, return_inverse=True)
    rows = b"".join(texts[value] for value in unique.tolist())
    return np.frombuffer(rows, dtype=np.uint8).reshape(len(unique), -1)[places]


def _one_time(timestamp: int, zone: ZoneInfo | None, before: bytes, after: bytes, empty: bytes) -> bytes:
    if timestamp == NO_TIME:
        return empty
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=timestamp)).astimezone(zone or UTC)
    text = local.isoformat(timespec="milliseconds" if local.microsecond else "seconds")
    return before + (text.replace("+00:00", "Z") if zone is None else text).encode() + after


def _date_of(day: int) -> date:
    return date.fromordinal(day + 719_163)  # 1970-01-01


@lru_cache(maxsize=65_536)
def _offset_seconds(seconds: int, zone: ZoneInfo) -> int:
    timestamp = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    offset = timestamp.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _offset_text(offset_seconds: int) -> bytes:
    """+00:00, -03:00, or with seconds where a zone has them."""
    sign, size = ("-" if offset_seconds < 0 else "+"), abs(offset_seconds)
    seconds = f":{size % 60:02}" if size % 60 else ""
    return f"{sign}{size // 3600:02}:{size // 60 % 60:02}{seconds}".encode()
