"""CSV with a header line, comma, semicolon or tab separated, UTF-8, read row by row.

Columns (any case, any order, others are ignored): device_id, timestamp (ISO-8601 with zone, epoch seconds or
milliseconds), latitude | lat, longitude | lon | lng (degrees), altitude_m | altitude (m), speed_kph | speed (km/h),
course (degrees), accuracy_m | accuracy (m). An empty field means not sent.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import lines, opened
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.validate import InvalidFix, make_fix, with_zone

ALIASES = {
    "device_id": "device_id",
    "timestamp": "timestamp",
    "latitude": "latitude",
    "lat": "latitude",
    "longitude": "longitude",
    "lon": "longitude",
    "lng": "longitude",
    "altitude_m": "altitude_meters",
    "altitude": "altitude_meters",
    "speed_kph": "speed_kph",
    "speed": "speed_kph",
    "course": "course_degrees",
    "accuracy_m": "accuracy_meters",
    "accuracy": "accuracy_meters",
}
REQUIRED = ("device_id", "timestamp", "latitude", "longitude")


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections of a CSV file in file order; `index` counts data rows from 0.

    `device_id` replaces the column of that name, which may then be missing; `zone` is that of times which state none
    (refused without it). Raises BodyError when the file cannot be read or lacks a required column, OSError when it cannot
    be opened.
    """
    now = now or datetime.now(UTC)
    with opened(Path(path)) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream:
        source = lines(stream)
        header = next(source, "")
        delimiter = max(",;\t", key=header.count)
        columns = _columns(next(csv.reader([header], delimiter=delimiter), []), device_id)
        for index, row in enumerate(rows_of(csv.reader(source, delimiter=delimiter))):
            if row != []:
                yield _read(index, row, columns, device_id, now, zone)


def _columns(names: list[str], device_id: str | None) -> dict[str, int]:
    """Which quantity is in which column; of two columns for one quantity the first counts."""
    columns: dict[str, int] = {}
    for place, name in enumerate(names):
        quantity = ALIASES.get(name.strip().lower())
        if quantity is not None:
            columns.setdefault(quantity, place)
    missing = [name for name in REQUIRED if name not in columns and not (name == "device_id" and device_id)]
    if missing:
        raise BodyError("wrong_header", f"The first line must name the columns; missing: {', '.join(missing)}.")
    return columns


def rows_of(reader: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """The rows, None for one the csv module cannot read."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _read(
    index: int,
    row: list[str] | None,
    columns: dict[str, int],
    device_id: str | None,
    now: datetime,
    zone: tzinfo | None,
) -> Fix | RejectedFix:
    if row is None:
        return RejectedFix(index, "invalid_row", "The row is not valid CSV.")
    values: dict[str, Any] = dict.fromkeys(REQUIRED)
    for quantity, place in columns.items():
        text = row[place].strip() if place < len(row) else ""
        values[quantity] = (text or None) if quantity == "device_id" else number_or_text(text)
    if device_id:
        values["device_id"] = device_id
    values["timestamp"] = with_zone(values["timestamp"], zone)
    try:
        return make_fix(now=now, **values)
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def number_or_text(text: str) -> float | str | None:
    """A number where the text is one (Python's 1_000 is not), else the text itself for the rules to judge."""
    if not text:
        return None
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text
