"""Areas of geofences: their forms, and the check that says why one is refused.

An area is a GeoJSON geometry (RFC 7946, positions are longitude, latitude in degrees):

* `{"type": "Polygon", "coordinates": [ring, hole, ...]}` and `MultiPolygon`
* `{"type": "Circle", "coordinates": [lon, lat], "radius_meters": r}` (not in the RFC; every tracker has circles)
* `{"type": "LineString", "coordinates": [[lon, lat], ...], "width_meters": w}`: a corridor, w / 2 to either side
"""

from __future__ import annotations

from typing import Any

import shapely

from tasks_app.geo.refusals import N_, Refusal

MAX_POINTS = 10_000
MAX_RADIUS_METERS = 1_000_000.0
MAX_WIDTH_METERS = 100_000.0
DEFAULT_CORRIDOR_WIDTH_METERS = 50.0


class InvalidArea(Refusal):
    """The area cannot be used as a geofence; the message says what is wrong with it."""


def validate_area(area: Any) -> None:
    """Raise InvalidArea unless `area` is one of the shapes above with finite coordinates in range."""
    if not isinstance(area, dict):
        raise InvalidArea("An area must be a JSON object with a type and coordinates.")
    kind = area.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise InvalidArea("The area's type must be one of %(kinds)s.", kinds=", ".join(_CHECKS))
    check(area)


def validate_members(area: dict[str, Any]) -> None:
    """Raise InvalidArea where an area that was checked has a member without a meaning, such as a misspelt width.

    Apart from `validate_area`, so that an area stored with one before goes on to count.
    """
    unknown = area.keys() - {"type", "coordinates", "bbox", _SIZES.get(area["type"], "type")}
    if unknown:
        names = ", ".join(sorted(str(name)[:40] for name in unknown)[:5])
        raise InvalidArea("An area of type %(kind)s has no %(names)s.", kind=area["type"], names=names)


def corridor_width_meters(area: dict[str, Any]) -> float:
    """The full width of a LineString area in meters."""
    return float(area.get("width_meters", DEFAULT_CORRIDOR_WIDTH_METERS))


def polygon_geometry(area: dict[str, Any]) -> shapely.Geometry:
    """The shapely geometry, in degrees, of a Polygon or MultiPolygon area that was already checked."""
    parts = [area["coordinates"]] if area["type"] == "Polygon" else area["coordinates"]
    polygons = [shapely.Polygon(_flat(rings[0]), [_flat(hole) for hole in rings[1:]]) for rings in parts]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def _flat(ring: list[list[float]]) -> list[tuple[float, float]]:
    return [(position[0], position[1]) for position in ring]


def _check_circle(area: dict[str, Any]) -> None:
    _check_position(area.get("coordinates"))
    _check_length(area.get("radius_meters"), "radius_meters", MAX_RADIUS_METERS)


def _check_corridor(area: dict[str, Any]) -> None:
    line = _check_positions(area.get("coordinates"), at_least=2)
    if len(set(_flat(line))) < 2:
        raise InvalidArea("A LineString needs two different points.")
    _check_length(area.get("width_meters", DEFAULT_CORRIDOR_WIDTH_METERS), "width_meters", MAX_WIDTH_METERS)
    _check_span(line)


def _check_polygon(area: dict[str, Any]) -> None:
    _check_parts([area.get("coordinates")])
    _check_shape(area)


def _check_multipolygon(area: dict[str, Any]) -> None:
    _check_parts(area.get("coordinates"))
    _check_shape(area)


def _check_parts(parts: Any) -> None:
    if not isinstance(parts, list) or not parts:
        raise InvalidArea("A MultiPolygon needs a list of polygons.")
    points = 0
    for rings in parts:
        if not isinstance(rings, list) or not rings:
            raise InvalidArea("A polygon needs a list of rings, the outer one first.")
        for ring in rings:
            points += len(_check_ring(ring))
            if points > MAX_POINTS:
                raise InvalidArea("An area may have at most %(most)d points.", most=MAX_POINTS)


def _check_ring(ring: Any) -> list[list[float]]:
    positions = _check_positions(ring, at_least=4)
    if positions[0][:2] != positions[-1][:2]:
        raise InvalidArea("A polygon's ring must be closed: its last point equals its first.")
    _check_span(positions)
    return positions


def _check_shape(area: dict[str, Any]) -> None:
    geometry = polygon_geometry(area)
    if not geometry.is_valid:
        raise _invalid_polygon(shapely.is_valid_reason(geometry))
    if geometry.area <= 0.0:
        raise InvalidArea("The polygon has no surface.")


# By the words of GEOS, which adds the place in brackets.
_REASONS = {
    "Self-intersection": N_("The line of the area crosses itself near longitude %(longitude)s, latitude %(latitude)s."),
    "Ring Self-intersection": N_(
        "The line of the area touches itself near longitude %(longitude)s, latitude %(latitude)s."
    ),
    "Hole lies outside shell": N_("A hole lies outside of the area."),
    "Holes are nested": N_("A hole lies inside another hole."),
    "Nested shells": N_("A polygon lies inside another one."),
    "Interior is disconnected": N_("A hole cuts the area into parts."),
    "Duplicate Rings": N_("Two rings of the area are the same."),
}


def _invalid_polygon(reason: str) -> InvalidArea:
    kind, _, place = reason.rstrip("]").partition("[")
    sentence = _REASONS.get(kind.strip())
    if sentence is None:
        return InvalidArea("The polygon is not valid: %(reason)s.", reason=reason)
    if "%(" not in sentence:
        return InvalidArea(sentence)
    longitude, latitude = (f"{float(value):.5f}" for value in place.split()[:2])
    return InvalidArea(sentence, longitude=longitude, latitude=latitude)


def _check_span(positions: list[list[float]]) -> None:
    longitudes = [position[0] for position in positions]
    if max(longitudes) - min(longitudes) > 180.0:
        raise InvalidArea("An area wider than 180 degrees must be cut at the antimeridian (RFC 7946, 3.1.9).")


def _check_positions(positions: Any, *, at_least: int) -> list[list[float]]:
    if not isinstance(positions, list) or len(positions) < at_least:
        raise InvalidArea("At least %(least)d [longitude, latitude] points are needed.", least=at_least)
    if len(positions) > MAX_POINTS:
        raise InvalidArea("An area may have at most %(most)d points.", most=MAX_POINTS)
    for position in positions:
        _check_position(position)
    return positions


def _check_position(position: Any) -> None:
    if not isinstance(position, list | tuple) or len(position) not in (2, 3):
        raise InvalidArea("A point must be a [longitude, latitude] pair.")
    if not _is_within(position[0], 180):
        raise InvalidArea("A point's longitude must be a number from -180 to 180.")
    if not _is_within(position[1], 90):
        raise InvalidArea("A point's latitude must be a number from -90 to 90.")


def _check_length(value: Any, name: str, most: float) -> None:
    if not is_number(value) or not 0 < value <= most:
        raise InvalidArea("%(name)s must be a number above 0 and at most %(most)d.", name=name, most=most)


def _is_within(value: Any, limit: float) -> bool:
    return is_number(value) and -limit <= value <= limit


def is_number(value: Any) -> bool:
    """True for int and float; bool, an int to Python, is not a number. The range checks catch NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool)


# The member with the size of an area, by its type.
_SIZES = {"Circle": "radius_meters", "LineString": "width_meters"}

_CHECKS = {
    "Polygon": _check_polygon,
    "MultiPolygon": _check_multipolygon,
    "Circle": _check_circle,
    "LineString": _check_corridor,
}
