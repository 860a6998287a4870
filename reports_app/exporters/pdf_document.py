"""The document of a PDF report: title, key figures, pictures, tables. Loaded only when one is written: the library takes
20 MB of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from reports_app.exporters.pdf_drawings import Sketch, draw_bars, draw_sketch
from reports_app.exporters.pdf_pen import HEIGHT, INK, MARGIN, SUBTLE, TINT, WIDTH, Pen, fitted, text_width
from reports_app.exporters.pdf_table import TextTable, draw_table
from reports_app.exporters.places import POINT, Geometry, placed_section, rows_with_places, track_segments
from reports_app.exporters.shown import ShownColumn, minute_text, people_text, shown_columns
from reports_app.table import (
    TOTAL,
    Cell,
    Chunk,
    ColumnKind,
    DisplaySettings,
    ReportTable,
    Row,
    Section,
    as_rows,
    part_of,
    translated,
)

MAX_ROWS = 500  # of one table
MAX_BARS = 62
_TILES_PER_ROW = 5
_PICTURE_HEIGHT = 235.0


def write_pdf(table: ReportTable, target: Path, display: DisplaySettings) -> None:
    """Write the table to the new file `target`."""
    sketch = Sketch()
    parts = [_read(section, display, sketch) for section in table.sections]
    figures = parts[:1] if parts and parts[0].is_figures else []
    tables = parts[len(figures) :]
    pen = Pen(target, translated(table.title), table.subject)
    _draw_title(pen, table, display)
    _draw_figures(pen, _key_figures(figures, tables, display))
    _draw_pictures(pen, tables, sketch, display)
    for part in tables:
        draw_table(pen, _text_table(part, display))
    pen.save()


@dataclass(slots=True)
class _Part:
    """A section as it was read: its first rows and its totals."""

    section: Section
    columns: Sequence[ShownColumn]
    rows: Sequence[Sequence[Cell]]
    totals: Row | None
    row_count: int

    @property
    def is_figures(self) -> bool:
        """One row alone is figures rather than a table, where a report begins with it."""
        return self.row_count == 1 and self.totals is None and len(self.columns) > 2

    def index_of(self, kind: ColumnKind) -> int | None:
        return next((index for index, column in enumerate(self.columns) if column.kind is kind), None)


@dataclass(slots=True)
class _Recorder:
    """The chunks of a section, of which it keeps the first rows and counts all."""

    section: Section
    kept: list[Chunk] = field(default_factory=list)
    row_count: int = 0

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self.section.chunks():
            if self.row_count < MAX_ROWS:
                self.kept.append(part_of(chunk, 0, MAX_ROWS - self.row_count))
            self.row_count += chunk.row_count
            yield chunk


def _read(section: Section, display: DisplaySettings, sketch: Sketch) -> _Part:
    recorder = _Recorder(section)
    _add_to_sketch(replace(section, rows=recorder), sketch)
    rows = list(as_rows(section.columns, recorder.kept))
    columns = shown_columns(section, display, symbols={ColumnKind.DATETIME: display.time_zone})
    return _Part(section, columns, rows, section.total_row(), recorder.row_count)


def _add_to_sketch(section: Section, sketch: Sketch) -> None:
    """Reads every row, whether it has a place or not."""
    placed = placed_section(section)
    if placed is None:
        for _chunk in section.chunks():
            pass
    elif placed.geometry is Geometry.TRACK:
        for pieces in track_segments(placed):
            latitudes, longitudes = (placed.column(pieces.chunk, key) for key in POINT)
            # On paper a line goes on across the 180th meridian.
            sketch.add_track(latitudes, longitudes, pieces.starts & np.isnan(pieces.crossings))
    else:
        for chunk in rows_with_places(placed):
            for prefix in ("start_", "end_") if placed.geometry is Geometry.LINES else ("",):
                latitudes, longitudes = (
                    placed.column(chunk, f"{prefix}latitude"),
                    placed.column(chunk, f"{prefix}longitude"),
                )
                sketch.add_dots(latitudes, longitudes)


def _text_table(part: _Part, display: DisplaySettings) -> TextTable:
    rows = [_texts(part.columns, row, display) for row in part.rows]
    totals = None if part.totals is None else _texts(part.columns, part.totals, display)
    if totals is not None and not totals[0]:
        totals[0] = translated(TOTAL)
    return TextTable(translated(part.section.name), part.columns, rows, totals, part.row_count)


def _texts(columns: Sequence[ShownColumn], row: Sequence[Cell], display: DisplaySettings) -> list[str]:
    return [people_text(column, cell, display.zone) for column, cell in zip(columns, row, strict=True)]


def _key_figures(figures: Sequence[_Part], tables: Sequence[_Part], display: DisplaySettings) -> list[tuple[str, str]]:
    """(title, value) of the section of figures, else of the first totals there are."""
    chosen = [(part.columns, part.rows[0]) for part in figures]
    chosen = chosen or [(part.columns, part.totals) for part in tables if part.totals is not None][:1]
    return [
        (column.title, text)
        for columns, row in chosen
        for column, text in zip(columns, _texts(columns, row, display), strict=True)
        if text
    ]


def _draw_title(pen: Pen, table: ReportTable, display: DisplaySettings) -> None:
    start, end = (minute_text(timestamp, display.zone) for timestamp in (table.range_start, table.range_end))
    pen.text(MARGIN, HEIGHT - MARGIN - 16, fitted(table.subject, WIDTH * 0.6, 20, bold=True), 20, bold=True)
    pen.text(WIDTH - MARGIN, HEIGHT - MARGIN - 12, translated(table.title), 12, bold=True, align="right")
    pen.text(
        WIDTH - MARGIN, HEIGHT - MARGIN - 26, f"{start} – {end} ({display.time_zone})", 8, color=SUBTLE, align="right"
    )
    pen.y = HEIGHT - MARGIN - 34
    pen.line(MARGIN, pen.y, WIDTH - MARGIN, pen.y, INK, 1)


def _draw_figures(pen: Pen, figures: Sequence[tuple[str, str]]) -> None:
    width, height, gap = (WIDTH - 2 * MARGIN + 6) / _TILES_PER_ROW, 36.0, 6.0
    for first in range(0, len(figures), _TILES_PER_ROW):
        pen.y -= height + gap
        for place, (title, text) in enumerate(figures[first : first + _TILES_PER_ROW]):
            x = MARGIN + place * width
            pen.box(x, pen.y, width - gap, height, TINT)
            pen.text(x + 8, pen.y + 23, fitted(title, width - gap - 16, 7), 7, color=SUBTLE)
            room = width - gap - 16
            size = 11.5 if text_width(text, 11.5, bold=True) <= room else 9.0
            pen.text(x + 8, pen.y + 8, fitted(text, room, size, bold=True), size, bold=True)
    pen.y -= gap if figures else 0


def _draw_pictures(pen: Pen, tables: Sequence[_Part], sketch: Sketch, display: DisplaySettings) -> None:
    """The map sketch, the chart of days, or both side by side."""
    chart = next((part for part in tables if _is_chartable(part)), None)
    if not sketch.points and chart is None:
        return
    if not pen.room(_PICTURE_HEIGHT + 10):
        pen.new_page()
    pen.y -= _PICTURE_HEIGHT + 8
    room = WIDTH - 2 * MARGIN
    width = (room - 16) / 2 if sketch.points and chart else room
    if sketch.points:
        draw_sketch(pen, sketch, MARGIN, pen.y, width, _PICTURE_HEIGHT, display.units.distance)
    if chart:
        _draw_chart(pen, chart, (MARGIN + room - width, pen.y, width, _PICTURE_HEIGHT), display)


def _is_chartable(part: _Part) -> bool:
    has_days = part.columns[0].kind is ColumnKind.DATE and part.index_of(ColumnKind.DISTANCE_KM) is not None
    return has_days and 1 < part.row_count <= MAX_BARS


def _draw_chart(pen: Pen, part: _Part, area: tuple[float, float, float, float], display: DisplaySettings) -> None:
    place = part.index_of(ColumnKind.DISTANCE_KM) or 0
    column = part.columns[place]
    labels = [people_text(part.columns[0], row[0], display.zone) for row in part.rows]
    draw_bars(pen, labels, [column.number(row[place]) or 0.0 for row in part.rows], column.title, area)
