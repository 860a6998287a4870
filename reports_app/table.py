"""The one shape of every report: sections of typed columns. Builders make it, exporters write it, nobody else looks in.

A table is language-neutral: titles and the cells of a `label` column are message ids of gettext, translated when the
table is written for somebody. `subject` and text cells are people's own words and are never translated.

Cells by kind: text and label hold str; integer int; datetime aware datetimes; date dates; every other kind finite
floats or ints in the unit the kind names. None is an empty cell in any column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, override

Text = str | Promise
Cell = str | Promise | int | float | date | datetime | None
Row = Sequence[Cell]
JsonCell = str | int | float | None


class ColumnKind(StrEnum):
    """What a column holds, and in which unit."""

    TEXT = "text"
    LABEL = "label"
    INTEGER = "integer"
    NUMBER = "number"
    DISTANCE_KM = "distance_km"
    SPEED_KPH = "speed_kph"
    ALTITUDE_METERS = "altitude_meters"
    COURSE_DEGREES = "course_degrees"
    DURATION_SECONDS = "duration_seconds"
    PERCENT = "percent"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    DATETIME = "datetime"
    DATE = "date"


TEXT_KINDS = frozenset({ColumnKind.TEXT, ColumnKind.LABEL})
# What exporters write into the first cell of a row of totals, where builders leave it empty.
TOTAL = gettext_lazy("Total")
TIME_KINDS = frozenset({ColumnKind.DATETIME, ColumnKind.DATE})

# Decimals kept of each kind: what the measurement can carry (a sixth decimal of a degree is 11 cm).
DECIMALS = {
    ColumnKind.NUMBER: 3,
    ColumnKind.DISTANCE_KM: 3,
    ColumnKind.SPEED_KPH: 1,
    ColumnKind.ALTITUDE_METERS: 1,
    ColumnKind.COURSE_DEGREES: 1,
    ColumnKind.DURATION_SECONDS: 0,
    ColumnKind.PERCENT: 1,
    ColumnKind.LATITUDE: 6,
    ColumnKind.LONGITUDE: 6,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `key` is its stable name for machines, `title` for people."""

    key: str
    title: Text
    kind: ColumnKind = ColumnKind.TEXT


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one shape, with an optional row of totals. `rows` may be any iterable and is read once."""

    key: str
    name: Text
    columns: Sequence[Column]
    rows: Iterable[Row]
    totals: Row | None = None


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
    """`text`, a message id or a lazy text, in the active language."""
    plain = str(text)
    return gettext(plain) if plain and not isinstance(text, Promise) else plain


def to_content(table: ReportTable) -> dict[str, Any]:
    """The table as JSON-ready values for `Report.content`. Reads every row."""
    with override(None):
        return {**header_content(table), "sections": [_section_content(section) for section in table.sections]}


def header_content(table: ReportTable) -> dict[str, Any]:
    """Everything of the table but its sections, JSON-ready."""
    return {
        "kind": table.kind,
        "title": str(table.title),
        "subject": table.subject,
        "range_start": instant(table.range_start),
        "range_end": instant(table.range_end),
        "time_zone": table.time_zone,
    }


def from_content(content: dict[str, Any]) -> ReportTable:
    """The table a `to_content` was made of. Raises ValueError when it is not one."""
    try:
        sections = [section_from_content(section, section["rows"]) for section in content["sections"]]
        return table_from_header(content, sections)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"Not the content of a report: {error!r}") from error


def table_from_header(content: dict[str, Any], sections: Sequence[Section]) -> ReportTable:
    """A table with the header of `content` and these sections."""
    return ReportTable(
        kind=content["kind"],
        title=content["title"],
        subject=content["subject"],
        range_start=datetime.fromisoformat(content["range_start"]),
        range_end=datetime.fromisoformat(content["range_end"]),
        time_zone=content["time_zone"],
        sections=sections,
    )


def section_from_content(content: dict[str, Any], rows: Iterable[Row]) -> Section:
    """A section with the columns of `content` and `rows`, whose cells are still JSON values; they are read lazily."""
    columns = [Column(column["key"], column["title"], ColumnKind(column["kind"])) for column in content["columns"]]
    totals = content.get("totals")
    return Section(
        key=content["key"],
        name=content["name"],
        columns=columns,
        rows=_parsed_rows(columns, rows),
        totals=None if totals is None else next(iter(_parsed_rows(columns, [totals]))),
    )


def instant(moment: datetime) -> str:
    """An aware datetime as ISO 8601 in UTC, with milliseconds where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def json_writer(kind: ColumnKind) -> Callable[[Any], JsonCell]:
    """How a cell of this kind that is not None becomes a JSON value: times as ISO 8601, numbers rounded as their kind
    asks, NaN and infinities as None. Chosen once per column, since it is called for every cell."""
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


def label_writer() -> Callable[[Any], str]:
    """How the cells of a `label` column are shown in the active language; each of the few labels is looked up once."""
    return lru_cache(maxsize=256)(lambda cell: translated(str(cell)))


def _section_content(section: Section) -> dict[str, Any]:
    writers = [json_writer(column.kind) for column in section.columns]
    return {
        "key": section.key,
        "name": str(section.name),
        "columns": columns_content(section),
        "rows": [_row_content(writers, row) for row in section.rows],
        "totals": None if section.totals is None else _row_content(writers, section.totals),
    }


def columns_content(section: Section) -> list[dict[str, str]]:
    """The columns of a section, JSON-ready."""
    return [{"key": column.key, "title": str(column.title), "kind": column.kind.value} for column in section.columns]


def _row_content(writers: Sequence[Callable[[Any], JsonCell]], row: Row) -> list[JsonCell]:
    return [None if cell is None else write(cell) for write, cell in zip(writers, row, strict=True)]


def _parsed_rows(columns: Sequence[Column], rows: Iterable[Row]) -> Iterable[Row]:
    """Rows whose time cells are datetimes again; the very same rows where no column holds a time."""
    times = [(index, column.kind) for index, column in enumerate(columns) if column.kind in TIME_KINDS]
    return _TimedRows(rows, times) if times else rows


@dataclass(frozen=True, slots=True)
class _TimedRows:
    rows: Iterable[Row]
    times: Sequence[tuple[int, ColumnKind]]

    def __iter__(self) -> Any:
        for row in self.rows:
            cells = list(row)
            for index, kind in self.times:
                text = cells[index]
                if text is not None:
                    cells[index] = _moment(kind, str(text))
            yield cells


def _moment(kind: ColumnKind, text: str) -> date | datetime:
    return datetime.fromisoformat(text) if kind is ColumnKind.DATETIME else date.fromisoformat(text)
