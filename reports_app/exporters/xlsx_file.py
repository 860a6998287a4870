"""XLSX for people: typed numbers, dates and durations, one sheet per section, the header frozen, totals in bold.

XlsxWriter makes the workbook; the rows are written into its sheets by us, as XML a chunk at a time, straight into the
compressed file: ten times as fast as a call per cell (docs/adr/0005-xlsx-rows-as-xml.md). Text is only ever written as a
string, so nothing a person typed can become a formula or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from reports_app.exporters.base import Exporter
from reports_app.exporters.cells import number_cells
from reports_app.exporters.xlsx_cells import sheet_cells, text_writer
from reports_app.exporters.xlsx_skeleton import Sheet, make_skeleton, plan_sheets
from reports_app.table import (
    TOTAL,
    Chunk,
    DisplaySettings,
    ReportTable,
    Section,
    as_chunks,
    counted,
    part_of,
    translated,
)

COMPRESSION_LEVEL = 1  # the time goes into compression: level 6 takes three times as long for a sixth less
_STYLE = re.compile(rb'<c r="[A-Z]+([23])" s="(\d+)"/>')
_PLACEHOLDERS = re.compile(rb'<row r="[23]".*?</row>', re.DOTALL)


class XlsxExporter(Exporter):
    """Times are local times of `display`; the header of a time column names the zone."""

    format = "xlsx"
    label = "XLSX"
    extension = "xlsx"
    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    is_for_people = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        sections = [counted(section) for section in table.sections]
        sheets = plan_sheets(sections, display)
        skeleton = make_skeleton(table, sheets, display)
        chunks = {id(section): _Rows(section) for section in sections}
        with ZipFile(skeleton) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as book:
            paths = {f"xl/worksheets/sheet{number}.xml": sheet for number, sheet in enumerate(sheets, 1)}
            # Not in the archive's order: the rows of a section are read once, sheet after sheet.
            for path, sheet in paths.items():
                with book.open(path, "w", force_zip64=True) as file:
                    _write_sheet(file, source.read(path), sheet, chunks[id(sheet.section)], display)
            for name in source.namelist():
                if name not in paths:
                    book.writestr(name, source.read(name))


class _Rows:
    """The rows of a section, taken as many at a time as a sheet has."""

    def __init__(self, section: Section) -> None:
        self._chunks = section.chunks()
        self._rest: Chunk | None = None

    def take(self, count: int) -> Iterator[Chunk]:
        while count > 0:
            chunk = self._rest or next(self._chunks)
            self._rest = part_of(chunk, count, chunk.row_count) if chunk.row_count > count else None
            yield part_of(chunk, 0, count)
            count -= chunk.row_count


def _write_sheet(file: IO[bytes], skeleton: bytes, sheet: Sheet, rows: _Rows, display: DisplaySettings) -> None:
    styles = {line: [style for found, style in _STYLE.findall(skeleton) if found == line] for line in (b"2", b"3")}
    before, after = _PLACEHOLDERS.sub(b"", skeleton).split(b"</sheetData>")
    file.write(_with_dimension(before, sheet))
    line = 2
    for chunk in rows.take(sheet.row_count):
        file.write(_rows_xml(sheet, chunk, line, styles[b"2"], display))
        line += chunk.row_count
    if sheet.has_totals:
        file.write(_totals_xml(sheet, line, styles[b"3"], display))
    file.write(b"</sheetData>" + after)


def _rows_xml(sheet: Sheet, chunk: Chunk, line: int, styles: Sequence[bytes], display: DisplaySettings) -> bytes:
    numbers = np.arange(line, line + chunk.row_count, dtype=np.float64)
    starts = number_cells(numbers, 0, before=b'<row r="', after=b'">')
    cells = [
        sheet_cells(column, data, style, display.zone)
        for column, data, style in zip(sheet.columns, chunk.data, styles, strict=True)
    ]
    return b"</row>".join([*map(b"".join, zip(starts, *cells, strict=True)), b""])


def _totals_xml(sheet: Sheet, line: int, styles: Sequence[bytes], display: DisplaySettings) -> bytes:
    totals = sheet.section.total_row()
    if totals is None:
        return b""
    if totals[0] is None:
        (chunk,) = as_chunks(sheet.section.columns, [totals])
        first = text_writer(styles[0])(translated(TOTAL))
        start, end = _rows_xml(sheet, chunk, line, styles, display).split(b'"/>', 1)
        return start.rpartition(b"<c ")[0] + first + end
    (chunk,) = as_chunks(sheet.section.columns, [totals])
    return _rows_xml(sheet, chunk, line, styles, display)


def _with_dimension(xml: bytes, sheet: Sheet) -> bytes:
    last_row = str(1 + sheet.row_count + sheet.has_totals).encode()
    return re.sub(rb'(<dimension ref="[A-Z]+1:[A-Z]+)\d+"', rb"\g<1>" + last_row + b'"', xml, count=1)
