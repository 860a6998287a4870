"""KML 2.2 (OGC 07-147r2) for Google Earth and the like: a folder per section, values in the units and language of
`display`."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np

from reports_app.exporters.base import Exporter
from reports_app.exporters.cells import Cells, number_cells, text_cells, time_cells
from reports_app.exporters.places import (
    Geometry,
    Placed,
    line_positions,
    placed_sections,
    row_crossings,
    rows_with_places,
    track_segments,
)
from reports_app.exporters.shown import shown_cells, shown_columns
from reports_app.exporters.xml_text import xml_text
from reports_app.table import Chunk, ColumnKind, DisplaySettings, ReportTable, translated
from tasks_app.geo.distance import FloatArray

_LINE_START, _LINE_END = b"<LineString><tessellate>1</tessellate><coordinates>", b"</coordinates></LineString>"
_SYMBOLS = {ColumnKind.DURATION_SECONDS: "s", ColumnKind.PERCENT: "%"}
_HEAD = b"""<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document>
"""
# After the name: the schema has an order.
_STYLE = b"""<Style id="track"><LineStyle><color>ffd8641f</color><width>4</width></LineStyle></Style>
"""


class KmlExporter(Exporter):
    """A track is a line, cut where the device was silent for long; other rows are placemarks with their values."""

    format = "kml"
    label = "KML"
    extension = "kml"
    content_type = "application/vnd.google-earth.kml+xml"
    is_for_people = True
    needs_places = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        found = placed_sections(table)
        with target.open("wb") as file:
            name = xml_text(f"{table.subject} · {translated(table.title)}")
            file.write(_HEAD + b"<name>" + name + b"</name>\n" + _STYLE)
            for placed in found:
                file.write(b"<Folder><name>" + xml_text(translated(placed.section.name)) + b"</name>\n")
                _write_track(file, placed) if placed.geometry is Geometry.TRACK else _write_rows(file, placed, display)
                file.write(b"</Folder>\n")
            file.write(b"</Document></kml>\n")


def _write_track(file: IO[bytes], placed: Placed) -> None:
    name = xml_text(translated(placed.section.name))
    start = b"<Placemark><name>" + name + b"</name><styleUrl>#track</styleUrl><MultiGeometry>\n"
    lines = _Lines(file)
    for pieces in track_segments(placed):
        longitudes = placed.column(pieces.chunk, "longitude")
        for position, is_start in line_positions(pieces, longitudes, _positions(placed, pieces.chunk), _written):
            file.write(start)
            lines.write(position, is_start)
            start = b""
    lines.close()
    file.write(b"" if start else b"</MultiGeometry></Placemark>\n")


class _Lines:
    """Writes lines position by position; one of a single position, which is no line, as a point."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self._first, self._is_open = file, b"", False

    def write(self, position: bytes, is_start: bool) -> None:
        if is_start:
            self.close()
            self._first = position
            return
        if not self._is_open:
            self.file.write(_LINE_START + self._first)
            self._first, self._is_open = b"", True
        self.file.write(position)

    def close(self) -> None:
        if self._is_open:
            self.file.write(_LINE_END + b"\n")
        elif self._first:
            self.file.write(b"<Point><coordinates>" + self._first + b"</coordinates></Point>\n")
        self._first, self._is_open = b"", False


def _write_rows(file: IO[bytes], placed: Placed, display: DisplaySettings) -> None:
    for chunk in rows_with_places(placed):
        parts = [
            _names(placed, chunk),
            _times(placed, chunk),
            _values(placed, chunk, display),
            _geometries(placed, chunk),
        ]
        for name, times, values, geometry in zip(*parts, strict=True):
            file.write(b"<Placemark><name>" + name + b"</name>" + times + values + geometry + b"</Placemark>\n")


def _names(placed: Placed, chunk: Chunk) -> Cells:
    place = placed.first_of_kind(ColumnKind.LABEL)
    section_name = xml_text(translated(placed.section.name))
    if place is None:
        return [section_name] * chunk.row_count
    labels: Any = chunk.data[place]
    return text_cells(labels, lambda label: xml_text(translated(label)), empty=section_name)


def _times(placed: Placed, chunk: Chunk) -> Cells:
    """The time of a row, or the span it took, for the time slider."""
    first = placed.first_of_kind(ColumnKind.DATETIME)
    if first is None:
        return [b""] * chunk.row_count
    timestamps: Any = chunk.data[first]
    begins = time_cells(timestamps, None)
    ended = placed.column(chunk, "ended_at")
    if ended is None:
        return [b"<TimeStamp><when>" + when + b"</when></TimeStamp>" if when else b"" for when in begins]
    ends = time_cells(ended, None, before=b"<end>", after=b"</end>")
    both = zip(begins, ends, strict=True)
    return [b"<TimeSpan><begin>" + begin + b"</begin>" + end + b"</TimeSpan>" if begin else b"" for begin, end in both]


def _values(placed: Placed, chunk: Chunk, display: DisplaySettings) -> Cells:
    columns = []
    for column, shown, data in zip(
        placed.section.columns, shown_columns(placed.section, display, symbols=_SYMBOLS), chunk.data, strict=True
    ):
        start = (
            b'<Data name="'
            + xml_text(column.key)
            + b'"><displayName>'
            + xml_text(shown.title)
            + b"</displayName><value>"
        )
        cells = shown_cells(shown, data, display.zone, xml_text)
        columns.append([start + cell + b"</value></Data>" if cell else b"" for cell in cells])
    return [b"<ExtendedData>" + b"".join(row) + b"</ExtendedData>" for row in zip(*columns, strict=True)]


def _geometries(placed: Placed, chunk: Chunk) -> Cells:
    if placed.geometry is Geometry.POINTS:
        start, end = b"<Point><coordinates>", b"</coordinates></Point>"
        return [start + position + end for position in _positions(placed, chunk)]
    ends = (_positions(placed, chunk, "start_"), _positions(placed, chunk, "end_"))
    return [_line(first, last, over) for first, last, over in zip(*ends, row_crossings(placed, chunk), strict=True)]


def _line(first: bytes, last: bytes, crossing: tuple[float, float] | None) -> bytes:
    """From one place to another, cut at the 180th meridian."""
    if crossing is None:
        return _LINE_START + first + last + _LINE_END
    side, latitude = crossing
    lines = (first + _written(side, latitude), _written(-side, latitude) + last)
    return b"<MultiGeometry>" + b"".join(_LINE_START + line + _LINE_END for line in lines) + b"</MultiGeometry>"


def _positions(placed: Placed, chunk: Chunk, prefix: str = "") -> list[bytes]:
    return _all_written(placed.column(chunk, f"{prefix}longitude"), placed.column(chunk, f"{prefix}latitude"))


def _written(longitude: float, latitude: float) -> bytes:
    return _all_written(np.array([longitude]), np.array([latitude]))[0]


def _all_written(longitude_column: FloatArray, latitude_column: FloatArray) -> list[bytes]:
    longitudes = number_cells(longitude_column, 6, after=b",")
    latitudes = number_cells(latitude_column, 6, after=b" ")
    return list(map(b"".join, zip(longitudes, latitudes, strict=True)))
