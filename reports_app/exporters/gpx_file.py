"""GPX 1.1 (https://www.topografix.com/GPX/1/1/): tracks with elevation, time, speed and course, waypoints for the rest.

It does not depend on display settings: meters, UTC, and m/s in Garmin's TrackPointExtension, as those standards ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.utils.translation import override

from reports_app.exporters.base import Exporter
from reports_app.exporters.cells import Cells, number_cells, text_cells, time_cells
from reports_app.exporters.places import (
    Geometry,
    Placed,
    placed_sections,
    row_crossings,
    rows_with_places,
    track_segments,
)
from reports_app.exporters.xml_text import xml_text
from reports_app.table import Chunk, ColumnKind, DisplaySettings, ReportTable, instant

KPH_PER_MPS = 3.6
_HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="GPS fleet" '
    b'xmlns="http://www.topografix.com/GPX/1/1" '
    b'xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2" '
    b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    b'xsi:schemaLocation="http://www.topografix.com/GPX/1/1 http://www.topografix.com/GPX/1/1/gpx.xsd">\n'
)
_EXTENSION = (b"<extensions><gpxtpx:TrackPointExtension>", b"</gpxtpx:TrackPointExtension></extensions>")


class GpxExporter(Exporter):
    """Waypoints come before tracks, as the schema asks."""

    format = "gpx"
    label = "GPX"
    extension = "gpx"
    content_type = "application/gpx+xml"
    needs_places = True

    def write(self, table: ReportTable, target: Path, display: DisplaySettings) -> None:
        found = placed_sections(table)
        with override(None), target.open("wb") as file:
            name, time = xml_text(f"{table.subject} · {table.title}"), instant(table.range_start).encode()
            file.write(_HEAD + b"<metadata><name>" + name + b"</name><time>" + time + b"</time></metadata>\n")
            for placed in sorted(found, key=lambda placed: placed.geometry is not Geometry.POINTS):
                _WRITERS[placed.geometry](file, placed)
            file.write(b"</gpx>\n")


def _write_points(file: IO[bytes], placed: Placed) -> None:
    for chunk in rows_with_places(placed):
        points = _points(placed, chunk, b"wpt", "", placed.first_of_kind(ColumnKind.DATETIME))
        file.write(b"".join(points))


def _write_lines(file: IO[bytes], placed: Placed) -> None:
    """A track of two points per row: where it started and where it ended, in two segments across the 180th meridian.

    No point is added there: other programs would read it as a position.
    """
    for chunk in rows_with_places(placed):
        starts = _points(placed, chunk, b"trkpt", "start_", placed.places.get("started_at"))
        ends = _points(placed, chunk, b"trkpt", "end_", placed.places.get("ended_at"))
        name = xml_text(str(placed.section.name))
        for start, end, crossing in zip(starts, ends, row_crossings(placed, chunk), strict=True):
            cut = b"" if crossing is None else b"</trkseg><trkseg>\n"
            file.write(b"<trk><name>" + name + b"</name><trkseg>\n" + start + cut + end + b"</trkseg></trk>\n")


def _write_track(file: IO[bytes], placed: Placed) -> None:
    file.write(b"<trk><name>" + xml_text(str(placed.section.name)) + b"</name>")
    end = b""
    for pieces in track_segments(placed):
        points = np.array(_points(placed, pieces.chunk, b"trkpt", "", placed.places["fix_time"]), dtype=object)
        for piece in np.split(np.arange(pieces.chunk.row_count), np.flatnonzero(pieces.starts)):
            if len(piece) and pieces.starts[piece[0]]:
                file.write(end + b"<trkseg>\n")
                end = b"</trkseg>"
            file.write(b"".join(points[piece].tolist()))
    file.write(end + b"</trk>\n")


_WRITERS = {Geometry.POINTS: _write_points, Geometry.LINES: _write_lines, Geometry.TRACK: _write_track}


def _points(placed: Placed, chunk: Chunk, element: bytes, prefix: str, time_place: int | None) -> list[bytes]:
    """Elements in the order of the schema: ele, time, name, extensions."""
    latitudes = number_cells(
        placed.column(chunk, f"{prefix}latitude"), 6, before=b"<" + element + b' lat="', after=b'"'
    )
    longitudes = number_cells(placed.column(chunk, f"{prefix}longitude"), 6, before=b' lon="', after=b'">')
    times: Sequence[bytes] = [b""] * chunk.row_count
    if time_place is not None:
        timestamps: Any = chunk.data[time_place]
        times = time_cells(timestamps, None, before=b"<time>", after=b"</time>")
    parts = [latitudes, longitudes, _numbers(placed, chunk, "altitude_meters", b"ele", 1), times]
    parts.append(_names(placed, chunk) if element == b"wpt" else _extensions(placed, chunk))
    parts.append(list(repeat(b"</" + element + b">\n", chunk.row_count)))
    return list(map(b"".join, zip(*parts, strict=True)))


def _names(placed: Placed, chunk: Chunk) -> Cells:
    """The name of a waypoint: its first label (the kind of an event), else its section."""
    place = placed.first_of_kind(ColumnKind.LABEL)
    section_name = b"<name>" + xml_text(str(placed.section.name)) + b"</name>"
    if place is None:
        return [section_name] * chunk.row_count
    labels: Any = chunk.data[place]
    return text_cells(labels, lambda label: b"<name>" + xml_text(label) + b"</name>", empty=section_name)


def _extensions(placed: Placed, chunk: Chunk) -> Cells:
    speeds = _numbers(placed, chunk, "speed_kph", b"gpxtpx:speed", 2, divisor=KPH_PER_MPS)
    courses = _numbers(placed, chunk, "course_degrees", b"gpxtpx:course", 1, turn=360.0)
    start, end = _EXTENSION
    both = zip(speeds, courses, strict=True)
    return [start + speed + course + end if speed or course else b"" for speed, course in both]


def _numbers(
    placed: Placed,
    chunk: Chunk,
    key: str,
    element: bytes,
    decimals: int,
    *,
    divisor: float = 1.0,
    turn: float = np.inf,
) -> Cells:
    """The numbers of a column as elements. Of angles, those that rounding brings to a whole turn are 0."""
    values = placed.column(chunk, key)
    if values is None:
        return [b""] * chunk.row_count
    values = np.where(np.round(values, decimals) >= turn, 0.0, values)
    return number_cells(values / divisor, decimals, before=b"<" + element + b">", after=b"</" + element + b">")
