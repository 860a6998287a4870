"""JSON: rows as objects under their columns' keys, times in UTC, quantities in the unit their key or kind names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from reports_app.exporters.base import Exporter
from reports_app.table import (
    ColumnKind,
    ReportTable,
    Row,
    Section,
    columns_content,
    header_content,
    json_writer,
    label_writer,
    translated,
)

_encode = msgspec.json.Encoder().encode

Writers = list[tuple[str, Callable[[Any], object]]]


class JsonExporter(Exporter):
    """{"kind", "title", "subject", "range_start", "range_end", "time_zone", "sections": [{..., "rows", "totals"}]}."""

    format = "json"
    extension = "json"
    content_type = "application/json"

    def write(self, table: ReportTable, target: Path) -> None:
        header = {**header_content(table), "title": translated(table.title)}
        with target.open("wb") as file:
            file.write(_open_object(header) + b',\n"sections":[')
            for number, section in enumerate(table.sections):
                file.write(b",\n" if number else b"\n")
                _write_section(file, section)
            file.write(b"\n]}\n")


def _write_section(file: BinaryIO, section: Section) -> None:
    writers: Writers = [
        (column.key, label_writer() if column.kind is ColumnKind.LABEL else json_writer(column.kind))
        for column in section.columns
    ]
    columns = [
        {**column, "title": translated(shown.title)}
        for column, shown in zip(columns_content(section), section.columns, strict=True)
    ]
    file.write(
        _open_object({"key": section.key, "name": translated(section.name), "columns": columns}) + b',\n"rows":['
    )
    for number, row in enumerate(section.row_lists()):
        file.write((b",\n" if number else b"\n") + _encode(_row_object(writers, row)))
    total_row = section.total_row()
    totals = None if total_row is None else _row_object(writers, total_row)
    file.write(b'\n],\n"totals":' + _encode(totals) + b"}")


def _open_object(values: dict[str, object]) -> bytes:
    """The object as JSON without its closing brace, so that more can follow."""
    return _encode(values)[:-1]


def _row_object(writers: Writers, row: Row) -> dict[str, object]:
    return {key: None if cell is None else write(cell) for (key, write), cell in zip(writers, row, strict=True)}
