"""Shapes from KML (OGC 12-007r2): polygons and lines. Nothing outside of the text is read."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from tasks_app.geo.areas import MAX_POINTS, InvalidArea

MAX_DEPTH = 64
MAX_PARTS = 1_000
Points = list[list[float]]


def shapes_from_kml(text: str) -> list[dict[str, Any]]:
    """Return the Polygons and LineStrings of a KML document as GeoJSON, unchecked. Raises InvalidArea for what is no KML."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    # Entities that refer to each other grow without bound; KML has no use for any.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise InvalidArea("The KML cannot be read in line %(line)d.", line=error.lineno) from error
    return reader.shapes


def _refuse_doctype(*_: Any) -> None:
    raise InvalidArea("A KML document with a DOCTYPE is not read.")


class _Reader:
    """Handlers of expat: gathers rings between <Polygon> and </Polygon>, and lines outside of one."""

    def __init__(self) -> None:
        self.shapes: list[dict[str, Any]] = []
        self.point_count = 0
        self._depth = 0
        self._polygon: tuple[list[Points], list[Points]] | None = None
        self._is_hole = False
        self._text: list[str] | None = None
        self._points: Points = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidArea("The KML is nested too deeply.")
        match _local(name):
            case "Polygon":
                self._polygon = ([], [])
            case "innerBoundaryIs":
                self._is_hole = True
            case "LinearRing" | "LineString":
                # One without coordinates has no points, not those of the shape before it.
                self._points = []
            case "coordinates":
                self._text = []

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, name: str) -> None:
        self._depth -= 1
        match _local(name):
            case "coordinates":
                self._points, self._text = self._positions("".join(self._text or [])), None
            case "LinearRing" if self._polygon is not None:
                self._polygon[self._is_hole].append(_closed(self._points))
            case "innerBoundaryIs":
                self._is_hole = False
            case "Polygon" if self._polygon is not None:
                outer, holes = self._polygon
                self._polygon = None
                self._add({"type": "Polygon", "coordinates": [*outer, *holes]})
            case "LineString":
                self._add({"type": "LineString", "coordinates": self._points})

    def _add(self, shape: dict[str, Any]) -> None:
        self.shapes.append(shape)
        if len(self.shapes) > MAX_PARTS:
            raise InvalidArea("The KML has more than %(most)d shapes.", most=MAX_PARTS)

    def _positions(self, text: str) -> Points:
        """Positions of `longitude,latitude[,altitude] ...`."""
        found: Points = []
        for position in text.split():
            self.point_count += 1
            if self.point_count > MAX_POINTS:
                raise InvalidArea("An area may have at most %(most)d points.", most=MAX_POINTS)
            try:
                longitude, latitude = map(float, position.split(",")[:2])
            except ValueError:
                raise InvalidArea("The KML has “%(text)s” for a longitude,latitude.", text=position[:40]) from None
            found.append([longitude, latitude])
        return found


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _closed(ring: Points) -> Points:
    return ring if not ring or ring[0] == ring[-1] else [*ring, list(ring[0])]
