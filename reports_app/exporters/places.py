"""Where the rows of a section are: what the geographic formats draw.

A section with columns `latitude` and `longitude` has a point per row; with `fix_time` besides, its rows are the track of
one device in time order. One with `start_latitude` ... `end_longitude` has two points per row. Others have no place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from reports_app.table import Chunk, Coded, ColumnKind, ReportTable, Section
from tasks_app.geo.antimeridian import crossing_latitudes

POINT = ("latitude", "longitude")
ENDS = ("start_latitude", "start_longitude", "end_latitude", "end_longitude")
# A pause this long is no line on a map, and the start of a new segment of a track.
MAX_GAP_SECONDS = 1800
HALF_TURN_DEGREES = 180.0
_MICROSECONDS = 1_000_000


class Geometry(Enum):
    TRACK = "track"
    POINTS = "points"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Placed:
    """A section with places, and where its columns are by key."""

    section: Section
    geometry: Geometry
    places: dict[str, int]

    def column(self, chunk: Chunk, key: str) -> Any:
        """A column of a chunk by its key, None when the section has none."""
        return chunk.data[self.places[key]] if key in self.places else None

    def first_of_kind(self, *kinds: ColumnKind) -> int | None:
        """The index of the first column of one of these kinds."""
        columns = enumerate(self.section.columns)
        return next((index for index, column in columns if column.kind in kinds), None)


def placed_sections(table: ReportTable) -> list[Placed]:
    """The sections that have places. Raises InvalidReport (no_places) when there is none."""
    found = [placed for section in table.sections if (placed := placed_section(section))]
    if not found:
        raise InvalidReport("no_places", _("This report has no places to draw."), field="format")
    return found


def rows_with_places(placed: Placed) -> Iterator[Chunk]:
    """The chunks of a section without the rows that lack a coordinate."""
    keys = ENDS if placed.geometry is Geometry.LINES else POINT
    for chunk in placed.section.chunks():
        has_place = ~np.isnan(np.array([placed.column(chunk, key) for key in keys])).any(axis=0)
        yield chunk if has_place.all() else _chosen(chunk, has_place)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Rows of a track, and which of them start a new segment: the first, and those after a long pause or on the other
    side of the 180th meridian. `crossings` are the latitudes at which the way there met that meridian, else NaN."""

    chunk: Chunk
    starts: npt.NDArray[np.bool_]
    crossings: npt.NDArray[np.float64]


def track_segments(placed: Placed) -> Iterator[Pieces]:
    """The chunks of a track in pieces that a map can draw."""
    last: tuple[int, float, float] | None = None
    for chunk in rows_with_places(placed):
        if not chunk.row_count:
            continue
        own = [placed.column(chunk, key) for key in ("fix_time", *POINT)]
        before = [np.roll(values, 1) for values in own]
        for values, value in zip(before, last or [values[0] for values in own], strict=True):
            values[0] = value
        starts = own[0] - before[0] > MAX_GAP_SECONDS * _MICROSECONDS
        crossings = np.where(starts, np.nan, crossing_latitudes(*before[1:], *own[1:]))
        starts |= ~np.isnan(crossings)
        starts[0] |= last is None
        last = int(own[0][-1]), float(own[1][-1]), float(own[2][-1])
        yield Pieces(chunk, starts, crossings)


def line_positions(
    pieces: Pieces,
    longitudes: npt.NDArray[np.float64],
    positions: Sequence[bytes],
    written: Callable[[float, float], bytes],
) -> Iterator[tuple[bytes, bool]]:
    """The written positions of a track's lines, and which of them start one. At the 180th meridian the line is cut (RFC
    7946, section 3.1.9): it ends on the one side, and another begins on the other; `written` takes longitude, latitude."""
    rows = zip(positions, pieces.starts.tolist(), pieces.crossings.tolist(), longitudes.tolist(), strict=True)
    for position, is_start, latitude, longitude in rows:
        if not math.isnan(latitude):
            side = math.copysign(HALF_TURN_DEGREES, longitude)
            yield written(-side, latitude), False
            yield written(side, latitude), True
        yield position, is_start and math.isnan(latitude)


def row_crossings(placed: Placed, chunk: Chunk) -> list[tuple[float, float] | None]:
    """Where the line of each row meets the 180th meridian: on which side it arrives there, and the latitude."""
    ends = [placed.column(chunk, key) for key in ENDS]
    latitudes = crossing_latitudes(*ends).tolist()
    sides = np.copysign(HALF_TURN_DEGREES, ends[1]).tolist()
    return [None if math.isnan(latitude) else (side, latitude) for side, latitude in zip(sides, latitudes, strict=True)]


def placed_section(section: Section) -> Placed | None:
    """The section with where its places are, None for one without."""
    places = {column.key: index for index, column in enumerate(section.columns)}
    if places.keys() >= set(POINT):
        return Placed(section, Geometry.TRACK if "fix_time" in places else Geometry.POINTS, places)
    return Placed(section, Geometry.LINES, places) if places.keys() >= set(ENDS) else None


def _chosen(chunk: Chunk, wanted: npt.NDArray[np.bool_]) -> Chunk:
    def pick(data: Any) -> Any:
        if isinstance(data, Coded):
            return Coded(data.codes[wanted], data.values)
        if isinstance(data, np.ndarray):
            return data[wanted]
        return [text for text, is_wanted in zip(data, wanted.tolist(), strict=True) if is_wanted]

    return Chunk(int(wanted.sum()), [pick(data) for data in chunk.data])
