"""JSON for machines: rows as objects under their columns' keys, times in UTC, quantities in the unit their key or kind
names, titles and labels in English. It does not depend on display settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.utils.translation import override

from reports_app.exporters.base import Exporter
from reports_app.exporters.cells import Cells, date_cells, number_cells, text_cells, time_cells
from reports_app.table import (
    DECIMALS,
    TEXT_KINDS,
    Chunk,
    Column,
    ColumnKind,
    DisplaySettings,
    ReportTable,
    Section,
    as_chunks,
    columns_content,
    header_content,
)

_encode = msgspec.json.Encoder().encode
_NULL = b"null"


class JsonExporter(Exporter):
    """{"kind", "title", "subject", "range_start", "range_end", "time_zone", "sections": [{..., "rows", "totals"}]}."""

    format = "json"
    label = "JSON"
    extension = "json"
    content_type = "application/json"

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        with override(None), target.open("wb") as file:
            file.write(_open_object(header_content(table)) + b',\n"sections":[')
            for number, section in enumerate(table.sections):
                file.write(b",\n" if number else b"\n")
                _write_section(file, section)
            file.write(b"\n]}\n")


def row_objects(columns: Sequence[Column], chunk: Chunk) -> list[bytes]:
    """Each row of the chunk as a JSON object."""
    keys = (_encode(column.key).replace(b"%", b"%%") for column in columns)
    template = b"{" + b",".join(key + b":%b" for key in keys) + b"}"
    cells = [json_cells(column.kind, data) for column, data in zip(columns, chunk.data, strict=True)]
    return [template % row for row in zip(*cells, strict=True)]


def json_cells(kind: ColumnKind, data: Any) -> Cells:
    """The cells of a column as JSON values."""
    if kind in TEXT_KINDS:
        return text_cells(data, _text, empty=_NULL)
    if kind is ColumnKind.DATETIME:
        return time_cells(data, None, before=b'"', after=b'"', empty=_NULL)
    if kind is ColumnKind.DATE:
        return date_cells(data, before=b'"', after=b'"', empty=_NULL)
    return number_cells(data, DECIMALS[kind], empty=_NULL)


def _write_section(file: BinaryIO, section: Section) -> None:
    opening: dict[str, object] = {"key": section.key, "name": str(section.name), "columns": columns_content(section)}
    file.write(_open_object(opening) + b',\n"rows":[')
    for number, chunk in enumerate(section.chunks()):
        file.write((b",\n" if number else b"\n") + b",\n".join(row_objects(section.columns, chunk)))
    file.write(b'\n],\n"totals":' + _totals(section) + b"}")


def _totals(section: Section) -> bytes:
    totals = section.total_row()
    if totals is None:
        return _NULL
    (chunk,) = as_chunks(section.columns, [totals])
    return row_objects(section.columns, chunk)[0]


def _text(text: str) -> bytes:
    return _encode(text.encode(errors="replace").decode())


def _open_object(values: dict[str, object]) -> bytes:
    """The object as JSON without its closing brace, so that more can follow."""
    return _encode(values)[:-1]
