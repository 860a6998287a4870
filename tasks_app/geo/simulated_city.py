"""A believable city without map data: a rotated street grid around the centre of Sao Paulo.

Places are grid nodes (column, row), streets the lines between them; one block is 120 m. Every fourth line is a main
street, every eighth an avenue, the lines 24 blocks out are expressways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, degree_meters

Node = tuple[int, int]
IntArray = npt.NDArray[np.int64]

CENTRE_LATITUDE, CENTRE_LONGITUDE = -23.5505, -46.6333
GRID_TURN_DEGREES = 23.0
BLOCK_METERS = 120.0
REACH_BLOCKS = 36
DEPOT: Node = (-20, -17)
MARKET: Node = (-11, 14)
INDUSTRY: Node = (14, 21)
DEVICE_LIMIT_KPH = 90.0


@dataclass(frozen=True, slots=True)
class NamedArea:
    """A geofence to create: its area as `geofence.validate_area` wants it, its limit in km/h or None."""

    name: str
    area: dict[str, Any]
    speed_limit_kph: float | None = None


def street_limit_kph(line: IntArray) -> IntArray:
    """Speed limit of the streets with these line numbers: 30, 50, 60 or 90 km/h."""
    expressway = (line % 24 == 0) & (line != 0)
    return np.select([expressway, line % 8 == 0, line % 4 == 0], [90, 60, 50], default=30)


def to_degrees(x_meters: npt.ArrayLike, y_meters: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Latitudes and longitudes of points on the city's plane, x and y in meters along the grid's own axes."""
    x, y = np.asarray(x_meters, dtype=np.float64), np.asarray(y_meters, dtype=np.float64)
    turn = np.radians(GRID_TURN_DEGREES)
    east, north = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    per_latitude, per_longitude = degree_meters(CENTRE_LATITUDE)
    return CENTRE_LATITUDE + north / per_latitude, CENTRE_LONGITUDE + east / per_longitude


def node_degrees(node: Node) -> tuple[float, float]:
    """Latitude and longitude of a node."""
    latitude, longitude = to_degrees(node[0] * BLOCK_METERS, node[1] * BLOCK_METERS)
    return float(latitude), float(longitude)


def route(start: Node, end: Node, random: np.random.Generator) -> IntArray:
    """Nodes (k, 2) from start to end, a block apart, by way of one avenue in each direction."""
    row, column = _avenue_near(start[1], end[1], random), _avenue_near(start[0], end[0], random)
    corners = [start, (start[0], row), (column, row), (column, end[1]), end]
    nodes = [start]
    for corner in corners[1:]:
        nodes.extend(_straight(nodes[-1], corner))
    return np.array(_without_detours(nodes), dtype=np.int64)


def named_areas() -> list[NamedArea]:
    """Six geofences the simulated fleet really crosses, two of them with a limit that some drivers break."""
    return [
        NamedArea("Depot", _circle(DEPOT, 180.0)),
        NamedArea("Centre", _block_polygon([(-10, -9), (9, -11), (11, 8), (2, 12), (-9, 10)]), 60.0),
        NamedArea("Market", _circle(MARKET, 350.0)),
        NamedArea("Industrial park", _block_polygon([(10, 17), (18, 17), (18, 25), (13, 27), (10, 24)])),
        NamedArea("Avenue eight", _corridor([(-22, 8), (22, 8)], 60.0), 60.0),
        NamedArea("Ring east", _corridor([(24, -32), (24, 32)], 80.0), 90.0),
    ]


def _avenue_near(first: int, second: int, random: np.random.Generator) -> int:
    """The number of an avenue between two lines, else of the one nearest to them."""
    low, high = sorted((first, second))
    between = [line for line in range(-32, 33, 8) if low <= line <= high]
    fast = [line for line in (-24, 24) if low - 6 <= line <= high + 6]
    choices = (between + 2 * fast) or [round((low + high) / 16) * 8]
    return int(random.choice(choices))


def _straight(start: Node, end: Node) -> list[Node]:
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    across, along = np.sign(end[0] - start[0]), np.sign(end[1] - start[1])
    return [(int(start[0] + across * step), int(start[1] + along * step)) for step in range(1, steps + 1)]


def _without_detours(nodes: list[Node]) -> list[Node]:
    """The same way without driving into a street and straight back out of it."""
    kept: list[Node] = []
    for node in nodes:
        if len(kept) > 1 and kept[-2] == node:
            kept.pop()
        else:
            kept.append(node)
    return kept


def _lonlat(node: Node) -> list[float]:
    latitude, longitude = node_degrees(node)
    return [round(longitude, 6), round(latitude, 6)]


def _circle(node: Node, radius_meters: float) -> dict[str, Any]:
    return {"type": "Circle", "coordinates": _lonlat(node), "radius_meters": radius_meters}


def _block_polygon(corners: list[Node]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [[_lonlat(corner) for corner in [*corners, corners[0]]]]}


def _corridor(nodes: list[Node], width_meters: float) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [_lonlat(node) for node in nodes], "width_meters": width_meters}
