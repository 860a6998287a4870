"""Areas that are valid and yet hardly meant: far from every device, or with latitude and longitude swapped."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import haversine_meters
from tasks_app.geo.geofence import GeofenceIndex

FAR_METERS = 100_000.0
# So many points of an area stand for all of them, and so many devices for all.
MOST_POINTS, MOST_DEVICES = 50, 10_000


class AreaDoubt(Enum):
    """The reason why an area is doubted."""

    FAR = "far"
    SWAPPED = "swapped"


def doubt_about(area: dict[str, Any], latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> AreaDoubt | None:
    """Return why an area that was checked is doubted, given the places of the devices (degrees); None without devices."""
    places = np.column_stack([np.asarray(latitudes, float), np.asarray(longitudes, float)])[:MOST_DEVICES]
    if not len(places) or _is_near(_points_of(area), area, places):
        return None
    swapped = _points_of(area)[:, ::-1]
    is_possible = bool(np.all(np.abs(swapped[:, 1]) <= 90))
    return AreaDoubt.SWAPPED if is_possible and _is_near(swapped, None, places) else AreaDoubt.FAR


def _is_near(points: npt.NDArray[np.float64], area: dict[str, Any] | None, places: npt.NDArray[np.float64]) -> bool:
    """Whether a device is within reach of one of the points (longitude, latitude), or inside of the area."""
    reach_meters = FAR_METERS + (float(area["radius_meters"]) if area and area["type"] == "Circle" else 0.0)
    meters = haversine_meters(places[:, :1], places[:, 1:], points[:, 1][None, :], points[:, 0][None, :])
    if float(np.min(meters)) <= reach_meters:
        return True
    return area is not None and bool(GeofenceIndex([(1, area)]).inside(places[:, 0], places[:, 1]).any())


def _points_of(area: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Return at most MOST_POINTS of the area's points, spread over all of it."""
    coordinates = area["coordinates"]
    match area["type"]:
        case "Circle":
            found = [coordinates]
        case "LineString":
            found = coordinates
        case "Polygon":
            found = coordinates[0]
        case _:
            found = [point for polygon in coordinates for point in polygon[0]]
    step = -(-len(found) // MOST_POINTS)
    return np.array([point[:2] for point in found[::step]], dtype=np.float64)
