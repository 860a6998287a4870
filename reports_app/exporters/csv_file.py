"""CSV (RFC 4180) that Excel opens as UTF-8 and that cannot carry a formula.

A cell of text that begins with = + - @ TAB, CR or LF would run as a formula in a spreadsheet (OWASP, "CSV Injection"): it
gets a leading apostrophe, and so does what follows a semicolon, TAB or line end within it, where a spreadsheet that is set
to another country ends a cell. Numbers are never touched, so a negative longitude stays a number. A report of several
sections is written as blocks, each under a line with its name, an empty line between them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from reports_app.exporters.base import Exporter
from reports_app.exporters.shown import ShownColumn, shown_cells, shown_columns
from reports_app.table import (
    TOTAL,
    Chunk,
    Column,
    ColumnKind,
    DisplaySettings,
    ReportTable,
    Section,
    as_chunks,
    translated,
)
from tasks_app.utils.spreadsheets import guarded

SYMBOLS = {ColumnKind.DURATION_SECONDS: "s", ColumnKind.PERCENT: "%"}

_LINE_END = b"\r\n"
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')


class CsvExporter(Exporter):
    """Comma separated, CRLF line ends, UTF-8 with a byte order mark, times in the zone of `display` with their offset."""

    format = "csv"
    label = "CSV"
    extension = "csv"
    content_type = "text/csv; charset=utf-8"
    is_for_people = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        with target.open("wb") as file:
            file.write(b"\xef\xbb\xbf")
            for number, section in enumerate(table.sections):
                if len(table.sections) > 1:
                    file.write(_LINE_END * bool(number) + _text(translated(section.name)) + _LINE_END)
                _write_section(file, section, display)


def _write_section(file: BinaryIO, section: Section, display: DisplaySettings) -> None:
    shown = shown_columns(section, display, symbols=SYMBOLS)
    file.write(b",".join(_text(column.title) for column in shown) + _LINE_END)
    for chunk in section.chunks():
        file.write(_lines(shown, chunk, display.zone))
    totals = section.total_row()
    if totals is not None:
        file.write(_total_line(section.columns, shown, totals, display.zone))


def _lines(shown: Sequence[ShownColumn], chunk: Chunk, zone: ZoneInfo) -> bytes:
    cells = [shown_cells(column, data, zone, _text) for column, data in zip(shown, chunk.data, strict=True)]
    return _LINE_END.join([*map(b",".join, zip(*cells, strict=True)), b""])


def _total_line(columns: Sequence[Column], shown: Sequence[ShownColumn], totals: Any, zone: ZoneInfo) -> bytes:
    (chunk,) = as_chunks(columns, [totals])
    cells = [shown_cells(column, data, zone, _text)[0] for column, data in zip(shown, chunk.data, strict=True)]
    return b",".join([cells[0] or _text(translated(TOTAL)), *cells[1:]]) + _LINE_END


def _text(text: str) -> bytes:
    shown = guarded(text)
    if _NEEDS_QUOTES.search(shown):
        shown = '"' + shown.replace('"', '""') + '"'
    return shown.encode(errors="replace")
