"""Where the rows of a section are: what the geographic formats draw.

A section with columns `latitude` and `longitude` has a point per row; with `fix_time` besides, its rows are the track of
one device in time order. One with `start_latitude` ... `end_longitude` has two points per row. Others have no place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from reports_app.chunks import Chunk, Coded
from reports_app.columns import ColumnKind
from reports_app.exceptions import InvalidReport
from reports_app.table import ReportTable, Section

POINT = ("latitude", "longitude")
ENDS = ("start_latitude", "start_longitude", "end_latitude", "end_longitude")
# A pause this long is no line on a map, and the start of a new segment of a track.
MAX_GAP_SECONDS = 1800
_HALF_TURN_DEGREES = 180.0
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


def track_segments(placed: Placed) -> Iterator[tuple[Chunk, npt.NDArray[np.bool_]]]:
    """The chunks of a track, and which of their rows start a new segment: the first, and those after a long pause or
    on the other side of the 180th meridian."""
    last: tuple[int, float] | None = None
    for chunk in rows_with_places(placed):
        if not chunk.row_count:
            continue
        times, longitudes = placed.column(chunk, "fix_time"), placed.column(chunk, "longitude")
        before_times, before_longitudes = np.roll(times, 1), np.roll(longitudes, 1)
        if last is not None:
            before_times[0], before_longitudes[0] = last
        starts = times - before_times > MAX_GAP_SECONDS * _MICROSECONDS
        starts |= np.abs(longitudes - before_longitudes) > _HALF_TURN_DEGREES
        if last is None:
            starts[0] = True
        last = int(times[-1]), float(longitudes[-1])
        yield chunk, starts


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
