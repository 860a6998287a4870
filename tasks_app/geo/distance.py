"""Distances and bearings on the sphere, vectorised: degrees in, meters and degrees out.

The haversine formula is R. W. Sinnott's ("Virtues of the Haversine", Sky and Telescope 68(2), 1984). The sphere's
radius is the mean radius R1 = (2a + b) / 3 of the GRS80 ellipsoid, adopted by the IUGG (H. Moritz, "Geodetic Reference
System 1980", Journal of Geodesy 74, 2000). The sphere's distances are within 0.56 % of the ellipsoid's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

EARTH_RADIUS_METERS = 6_371_008.8
METERS_PER_DEGREE = EARTH_RADIUS_METERS * np.pi / 180.0


def haversine_meters(
    from_latitude: npt.ArrayLike, from_longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> FloatArray:
    """Great-circle distance in meters between points in degrees; arguments broadcast, NaN gives NaN.

    Good at every distance, antipodes included, because the haversine is clipped to 0..1 before the arcsine.
    """
    from_phi, to_phi = np.radians(from_latitude), np.radians(to_latitude)
    half_delta_phi = (to_phi - from_phi) / 2.0
    half_delta_lambda = np.radians(np.subtract(to_longitude, from_longitude)) / 2.0
    haversine = np.sin(half_delta_phi) ** 2 + np.cos(from_phi) * np.cos(to_phi) * np.sin(half_delta_lambda) ** 2
    return 2.0 * EARTH_RADIUS_METERS * np.arcsin(np.sqrt(np.clip(haversine, 0.0, 1.0)))


def initial_bearing_degrees(
    from_latitude: npt.ArrayLike, from_longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> FloatArray:
    """Direction of departure of the great circle, degrees clockwise from north in [0, 360); 0 for equal points."""
    from_phi, to_phi = np.radians(from_latitude), np.radians(to_latitude)
    delta_lambda = np.radians(np.subtract(to_longitude, from_longitude))
    east = np.sin(delta_lambda) * np.cos(to_phi)
    north = np.cos(from_phi) * np.sin(to_phi) - np.sin(from_phi) * np.cos(to_phi) * np.cos(delta_lambda)
    bearing = np.degrees(np.arctan2(east, north)) % 360.0
    return np.where(bearing >= 360.0, 0.0, bearing)


def step_distances_meters(latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> FloatArray:
    """Meters from each fix to the next: shape (n - 1,) for n fixes, empty for fewer than two."""
    latitudes, longitudes = np.asarray(latitudes, dtype=np.float64), np.asarray(longitudes, dtype=np.float64)
    return haversine_meters(latitudes[:-1], longitudes[:-1], latitudes[1:], longitudes[1:])


def wrapped_longitude_delta(longitudes: npt.ArrayLike, origin: npt.ArrayLike) -> FloatArray:
    """`longitudes - origin` in degrees by the short way round, in [-180, 180)."""
    return (np.subtract(longitudes, origin) + 180.0) % 360.0 - 180.0
