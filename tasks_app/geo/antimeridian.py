"""Longitudes around the 180th meridian, where 180 and -180 degrees are the same place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray, wrapped_longitude_delta


def wrapped_longitude(longitudes: npt.ArrayLike) -> FloatArray:
    """The same longitudes within [-180, 180]; those within it already stay as they are."""
    longitudes = np.asarray(longitudes, dtype=np.float64)
    return np.where(np.abs(longitudes) <= 180.0, longitudes, wrapped_longitude_delta(longitudes, 0.0))


def unwrapped_longitudes(longitudes: npt.ArrayLike, origin: float) -> FloatArray:
    """The longitudes as a map around `origin` needs them: within half a turn of it, so perhaps beyond 180."""
    return origin + wrapped_longitude_delta(longitudes, origin)


def median_longitude(longitudes: FloatArray) -> float:
    """The middle of places near each other, on the side of the meridian where it is."""
    return float(wrapped_longitude(np.median(unwrapped_longitudes(longitudes, float(longitudes[0])))))


def crossing_latitudes(
    from_latitudes: FloatArray, from_longitudes: FloatArray, to_latitudes: FloatArray, to_longitudes: FloatArray
) -> FloatArray:
    """Where each way meets the 180th meridian, NaN where it does not; arrays of shape (n,).

    A line of GeoJSON is straight on the map (RFC 7946, section 3.1.1), so the latitude is interpolated.
    """
    found = np.full(len(to_longitudes), np.nan)
    over = np.flatnonzero(np.abs(to_longitudes - from_longitudes) > 180.0)
    before, after = 180.0 - np.abs(from_longitudes[over]), 180.0 - np.abs(to_longitudes[over])
    whole = before + after
    share = np.where(whole > 0.0, before / np.where(whole > 0.0, whole, 1.0), 0.0)
    found[over] = from_latitudes[over] + share * (to_latitudes[over] - from_latitudes[over])
    return found
