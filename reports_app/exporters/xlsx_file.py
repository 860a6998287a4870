"""XLSX for people: typed numbers, dates and durations, one sheet per section, the header frozen, totals in bold.

Text is only ever written as a string, so nothing a person typed can become a formula or a link. XlsxWriter's
constant_memory mode flushes each row, so rows are written in order and memory stays flat.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

from reports_app.exporters.base import Exporter
from reports_app.table import (
    TEXT_KINDS,
    TOTAL,
    Column,
    ColumnKind,
    ReportTable,
    Row,
    Section,
    json_writer,
    label_writer,
    translated,
)

MAX_ROWS = 1_048_576  # of a sheet, by the file format
MAX_TEXT_LENGTH = 32_767  # of a cell, by the file format
MAX_NAME_LENGTH = 31  # of a sheet, by Excel
FIRST_YEAR = 1901  # of a date, so that Excel agrees
DAY_ZERO, ONE_DAY = datetime(1899, 12, 30), timedelta(days=1)

_FORBIDDEN_IN_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NUMBER_FORMATS = {
    ColumnKind.INTEGER: "#,##0",
    ColumnKind.NUMBER: "#,##0.###",
    ColumnKind.DISTANCE_KM: "#,##0.00",
    ColumnKind.SPEED_KPH: "0.0",
    ColumnKind.ALTITUDE_METERS: "0.0",
    ColumnKind.COURSE_DEGREES: "0",
    ColumnKind.DURATION_SECONDS: "[h]:mm:ss",
    ColumnKind.PERCENT: "0.0%",
    ColumnKind.LATITUDE: "0.000000",
    ColumnKind.LONGITUDE: "0.000000",
    ColumnKind.DATETIME: "yyyy-mm-dd hh:mm:ss",
    ColumnKind.DATE: "yyyy-mm-dd",
}
_WIDTHS = {ColumnKind.TEXT: 28, ColumnKind.LABEL: 24, ColumnKind.DATETIME: 20, ColumnKind.DATE: 12}
_DEFAULT_WIDTH = 12

_DIVISORS = {ColumnKind.DURATION_SECONDS: 86_400.0, ColumnKind.PERCENT: 100.0}

Typed = Callable[[Any], str | float | None]


class XlsxExporter(Exporter):
    """Times are the wall clock of the report's zone, which the header of a time column names."""

    format = "xlsx"
    extension = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def write(self, table: ReportTable, target: Path) -> None:
        options = {
            "constant_memory": True,
            "tmpdir": str(target.parent),
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(str(target), options) as workbook:
            workbook.set_properties({"title": translated(table.title), "subject": table.subject})
            writer = _WorkbookWriter(workbook, table)
            for section in table.sections:
                writer.write_section(section)


class _WorkbookWriter:
    def __init__(self, workbook: Any, table: ReportTable) -> None:
        self.workbook, self.zone, self.zone_name = workbook, table.zone, table.time_zone
        self.page_header = _page_header(table)
        self.header_format = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self.names: set[str] = set()

    def write_section(self, section: Section) -> None:
        plain = [self._cell_format(column, {}) for column in section.columns]
        bold = [self._cell_format(column, {"bold": True, "top": 1}) for column in section.columns]
        typed = [_typed(column.kind, self.zone) for column in section.columns]
        sheet, line = self._new_sheet(section), 1
        for row in section.row_lists():
            if line == MAX_ROWS - 1:  # the last line stays free for the totals
                sheet, line = self._new_sheet(section), 1
            _write_row(sheet, line, typed, row, plain)
            line += 1
        totals = section.total_row()
        if totals is not None:
            _write_row(sheet, line, typed, totals, bold)
            if totals[0] is None:
                sheet.write_string(line, 0, translated(TOTAL), bold[0])

    def _new_sheet(self, section: Section) -> Any:
        sheet = self.workbook.add_worksheet(sheet_name(translated(section.name), self.names))
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        sheet.fit_to_pages(1, 0)
        sheet.set_header(self.page_header)
        for index, column in enumerate(section.columns):
            title = self._column_title(column)
            longest_word = max((len(word) for word in title.split()), default=0)
            sheet.set_column(index, index, max(_WIDTHS.get(column.kind, _DEFAULT_WIDTH), longest_word + 2))
            sheet.write_string(0, index, title, self.header_format)
        return sheet

    def _column_title(self, column: Column) -> str:
        title = translated(column.title)
        return f"{title} ({self.zone_name})" if column.kind is ColumnKind.DATETIME else title

    def _cell_format(self, column: Column, properties: dict[str, object]) -> Any:
        number_format = _NUMBER_FORMATS.get(column.kind)
        return self.workbook.add_format({**properties, **({"num_format": number_format} if number_format else {})})


def sheet_name(wanted: str, taken: set[str]) -> str:
    """A name Excel accepts and no other sheet has (names that differ in case only are the same); added to `taken`."""
    base = _FORBIDDEN_IN_NAME.sub(" ", wanted).strip().strip("'").strip()[:MAX_NAME_LENGTH].strip("'") or "Sheet"
    base = f"{base} " if base.casefold() == "history" else base  # Excel keeps this name to itself
    name, number = base, 2
    while name.casefold() in taken:
        suffix = f" ({number})"
        name, number = base[: MAX_NAME_LENGTH - len(suffix)] + suffix, number + 1
    taken.add(name.casefold())
    return name


def _page_header(table: ReportTable) -> str:
    start, end = (
        moment.astimezone(table.zone).strftime("%Y-%m-%d %H:%M") for moment in (table.range_start, table.range_end)
    )
    text = f"{translated(table.title)} · {table.subject}"[:120].replace("&", "&&")
    return f"&L{text}&R{start} - {end}"


def _write_row(sheet: Any, line: int, typed: list[Typed], row: Row, formats: list[Any]) -> None:
    for index, (value_of, cell, cell_format) in enumerate(zip(typed, row, formats, strict=True)):
        value = None if cell is None else value_of(cell)
        if value is None:
            sheet.write_blank(line, index, None, cell_format)
        elif isinstance(value, str):
            sheet.write_string(line, index, value, cell_format)
        else:
            sheet.write_number(line, index, value, cell_format)


def _typed(kind: ColumnKind, zone: ZoneInfo) -> Typed:
    """How a cell of this kind becomes a string or a number; dates and durations are numbers of days in this format."""
    if kind is ColumnKind.DATETIME:
        return lambda cell: _day_number(cell.astimezone(zone).replace(tzinfo=None))
    if kind is ColumnKind.DATE:
        return lambda cell: _day_number(datetime.combine(cell, time.min))
    if kind in TEXT_KINDS:
        shown = label_writer() if kind is ColumnKind.LABEL else str
        return lambda cell: shown(cell)[:MAX_TEXT_LENGTH]
    if kind in _DIVISORS:
        divisor = _DIVISORS[kind]
        return lambda cell: cell / divisor if math.isfinite(cell) else None
    return json_writer(kind)


def _day_number(local: datetime) -> float | str:
    """Days since the format's day 0, or the text of a time before Excel's calendar (which has a 29 February 1900)."""
    return (local - DAY_ZERO) / ONE_DAY if local.year >= FIRST_YEAR else local.isoformat(sep=" ")
