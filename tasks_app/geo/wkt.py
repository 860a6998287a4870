"""Areas from WKT text (OGC 06-103r4, Well-known Text) into the GeoJSON areas of `geo.areas`.

Read are POLYGON, MULTIPOLYGON, LINESTRING (a corridor) and CIRCLE, which is Traccar's: `CIRCLE (lat lon, radius)` with the
radius in meters. Standard WKT writes longitude before latitude; Traccar writes latitude first. A ring that is not closed is
closed, a third and fourth coordinate (Z, M) and the prefix `SRID=4326;` are left aside.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from tasks_app.geo.areas import MAX_POINTS, InvalidArea, validate_area

Order = Literal["lonlat", "latlon"]
Points = list[list[float]]

MAX_TEXT_CHARACTERS = 1_000_000
_HEAD = re.compile(r"\s*(?:SRID\s*=\s*(\d{1,9})\s*;)?\s*([A-Z]+)\s*(ZM|Z|M)?\s*(?=\()", re.IGNORECASE)
_TOKEN = re.compile(r"\s*([(),]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?(?![\w.]))")


def area_from_wkt(text: str, *, order: Order = "lonlat", corridor_width_meters: float | None = None) -> dict[str, Any]:
    """The area that `text` describes, its points in `order`. Raises InvalidArea for a text or an area that is none.

    `corridor_width_meters` is the whole width of a LINESTRING (twice Traccar's `polylineDistance`); without it the area
    has the usual width.
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidArea("An area may have at most %(most)d characters.", most=MAX_TEXT_CHARACTERS)
    head = _HEAD.match(text)
    if head is None:
        raise InvalidArea("The area is no WKT such as POLYGON ((10 50, 11 50, 11 51, 10 50)).")
    if head[1] and int(head[1]) != 4326:
        raise InvalidArea("Only coordinates of SRID 4326 (degrees) are understood.")
    reader = _Reader(text, head.end(), swap=order == "latlon")
    area = _area(head[2].upper(), reader)
    reader.finish()
    if area["type"] == "LineString" and corridor_width_meters is not None:
        area["width_meters"] = corridor_width_meters
    validate_area(area)
    return area


def _area(kind: str, reader: _Reader) -> dict[str, Any]:
    match kind:
        case "POLYGON":
            return {"type": "Polygon", "coordinates": reader.polygon()}
        case "MULTIPOLYGON":
            return {"type": "MultiPolygon", "coordinates": reader.listed(reader.polygon)}
        case "LINESTRING":
            return {"type": "LineString", "coordinates": reader.points()}
        case "CIRCLE":
            centre, radius_meters = reader.circle()
            return {"type": "Circle", "coordinates": centre, "radius_meters": radius_meters}
    raise InvalidArea("The area must be a POLYGON, a MULTIPOLYGON, a LINESTRING or a CIRCLE.")


class _Reader:
    """Reads one token after the other; `swap` says that points are written latitude first."""

    def __init__(self, text: str, place: int, *, swap: bool) -> None:
        self.text, self.place, self.swap = text, place, swap
        self.point_count = 0

    def listed(self, read_one: Any) -> list[Any]:
        """`(one, one, ...)`"""
        self._expect("(")
        found = [read_one()]
        while self._peek() == ",":
            self._next()
            found.append(read_one())
        self._expect(")")
        return found

    def points(self) -> Points:
        return self.listed(self.point)

    def polygon(self) -> list[Points]:
        return self.listed(self._ring)

    def circle(self) -> tuple[list[float], float]:
        self._expect("(")
        centre = self.point()
        self._expect(",")
        radius_meters = self._number()
        self._expect(")")
        return centre, radius_meters

    def point(self) -> list[float]:
        self.point_count += 1
        if self.point_count > MAX_POINTS + 1:
            raise InvalidArea("An area may have at most %(most)d points.", most=MAX_POINTS)
        first, second = self._number(), self._number()
        for _ in range(2):
            if self._peek() not in (",", ")", ""):
                self._number()
        return [second, first] if self.swap else [first, second]

    def finish(self) -> None:
        if self.text[self.place :].strip(" \t\r\n;"):
            raise self._unexpected()

    def _ring(self) -> Points:
        ring = self.points()
        return ring if ring[0] == ring[-1] else [*ring, list(ring[0])]

    def _number(self) -> float:
        token = self._next()
        if token in ("(", ")", ","):
            raise self._unexpected()
        return float(token)

    def _expect(self, wanted: str) -> None:
        if self._next() != wanted:
            raise self._unexpected()

    def _peek(self) -> str:
        found = _TOKEN.match(self.text, self.place)
        return found[1] if found else ""

    def _next(self) -> str:
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            raise self._unexpected()
        self.place = found.end()
        return found[1]

    def _unexpected(self) -> InvalidArea:
        return InvalidArea("The WKT cannot be read at character %(place)d.", place=self.place + 1)
