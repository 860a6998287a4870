"""GeoJSON (RFC 7946): a feature per row with all of its values, and the line of a track before its points.

It does not depend on display settings: values as in the JSON format, longitude before latitude, WGS 84.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
from django.utils.translation import override

from reports_app.exporters.base import Exporter
from reports_app.exporters.json_file import json_cells, row_objects
from reports_app.exporters.places import (
    Geometry,
    Placed,
    line_positions,
    placed_sections,
    row_crossings,
    rows_with_places,
    track_segments,
)
from reports_app.table import Chunk, ColumnKind, DisplaySettings, ReportTable, header_content
from tasks_app.geo.distance import FloatArray

_encode = msgspec.json.Encoder().encode


class GeoJsonExporter(Exporter):
    """A FeatureCollection; properties name the `section` of each feature."""

    format = "geojson"
    label = "GeoJSON"
    extension = "geojson"
    content_type = "application/geo+json"
    needs_places = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        found = placed_sections(table)
        with override(None), target.open("wb") as file:
            file.write(b'{"type":"FeatureCollection","report":' + _encode(header_content(table)) + b',"features":[')
            writer = _Features(file)
            for placed in found:
                if placed.geometry is Geometry.TRACK:
                    _write_track(writer, placed, target.with_suffix(".points"))
                else:
                    _write_rows(writer, placed)
            file.write(b"\n]}\n")


class _Features:
    """Writes features with commas between them."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self._separator = file, b"\n"

    def write(self, features: list[bytes]) -> None:
        if features:
            self.file.write(self._separator + b",\n".join(features))
            self._separator = b",\n"

    def open(self, start: bytes) -> None:
        """The start of a feature that is written piece by piece."""
        self.file.write(self._separator + start)
        self._separator = b",\n"


def _write_rows(writer: _Features, placed: Placed) -> None:
    for chunk in rows_with_places(placed):
        writer.write(_row_features(placed, chunk))


def _write_track(writer: _Features, placed: Placed, spool: Path) -> None:
    """The line goes to the file while the points, which come after it, wait in a file of their own."""
    properties = _encode({"section": placed.section.key, "name": str(placed.section.name)})
    line_is_open, is_alone, last = False, False, b""
    with spool.open("w+b") as waiting:
        points = _Features(waiting)
        for pieces in track_segments(placed):
            points.write(_row_features(placed, pieces.chunk))
            longitudes = placed.column(pieces.chunk, "longitude")
            for position, is_start in line_positions(pieces, longitudes, _positions(placed, pieces.chunk), _written):
                if not line_is_open:
                    writer.open(b'{"type":"Feature","geometry":{"type":"MultiLineString","coordinates":[[' + position)
                elif is_start:  # a line has two positions at least
                    writer.file.write((b"," + last if is_alone else b"") + b"],\n[" + position)
                else:
                    writer.file.write(b"," + position)
                line_is_open, is_alone, last = True, is_start, position
        if line_is_open:
            end = (b"," + last if is_alone else b"") + b']]},"properties":' + properties + b"}"
            waiting.seek(0)
            writer.file.write(end + b",")
            shutil.copyfileobj(waiting, writer.file)
    spool.unlink()


def _row_features(placed: Placed, chunk: Chunk) -> list[bytes]:
    start = b'},"properties":{"section":' + _encode(placed.section.key) + b","
    geometries = _geometries(placed, chunk)
    rows = row_objects(placed.section.columns, chunk)
    return [
        b'{"type":"Feature","geometry":{' + geometry + start + row[1:] + b"}"
        for geometry, row in zip(geometries, rows, strict=True)
    ]


def _geometries(placed: Placed, chunk: Chunk) -> list[bytes]:
    if placed.geometry is not Geometry.LINES:
        return [b'"type":"Point","coordinates":' + position for position in _positions(placed, chunk)]
    ends = (_positions(placed, chunk, "start_"), _positions(placed, chunk, "end_"))
    return [_line(start, end, over) for start, end, over in zip(*ends, row_crossings(placed, chunk), strict=True)]


def _line(start: bytes, end: bytes, crossing: tuple[float, float] | None) -> bytes:
    """From one place to another, cut at the 180th meridian."""
    if crossing is None:
        return b'"type":"LineString","coordinates":[' + start + b"," + end + b"]"
    side, latitude = crossing
    lines = (start + b"," + _written(side, latitude), _written(-side, latitude) + b"," + end)
    return b'"type":"MultiLineString","coordinates":[[' + b"],[".join(lines) + b"]]"


def _positions(placed: Placed, chunk: Chunk, prefix: str = "") -> list[bytes]:
    return _all_written(placed.column(chunk, f"{prefix}longitude"), placed.column(chunk, f"{prefix}latitude"))


def _written(longitude: float, latitude: float) -> bytes:
    return _all_written(np.array([longitude]), np.array([latitude]))[0]


def _all_written(longitude_column: FloatArray, latitude_column: FloatArray) -> list[bytes]:
    longitudes = json_cells(ColumnKind.LONGITUDE, longitude_column)
    latitudes = json_cells(ColumnKind.LATITUDE, latitude_column)
    return [
        b"[" + longitude + b"," + latitude + b"]" for longitude, latitude in zip(longitudes, latitudes, strict=True)
    ]
