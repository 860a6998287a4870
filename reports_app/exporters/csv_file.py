"""CSV (RFC 4180) that Excel opens as UTF-8 and that cannot carry a formula.

A cell of text that begins with = + - @ TAB, CR or LF would run as a formula in a spreadsheet (OWASP, "CSV Injection"): it
gets a leading apostrophe. Numbers are never touched, so a negative longitude stays a number. A report of several
sections is written as blocks, each under a line with its name, an empty line between them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from reports_app.exporters.base import Exporter
from reports_app.table import (
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

UNITS = {ColumnKind.DURATION_SECONDS: "s", ColumnKind.PERCENT: "%"}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


class CsvExporter(Exporter):
    """Comma separated, CRLF line ends, UTF-8 with a byte order mark, times in the report's zone with their offset."""

    format = "csv"
    extension = "csv"
    content_type = "text/csv; charset=utf-8"

    def write(self, table: ReportTable, target: Path) -> None:
        with target.open("w", encoding="utf-8-sig", errors="replace", newline="") as file:
            writer = csv.writer(file)
            for number, section in enumerate(table.sections):
                if len(table.sections) > 1:
                    writer.writerows([[]] * bool(number) + [[guarded(translated(section.name))]])
                _write_section(writer, section, table.zone)


def guarded(text: str) -> str:
    """`text` as a spreadsheet shows it: never run as a formula."""
    return "'" + text if text.startswith(FORMULA_STARTS) else text


def _write_section(writer: Any, section: Section, zone: ZoneInfo) -> None:
    formats = [_format(column, zone) for column in section.columns]
    writer.writerow([guarded(_heading(column)) for column in section.columns])
    writer.writerows(_cells(formats, row) for row in section.row_lists())
    totals = section.total_row()
    if totals is not None:
        cells = _cells(formats, totals)
        writer.writerow([cells[0] or guarded(translated(TOTAL)), *cells[1:]])


def _heading(column: Column) -> str:
    """The title, with the unit where the title itself leaves it to the format of a spreadsheet."""
    unit = UNITS.get(column.kind)
    return f"{translated(column.title)} ({unit})" if unit else translated(column.title)


def _cells(formats: list[Callable[[Any], object]], row: Row) -> list[object]:
    return ["" if cell is None else formatted(cell) for formatted, cell in zip(formats, row, strict=True)]


def _format(column: Column, zone: ZoneInfo) -> Callable[[Any], object]:
    if column.kind is ColumnKind.LABEL:
        shown = label_writer()
        return lambda cell: guarded(shown(cell))
    if column.kind is ColumnKind.TEXT:
        return lambda cell: guarded(str(cell))
    if column.kind is ColumnKind.DATETIME:
        return lambda cell: _local(cell, zone)
    return json_writer(column.kind)


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
