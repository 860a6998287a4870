"""A small drawing of a geofence's area, as inline SVG: no map tiles, no other host."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tasks_app.geo.areas import corridor_width_meters
from tasks_app.geo.distance import METERS_PER_DEGREE
from tasks_app.geo.geofence import InvalidArea, validate_area

WIDTH, HEIGHT, MARGIN = 320.0, 200.0, 14.0
Point = tuple[float, float]


def area_svg(area: Any) -> SafeString | str:
    """Draw `area` (GeoJSON, or our Circle) north up, scaled to fit; empty text for an area that is not valid."""
    try:
        validate_area(area)
    except InvalidArea:
        return ""
    rings, reach_meters = _rings(area)
    project, units_per_meter = _projection([point for ring in rings for point in ring], reach_meters)
    return format_html(
        '<svg class="tk-sketch" viewBox="0 0 {} {}" role="img" aria-hidden="true">{}</svg>',
        int(WIDTH),
        int(HEIGHT),
        _shape(area["type"], [[project(point) for point in ring] for ring in rings], reach_meters * units_per_meter),
    )


def _rings(area: dict[str, Any]) -> tuple[list[list[Point]], float]:
    """The lines to draw in degrees, and how far around them the area reaches in meters."""
    kind, coordinates = area["type"], area["coordinates"]
    if kind == "Circle":
        return [[(coordinates[0], coordinates[1])]], float(area["radius_meters"])
    if kind == "LineString":
        return [_points(coordinates)], corridor_width_meters(area) / 2
    polygons = [coordinates] if kind == "Polygon" else coordinates
    return [_points(ring) for polygon in polygons for ring in polygon], 0.0


def _points(coordinates: Iterable[Any]) -> list[Point]:
    return [(position[0], position[1]) for position in coordinates]


def _projection(points: list[Point], reach_meters: float) -> tuple[Any, float]:
    """A function from degrees to drawing units, and drawing units per meter (equirectangular around the middle)."""
    middle = math.radians((min(lat for _, lat in points) + max(lat for _, lat in points)) / 2)
    shrink = max(0.01, math.cos(middle))
    reach = reach_meters / float(METERS_PER_DEGREE)
    xs, ys = [lon * shrink for lon, _ in points], [lat for _, lat in points]
    west, east, south, north = min(xs) - reach, max(xs) + reach, min(ys) - reach, max(ys) + reach
    scale = min((WIDTH - 2 * MARGIN) / max(east - west, 1e-9), (HEIGHT - 2 * MARGIN) / max(north - south, 1e-9))
    centre_x, centre_y = (west + east) / 2, (south + north) / 2

    def project(point: Point) -> Point:
        x, y = (point[0] * shrink - centre_x) * scale, (point[1] - centre_y) * scale
        return round(WIDTH / 2 + x, 1), round(HEIGHT / 2 - y, 1)

    return project, scale / float(METERS_PER_DEGREE)


def _shape(kind: str, rings: list[list[Point]], reach_units: float) -> SafeString:
    if kind == "Circle":
        ((x, y),) = rings[0]
        return format_html(
            '<circle cx="{}" cy="{}" r="{}"/><circle cx="{}" cy="{}" r="2"/>', x, y, round(reach_units, 1), x, y
        )
    path = format_html_join(" ", "M{}", ((_line(ring),) for ring in rings))
    if kind == "LineString":
        width = max(1.0, round(reach_units * 2, 1))
        return format_html(
            '<path class="tk-corridor" d="{}" stroke-width="{}"/><path class="tk-line" d="{}"/>', path, width, path
        )
    return format_html('<path d="{} Z" fill-rule="evenodd"/>', path)


def _line(ring: list[Point]) -> str:
    return " L".join(f"{x} {y}" for x, y in ring)
