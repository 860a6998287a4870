"""CSV with a header line, as programs and spreadsheets write it, read row by row.

Cells are separated by commas, semicolons, tabs or bars; a first line `sep=;` is heeded. Letters are UTF-8, UTF-16, UTF-32 or
Windows-1252. Numbers may have a decimal comma (`csv_dialect` says how that is found out) and grouped thousands.

Columns (any case, any order, others are ignored; `csv_columns` has the names in other languages): device_id, timestamp
(ISO 8601 with zone, epoch seconds or milliseconds, or as a spreadsheet shows it: 28/11/2026 10:00), latitude | lat,
longitude | lon | lng (degrees), altitude_m | altitude (m), speed_kph | speed (km/h; m/s in files of GPSLogger), course
(degrees), accuracy_m | accuracy (m). An empty cell means not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.csv_columns import REQUIRED, Columns, columns_of
from tasks_app.ingest.csv_dialect import Dialect, dialect_of
from tasks_app.ingest.csv_table import Row, Table, open_table
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.validate import InvalidFix, make_fix

# What programs make of a whole number in a column with empty cells.
_DECIMAL = re.compile(r"([0-9]+)\.0")
# What a spreadsheet makes of a long number: its last digits are gone.
_ROUNDED = re.compile(r"\d[.,]?\d*[eE]\+?\d+")


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections of a CSV file in file order; `index` counts data rows from 0.

    `device_id` replaces the column of that name, which may then be missing; `zone` is that of times which state none
    (refused without it). Raises BodyError when the file cannot be read (any further), lacks a required column or has no
    rows, OSError when it cannot be opened.
    """
    now = now or datetime.now(UTC)
    with open_table(Path(path)) as table:
        columns = _columns(table, device_id)
        places = columns.places
        dialect = dialect_of(table, places=(places["latitude"], places["longitude"]), time=places["timestamp"])
        read = _Reader(columns, dialect, len(table.names), device_id, zone, now)
        index = -1
        for index, row in table.rows():
            yield read.fix(index, row)
    if index < 0:
        raise BodyError("empty", _("The file names its columns, but has no rows."))


def _columns(table: Table, device_id: str | None) -> Columns:
    try:
        return columns_of(table.names, device_id)
    except BodyError as error:
        raise BodyError(error.code, f"{table.kind} {error.detail}".strip()) from error


class _Reader:
    """Makes a fix of each row."""

    def __init__(
        self,
        columns: Columns,
        dialect: Dialect,
        width: int,
        device_id: str | None,
        zone: tzinfo | None,
        now: datetime,
    ) -> None:
        places = dict(columns.places)
        self.device, self.day, self.time = places.pop("device_id", -1), places.pop("date", -1), places.pop("timestamp")
        self.numbers = [(quantity, place, columns.factors.get(quantity)) for quantity, place in places.items()]
        self.dialect, self.width = dialect, width
        self.device_id, self.zone, self.now = device_id, zone, now

    def fix(self, index: int, row: Row | None) -> Fix | RejectedFix:
        if row is None or (len(row) > self.width + 1 and sum(map(bool, row[self.width :])) > 1):
            # Two cells too many: a decimal comma in a file whose cells commas separate, say. Any column may be the wrong one.
            detail = "The row is not valid CSV, breaks off, or has more cells than there are columns."
            return RejectedFix(index, "invalid_row", detail)
        try:
            return make_fix(now=self.now, **self._values(row))
        except InvalidFix as error:
            return RejectedFix(index, error.code, error.detail)

    def _values(self, row: Row) -> dict[str, Any]:
        width = len(row)
        values: dict[str, Any] = dict.fromkeys(REQUIRED)
        number = self.dialect.number
        for quantity, place, factor in self.numbers:
            value = number(row[place].strip()) if place < width else None
            values[quantity] = value * factor if factor and isinstance(value, float) else value
        device, day, time_text = (
            row[place].strip() if 0 <= place < width else "" for place in (self.device, self.day, self.time)
        )
        if day:
            time_text = self.dialect.day_and_clock(day, time_text)
        values["device_id"] = self.device_id or id_in_cell(device) or None
        values["timestamp"] = self.dialect.time(time_text, self.zone)
        return values


def id_in_cell(device_id: str) -> str:
    """The device's id, 48241179 of 48241179.0. Raises InvalidFix for a number a spreadsheet has rounded, such as 3.56E+14."""
    if device_id[:1].isdigit() and _ROUNDED.fullmatch(device_id):
        detail = f"A spreadsheet has rounded this id: {device_id[:40]}. Format its column as text."
        raise InvalidFix("invalid_device_id", detail)
    found = _DECIMAL.fullmatch(device_id)
    return found[1] if found else device_id
