"""Areas from text as people have them: GeoJSON (also a Feature or a FeatureCollection), WKT, or KML."""

from __future__ import annotations

import json
from typing import Any

from tasks_app.geo.areas import InvalidArea, validate_area
from tasks_app.geo.kml import shapes_from_kml
from tasks_app.geo.wkt import MAX_TEXT_CHARACTERS, Order, area_from_wkt

_POLYGONS = ("Polygon", "MultiPolygon")
MAX_DEPTH = 32


def area_from_text(text: str, *, order: Order = "lonlat") -> dict[str, Any]:
    """Return the area that a text describes; raise InvalidArea, saying why, if it describes none, or more than one can hold.

    Several polygons become one area. `order` is that of WKT; GeoJSON and KML have longitude first.
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InvalidArea("An area may have at most %(most)d characters.", most=MAX_TEXT_CHARACTERS)
    stripped = text.lstrip("\ufeff \t\r\n")
    if not stripped:
        raise InvalidArea("The text is empty.")
    if stripped[0] not in "{<":
        return area_from_wkt(stripped, order=order)
    shapes = shapes_from_kml(stripped) if stripped[0] == "<" else _shapes_from_geojson(stripped)
    area = _joined(shapes)
    validate_area(area)
    return area


def _joined(shapes: list[dict[str, Any]]) -> dict[str, Any]:
    polygons = [shape for shape in shapes if shape.get("type") in _POLYGONS]
    if len(polygons) > 1:
        return {"type": "MultiPolygon", "coordinates": [part for shape in polygons for part in _parts(shape)]}
    others = [shape for shape in shapes if shape not in polygons]
    if polygons:
        return polygons[0]
    if len(others) == 1:
        return others[0]
    if others:
        raise InvalidArea("The text has several lines or points: an area can be only one of them.")
    raise InvalidArea("The text has no shape.")


def _parts(shape: dict[str, Any]) -> list[Any]:
    coordinates = shape.get("coordinates")
    if shape["type"] == "Polygon":
        return [coordinates]
    return coordinates if isinstance(coordinates, list) else [coordinates]


def _shapes_from_geojson(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidArea("The GeoJSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise InvalidArea(
            "The GeoJSON cannot be read in line %(line)d, column %(column)d.", line=error.lineno, column=error.colno
        ) from error
    except InvalidArea:
        raise
    except ValueError as error:
        raise InvalidArea("The GeoJSON has a number that is too long.") from error
    shapes: list[dict[str, Any]] = []
    _collect(found, shapes, depth=0)
    return shapes


def _refuse_constant(name: str) -> float:
    raise InvalidArea("%(name)s is no coordinate.", name=name)


def _collect(found: Any, shapes: list[dict[str, Any]], *, depth: int) -> None:
    """Add the geometries in `found`, whether it is one, a Feature, or a collection of either."""
    if not isinstance(found, dict) or depth > MAX_DEPTH:
        raise InvalidArea("The GeoJSON must be a geometry, a Feature or a FeatureCollection.")
    if found.get("type") == "Feature":
        _collect(found.get("geometry"), shapes, depth=depth + 1)
    elif found.get("type") in ("FeatureCollection", "GeometryCollection"):
        parts = found.get("features" if found["type"] == "FeatureCollection" else "geometries")
        if not isinstance(parts, list):
            raise InvalidArea("The GeoJSON's collection has no list.")
        for part in parts:
            _collect(part, shapes, depth=depth + 1)
    else:
        shapes.append(found)
