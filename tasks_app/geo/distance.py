"""Distances on the WGS84 ellipsoid and bearings on the sphere, vectorised: degrees in, meters and degrees out.

Every way that makes figures, live and in reports, is measured by `geodesic_meters`. Up to `SHORT_METERS` it is the chord of the
ellipsoid between the two places, bent to an arc of the mean radius: an arc s of radius R exceeds its chord by s**3 / (24 R**2).
The radii of curvature of the ellipsoid differ from the mean one by 0.67 % at most, so that the relative error is below
2 * 0.0067 * s**2 / (24 R**2): 1.4e-7 at 100 km. Chords need no care at poles or at the 180th meridian.

Longer ones go by the formula of W. D. Lambert ("The distance between two widely separated points on the surface of the earth",
Journal of the Washington Academy of Sciences 32(5), 1942), which is of the first order in the flattening: its relative error is
below 1e-5 up to 15 000 km, 4e-5 up to 19 000 km and 1e-3 near antipodes, where no geodesic is longer than half a meridian
(C. F. F. Karney, "Algorithms for geodesics", Journal of Geodesy 87, 2013, whose solution the tests compare with).

What need not be as exact (circles and borders of geofences, the planes of simplified lines and of what a receiver gains) goes
by the sphere, within 0.56 % of the ellipsoid: its radius is the mean radius R1 = (2a + b) / 3, adopted by the IUGG (H. Moritz,
"Geodetic Reference System 1980", Journal of Geodesy 74, 2000), the haversine formula is R. W. Sinnott's ("Virtues of the
Haversine", Sky and Telescope 68(2), 1984).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

EARTH_RADIUS_METERS = 6_371_008.8
METERS_PER_DEGREE = EARTH_RADIUS_METERS * np.pi / 180.0
# WGS84 (NGA.STND.0036, 2014): the radius of the equator and the flattening define it, the rest follows.
EQUATOR_RADIUS_METERS = 6_378_137.0
FLATTENING = 1.0 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2.0 - FLATTENING)
# That of latitude at the equator: no other degree of arc is as short.
LEAST_METERS_PER_DEGREE = EQUATOR_RADIUS_METERS * (1.0 - ECCENTRICITY_SQUARED) * np.pi / 180.0
HALF_MERIDIAN_METERS = 20_003_931.4586
SHORT_METERS = 100_000.0


def geodesic_meters(
    from_latitude: npt.ArrayLike, from_longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> FloatArray:
    """Shortest way in meters over the ellipsoid between points in degrees; arguments broadcast, NaN gives NaN."""
    turns = np.subtract(to_longitude, from_longitude)
    meters = _short_meters(_meridian(from_latitude), _meridian(to_latitude), turns)
    return _with_long_ways(meters, from_latitude, to_latitude, turns)


def degree_meters(latitude: float) -> tuple[float, float]:
    """Meters per degree of latitude and of longitude at a latitude."""
    axis, _ = _meridian(latitude)
    flat = 1.0 - ECCENTRICITY_SQUARED * np.sin(np.radians(latitude)) ** 2
    # The radius of curvature in the meridian.
    radius = EQUATOR_RADIUS_METERS * (1.0 - ECCENTRICITY_SQUARED) / flat**1.5
    return float(np.radians(radius)), float(np.radians(axis))


def step_distances_meters(latitudes: npt.ArrayLike, longitudes: npt.ArrayLike) -> FloatArray:
    """Meters from each fix to the next: shape (n - 1,) for n fixes, empty for fewer than two."""
    latitudes, turns = np.asarray(latitudes, dtype=np.float64), np.diff(np.asarray(longitudes, dtype=np.float64))
    # As `geodesic_meters`, but what is known of a fix is computed once for the two steps it belongs to.
    axis, plane = _meridian(latitudes)
    meters = _short_meters((axis[:-1], plane[:-1]), (axis[1:], plane[1:]), turns)
    return _with_long_ways(meters, latitudes[:-1], latitudes[1:], turns)


def _meridian(latitudes: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Meters of places on the ellipsoid from the earth's axis and from the plane of the equator."""
    phi = np.radians(latitudes)
    sine = np.sin(phi)
    # The radius of curvature in the prime vertical.
    radius = EQUATOR_RADIUS_METERS / np.sqrt(1.0 - ECCENTRICITY_SQUARED * sine * sine)
    return radius * np.cos(phi), (1.0 - ECCENTRICITY_SQUARED) * radius * sine


def _short_meters(
    start: tuple[FloatArray, FloatArray], end: tuple[FloatArray, FloatArray], turns_degrees: FloatArray
) -> FloatArray:
    """The arcs over the chords between places (`_meridian`) so many degrees of longitude apart; too short if long."""
    half_turn = np.sin(np.radians(turns_degrees) / 2.0)
    outward, upward = end[0] - start[0], end[1] - start[1]
    squared = outward * outward + upward * upward + 4.0 * start[0] * end[0] * half_turn * half_turn
    return np.sqrt(squared) * (1.0 + squared / (24.0 * EARTH_RADIUS_METERS**2))


def _with_long_ways(
    meters: FloatArray, from_latitude: npt.ArrayLike, to_latitude: npt.ArrayLike, turns_degrees: FloatArray
) -> FloatArray:
    """The meters, those beyond `SHORT_METERS` by Lambert's formula."""
    is_long = meters > SHORT_METERS
    if not is_long.any():
        return meters
    meters = np.array(meters)
    places = np.broadcast_arrays(from_latitude, to_latitude, turns_degrees)
    meters[is_long] = _lambert_meters(*(one[is_long] for one in places))
    return meters


def _lambert_meters(from_degrees: FloatArray, to_degrees: FloatArray, turns_degrees: FloatArray) -> FloatArray:
    """The way on the sphere of the reduced latitudes, corrected to the first order of the flattening."""
    start, end = (np.arctan((1.0 - FLATTENING) * np.tan(np.radians(one))) for one in (from_degrees, to_degrees))
    half_turn = np.sin(np.radians(turns_degrees) / 2.0)
    haversine = np.sin((end - start) / 2.0) ** 2 + np.cos(start) * np.cos(end) * half_turn**2
    # Antipodes would divide by zero.
    haversine = np.minimum(haversine, 1.0 - 1e-16)
    angle, middle, half = 2.0 * np.arcsin(np.sqrt(haversine)), (start + end) / 2.0, (end - start) / 2.0
    flat = (angle - np.sin(angle)) * (np.sin(middle) * np.cos(half)) ** 2 / (1.0 - haversine)
    steep = (angle + np.sin(angle)) * (np.cos(middle) * np.sin(half)) ** 2 / haversine
    meters = EQUATOR_RADIUS_METERS * (angle - FLATTENING / 2.0 * (flat + steep))
    return np.minimum(meters, HALF_MERIDIAN_METERS)


def haversine_meters(
    from_latitude: npt.ArrayLike, from_longitude: npt.ArrayLike, to_latitude: npt.ArrayLike, to_longitude: npt.ArrayLike
) -> FloatArray:
    """Great-circle distance in meters, quicker than `geodesic_meters`: for geofences, which ask it of every fix.

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


def wrapped_longitude_delta(longitudes: npt.ArrayLike, origin: npt.ArrayLike) -> FloatArray:
    """`longitudes - origin` in degrees by the short way round, in [-180, 180)."""
    return (np.subtract(longitudes, origin) + 180.0) % 360.0 - 180.0
