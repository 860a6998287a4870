"""Which fixes are inside which geofences, for many fixes and many geofences at once.

Circles, corridors and the way to a border are measured on the sphere: a radius of 1 km is right to 6 m, as exact as a fix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import shapely

from tasks_app.geo.areas import InvalidArea, corridor_width_meters, polygon_geometry, validate_area
from tasks_app.geo.distance import (
    LEAST_METERS_PER_DEGREE,
    METERS_PER_DEGREE,
    FloatArray,
    haversine_meters,
    wrapped_longitude_delta,
)

__all__ = ["GeofenceIndex", "InvalidArea", "validate_area"]

BoolArray = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]

# Wider than any rounding in a degree value, far narrower than GPS can see (about a tenth of a millimeter).
BOX_MARGIN_DEGREES = 1e-9
DISTANCE_CHUNK_CELLS = 2_000_000


class _Shape(Protocol):
    """One area, prepared. Arrays are degrees of shape (n,); `boxes` are (west, south, east, north)."""

    boxes: list[Box]

    def contains(self, latitudes: FloatArray, longitudes: FloatArray) -> BoolArray: ...

    def boundary_distance_meters(self, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray: ...


class GeofenceIndex:
    """An immutable index over geofences, built once and asked for every batch.

    `ids[j]` is the id of column j in every result. Raises InvalidArea for an area `validate_area` refuses.
    """

    def __init__(self, areas: Iterable[tuple[int, dict[str, Any]]]) -> None:
        pairs = list(areas)
        self.ids: tuple[int, ...] = tuple(geofence_id for geofence_id, _ in pairs)
        self._shapes = [_shape(area) for _, area in pairs]
        columns = [(column, box) for column, shape in enumerate(self._shapes) for box in shape.boxes]
        self._columns = np.array([column for column, _ in columns], dtype=np.intp)
        self._boxes = np.array([box for _, box in columns], dtype=np.float64).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self.ids)

    def inside(self, latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> BoolArray:
        """Membership matrix of shape (n_fixes, n_geofences); a point on the border is inside, a NaN point nowhere."""
        latitudes, longitudes = _degrees(latitudes), _degrees(longitudes)
        result = np.zeros((len(latitudes), len(self.ids)), dtype=np.bool_)
        rows, columns = self._candidates(latitudes, longitudes)
        edges = np.append(np.flatnonzero(np.diff(columns, prepend=-1)), len(columns))
        for start, end in pairwise(edges):
            chosen, column = rows[start:end], columns[start]
            result[chosen, column] = self._shapes[column].contains(latitudes[chosen], longitudes[chosen])
        return result

    def boundary_distance_meters(self, column: int, latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> FloatArray:
        """Meters (>= 0, shape (n,)) from each fix to the nearest border of the geofence in `column`."""
        return self._shapes[column].boundary_distance_meters(_degrees(latitudes), _degrees(longitudes))

    def nearest(self, latitude: float, longitude: float) -> tuple[int, float] | None:
        """The column of the geofence whose border is nearest to a place outside of all, and the meters to it; None for an
        empty index."""
        if not len(self):
            return None
        west, south, east, north = self._boxes.T
        least = haversine_meters(latitude, longitude, np.clip(latitude, south, north), np.clip(longitude, west, east))
        found: tuple[int, float] | None = None
        # A border is nowhere nearer than its box: the far boxes need no look at their shapes.
        for box in np.argsort(least):
            if found is not None and least[box] >= found[1]:
                break
            column = int(self._columns[box])
            meters = float(self.boundary_distance_meters(column, [latitude], [longitude])[0])
            if found is None or meters < found[1]:
                found = column, meters
        return found

    def _candidates(self, latitudes: FloatArray, longitudes: FloatArray) -> tuple[npt.NDArray[np.intp], ...]:
        """Pairs (row, column) whose bounding boxes match, sorted by column, each pair once."""
        usable = np.flatnonzero(np.isfinite(latitudes) & np.isfinite(longitudes))
        if not len(usable) or not len(self._columns):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        # A sorted longitude finds a box's points without a tree, for which each fix would have to become an object.
        by_longitude = usable[np.argsort(longitudes[usable], kind="stable")]
        ordered = longitudes[by_longitude]
        firsts = np.searchsorted(ordered, self._boxes[:, 0], side="left")
        ends = np.searchsorted(ordered, self._boxes[:, 2], side="right")
        found = [np.empty(0, np.intp)]
        for box in np.flatnonzero(ends > firsts).tolist():
            rows = by_longitude[firsts[box] : ends[box]]
            rows = rows[(latitudes[rows] >= self._boxes[box, 1]) & (latitudes[rows] <= self._boxes[box, 3])]
            found.append(self._columns[box] * len(latitudes) + rows)
        columns, rows = np.divmod(np.unique(np.concatenate(found)), len(latitudes))
        return rows, columns


def _degrees(values: npt.ArrayLike) -> FloatArray:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def _shape(area: dict[str, Any]) -> _Shape:
    validate_area(area)
    if area["type"] == "Circle":
        longitude, latitude = area["coordinates"][:2]
        return _Circle(float(latitude), float(longitude), float(area["radius_meters"]))
    if area["type"] == "LineString":
        line = np.array([position[:2] for position in area["coordinates"]], dtype=np.float64)
        return _Corridor(np.hstack([line[:-1], line[1:]]), corridor_width_meters(area) / 2.0)
    return _Polygon(polygon_geometry(area))


class _Circle:
    def __init__(self, latitude: float, longitude: float, radius_meters: float) -> None:
        self.latitude, self.longitude, self.radius_meters = latitude, longitude, radius_meters
        self.boxes = boxes_around((longitude, latitude, longitude, latitude), radius_meters)

    def contains(self, latitudes: FloatArray, longitudes: FloatArray) -> BoolArray:
        return self._from_centre(latitudes, longitudes) <= self.radius_meters

    def boundary_distance_meters(self, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
        return np.abs(self._from_centre(latitudes, longitudes) - self.radius_meters)

    def _from_centre(self, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
        return haversine_meters(self.latitude, self.longitude, latitudes, longitudes)


class _Corridor:
    def __init__(self, segments: FloatArray, reach_meters: float) -> None:
        self.segments, self.reach_meters = segments, reach_meters
        west, south = segments.min(axis=0).reshape(2, 2).min(axis=0)
        east, north = segments.max(axis=0).reshape(2, 2).max(axis=0)
        self.boxes = boxes_around((west, south, east, north), reach_meters)

    def contains(self, latitudes: FloatArray, longitudes: FloatArray) -> BoolArray:
        return segment_distance_meters(self.segments, latitudes, longitudes) <= self.reach_meters

    def boundary_distance_meters(self, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
        return np.abs(segment_distance_meters(self.segments, latitudes, longitudes) - self.reach_meters)


@dataclass
class _Polygon:
    geometry: shapely.Geometry

    def __post_init__(self) -> None:
        shapely.prepare(self.geometry)
        west, south, east, north = self.geometry.bounds
        margin = BOX_MARGIN_DEGREES
        self.boxes: list[Box] = [(west - margin, south - margin, east + margin, north + margin)]
        rings = shapely.get_rings(shapely.get_parts(self.geometry))
        points = [shapely.get_coordinates(ring) for ring in rings]
        self.segments = np.vstack([np.hstack([ring[:-1], ring[1:]]) for ring in points])

    def contains(self, latitudes: FloatArray, longitudes: FloatArray) -> BoolArray:
        return shapely.intersects_xy(self.geometry, longitudes, latitudes)

    def boundary_distance_meters(self, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
        return segment_distance_meters(self.segments, latitudes, longitudes)


def segment_distance_meters(segments: FloatArray, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
    """Meters from each point (n,) to the nearest of the segments (m, 4: lon, lat, lon, lat in degrees).

    A segment is straight in longitude and latitude, as GeoJSON defines it. Each point is measured in the plane tangent
    at itself (equirectangular, so x shrinks with the cosine of its latitude): right where it matters, near the segment.
    """
    rows = max(1, DISTANCE_CHUNK_CELLS // max(1, len(segments)))
    parts = [
        _nearest(segments, latitudes[start : start + rows], longitudes[start : start + rows])
        for start in range(0, len(latitudes), rows)
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def _nearest(segments: FloatArray, latitudes: FloatArray, longitudes: FloatArray) -> FloatArray:
    shrink = np.cos(np.radians(latitudes))[:, None]
    start_x = wrapped_longitude_delta(segments[:, 0], longitudes[:, None]) * shrink
    start_y = segments[:, 1] - latitudes[:, None]
    along_x = (segments[:, 2] - segments[:, 0]) * shrink
    along_y = segments[:, 3] - segments[:, 1]
    length_squared = along_x**2 + along_y**2
    length_squared = np.where(length_squared == 0.0, 1.0, length_squared)
    share = np.clip(-(start_x * along_x + start_y * along_y) / length_squared, 0.0, 1.0)
    squared = (start_x + share * along_x) ** 2 + (start_y + share * along_y) ** 2
    return np.sqrt(squared.min(axis=1)) * METERS_PER_DEGREE


def boxes_around(bounds: Box, reach_meters: float) -> list[Box]:
    """Bounds widened by a distance; two boxes where that crosses the antimeridian, the whole turn at a pole."""
    west, south, east, north = bounds
    reach = reach_meters / LEAST_METERS_PER_DEGREE + BOX_MARGIN_DEGREES
    south, north = south - reach, north + reach
    if max(-south, north) >= 90.0:
        return [(-180.0, south, 180.0, north)]
    # The easternmost point of a circle lies at asin(sin r / cos latitude), nearer the pole than its centre.
    ratio = np.sin(np.radians(reach)) / np.cos(np.radians(max(-bounds[1], bounds[3])))
    turn = float(np.degrees(np.arcsin(min(1.0, ratio)))) + BOX_MARGIN_DEGREES
    west, east = west - turn, east + turn
    if east - west >= 360.0:
        return [(-180.0, south, 180.0, north)]
    boxes: list[Box] = [(max(west, -180.0), south, min(east, 180.0), north)]
    if west < -180.0:
        boxes.append((west + 360.0, south, 180.0, north))
    if east > 180.0:
        boxes.append((-180.0, south, east - 360.0, north))
    return boxes
