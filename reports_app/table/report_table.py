"""The table of a report: sections of typed columns, made by builders and written by exporters.

A table is language-neutral: titles and the cells of a `label` column are message ids of gettext, translated when the
table is written. `subject` and text cells come from users and are not translated.

The rows of a section may be given one by one, or as chunks of columns (`reports_app.table.chunks`) where there are many.
Cells of a row by kind: text and label hold str; integer int; datetime aware datetimes; date dates; every other kind
finite floats or ints in the unit the kind names. None is an empty cell in any column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from reports_app.table.chunks import Cell, Chunk, Row, as_chunks, as_rows, chunk_of, coded
from reports_app.table.columns import DECIMALS, TEXT_KINDS, TIME_KINDS, Column, ColumnKind, Text

__all__ = ["Cell", "Chunk", "Column", "ColumnKind", "ReportTable", "Row", "Section", "Text", "chunk_of", "coded"]

JsonCell = str | int | float | None

# Written by exporters into the first cell of a row of totals if it is empty.
TOTAL = gettext_lazy("Total")


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one shape, with an optional row of totals.

    `rows` may be any iterable of rows or of chunks and is read once, as it is written. Totals that are known only after
    the last row are a function without arguments, called then. `row_count` where it is known before.
    """

    key: str
    name: Text
    columns: Sequence[Column]
    rows: Iterable[Row | Chunk]
    totals: Row | Callable[[], Row | None] | None = None
    row_count: int | None = None

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows by column, some thousands at a time."""
        return as_chunks(self.columns, self.rows)

    def row_lists(self) -> Iterator[list[Cell]]:
        """Yield the rows one by one, as Python values."""
        return as_rows(self.columns, self.chunks())

    def total_row(self) -> Row | None:
        """Return the row of totals. Call it after the rows were read."""
        return self.totals() if callable(self.totals) else self.totals


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A whole report over `[range_start, range_end)` (aware); its times are shown in `time_zone`."""

    kind: str
    title: Text
    subject: str
    range_start: datetime
    range_end: datetime
    time_zone: str = "UTC"
    sections: Sequence[Section] = field(default_factory=list)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def translated(text: Text) -> str:
    """Return `text`, a message id or a lazy text, in the active language."""
    plain = str(text)
    return gettext(plain) if plain and not isinstance(text, Promise) else plain


def header_content(table: ReportTable) -> dict[str, Any]:
    """Return the table without its sections, JSON-ready."""
    return {
        "kind": table.kind,
        "title": str(table.title),
        "subject": table.subject,
        "range_start": instant(table.range_start),
        "range_end": instant(table.range_end),
        "time_zone": table.time_zone,
    }


def table_from_header(content: dict[str, Any], sections: Sequence[Section]) -> ReportTable:
    """Return a table with the header of `content` and these sections."""
    return ReportTable(
        kind=content["kind"],
        title=content["title"],
        subject=content["subject"],
        range_start=datetime.fromisoformat(content["range_start"]),
        range_end=datetime.fromisoformat(content["range_end"]),
        time_zone=content["time_zone"],
        sections=sections,
    )


def section_from_content(content: dict[str, Any], rows: Iterable[Row | Chunk]) -> Section:
    """Return a section with the columns and totals of `section_content`, and these rows."""
    columns = [Column(column["key"], column["title"], ColumnKind(column["kind"])) for column in content["columns"]]
    totals = content.get("totals")
    if totals is not None:
        totals = [_parsed(column.kind, cell) for column, cell in zip(columns, totals, strict=True)]
    return Section(content["key"], content["name"], columns, rows, totals, content.get("row_count"))


def counted(section: Section) -> Section:
    """Return the section with its row count, reading its rows into memory if the count is not known."""
    if section.row_count is not None:
        return section
    chunks, totals = list(section.chunks()), section.total_row()
    return replace(section, rows=chunks, totals=totals, row_count=sum(chunk.row_count for chunk in chunks))


def section_content(section: Section) -> dict[str, Any]:
    """Return a section without its rows, JSON-ready. Call it after the rows were read: totals may need them."""
    totals = section.total_row()
    return {
        "key": section.key,
        "name": str(section.name),
        "columns": columns_content(section),
        "totals": None if totals is None else _row_content(section.columns, totals),
    }


def instant(timestamp: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC, with milliseconds if there are any."""
    text = timestamp.astimezone(UTC).isoformat(timespec="milliseconds" if timestamp.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def json_writer(kind: ColumnKind) -> Callable[[Any], JsonCell]:
    """Return the function that turns a cell of this kind (not None) into a JSON value: times as ISO 8601, numbers
    rounded to the decimals of their kind, NaN and infinities as None."""
    if kind is ColumnKind.DATETIME:
        return instant
    if kind is ColumnKind.DATE:
        return date.isoformat
    if kind in TEXT_KINDS:
        return str
    if kind is ColumnKind.INTEGER:
        return lambda cell: int(cell) if math.isfinite(cell) else None
    decimals = DECIMALS[kind]
    # "or 0.0": never -0.0
    return lambda cell: (round(float(cell), decimals) or 0.0) if math.isfinite(cell) else None


def columns_content(section: Section) -> list[dict[str, str]]:
    """Return the columns of a section, JSON-ready."""
    return [{"key": column.key, "title": str(column.title), "kind": column.kind.value} for column in section.columns]


def _row_content(columns: Sequence[Column], row: Row) -> list[JsonCell]:
    cells = zip(columns, row, strict=True)
    return [None if cell is None else json_writer(column.kind)(cell) for column, cell in cells]


def _parsed(kind: ColumnKind, cell: Any) -> Cell:
    if cell is None or kind not in TIME_KINDS:
        return cell
    return datetime.fromisoformat(cell) if kind is ColumnKind.DATETIME else date.fromisoformat(cell)
