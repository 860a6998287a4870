"""Fewer points that look like all of them: which fixes of a track to draw.

The points are chosen from the top down by the rule of D. H. Douglas and T. K. Peucker ("Algorithms for the reduction of the
number of points required to represent a digitized line", Cartographica 10(2), 1973), until as many as wanted are chosen
instead of until a tolerance is met: of all pieces of the line the one whose farthest point lies farthest from its chord is
cut there next.

For a replay the point of the chord is compared that is passed at the same time, as N. Meratnia and R. A. de By propose
("Spatiotemporal compression techniques for moving point objects", EDBT 2004): a vehicle that waits on a straight road is
then seen to wait.
"""

from __future__ import annotations

import heapq
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import METERS_PER_DEGREE, FloatArray, wrapped_longitude_delta

IntArray = npt.NDArray[np.intp]

# A track this many times longer than wanted is thinned evenly first, keeping the corners of each stretch.
THIN_ABOVE = 50
_PER_STRETCH = 4


def simplified(latitudes: npt.ArrayLike, longitudes: npt.ArrayLike, max_points: int) -> IntArray:
    """Which points of a track (degrees, in time order, shape (n,)) to keep: ascending indexes, at most `max_points`.

    The first and the last point are always kept, and from 6 points on the northernmost, southernmost, easternmost and
    westernmost. A track of no more points is kept whole. Raises ValueError below 2 points.
    """
    if max_points < 2:
        raise ValueError("At least 2 points are needed.")
    latitudes, longitudes = np.asarray(latitudes, dtype=np.float64), np.asarray(longitudes, dtype=np.float64)
    if len(latitudes) <= max_points:
        return np.arange(len(latitudes))
    x_meters, y_meters = _plane(latitudes, longitudes)
    thin = _thinned(x_meters, y_meters, max_points)
    return thin[_chosen(x_meters[thin], y_meters[thin], max_points)]


def simplified_in_time(
    times: npt.ArrayLike,
    latitudes: npt.ArrayLike,
    longitudes: npt.ArrayLike,
    *,
    tolerance_meters: float,
    max_points: int,
    always: npt.ArrayLike = (),
) -> tuple[IntArray, float]:
    """Which points of a track to keep for a replay, as ascending indexes, and how far from its place, in meters, a vehicle
    that moves evenly between them is at most.

    As few as keep within `tolerance_meters`, or as many as `max_points` if that is too few; the first, the last and those
    of `always` in any case. Times in seconds, ascending.
    """
    times, latitudes = np.asarray(times, dtype=np.float64), np.asarray(latitudes, dtype=np.float64)
    longitudes = np.asarray(longitudes, dtype=np.float64)
    if len(times) < 2:
        return np.arange(len(times)), 0.0
    x_meters, y_meters = _plane(latitudes, longitudes)
    kept = np.unique(np.concatenate([[0, len(times) - 1], np.asarray(always, dtype=np.intp)]).astype(np.intp))
    thin = np.union1d(_thinned(x_meters, y_meters, max_points), kept)
    edges = np.searchsorted(thin, kept)
    chosen = thin[_timed(times[thin], x_meters[thin], y_meters[thin], edges, tolerance_meters, max_points)]
    away = np.hypot(
        x_meters - np.interp(times, times[chosen], x_meters[chosen]),
        y_meters - np.interp(times, times[chosen], y_meters[chosen]),
    )
    return chosen, float(away.max())


def _timed(
    times: FloatArray,
    x_meters: FloatArray,
    y_meters: FloatArray,
    edges: IntArray,
    tolerance_meters: float,
    max_points: int,
) -> IntArray:
    chosen = edges.tolist()
    pieces = [_timed_piece(times, x_meters, y_meters, start, end) for start, end in pairwise(chosen)]
    heapq.heapify(pieces)
    while len(chosen) < max_points:
        farness, cut, start, end = heapq.heappop(pieces)
        if -farness <= tolerance_meters**2:
            break
        chosen.append(cut)
        heapq.heappush(pieces, _timed_piece(times, x_meters, y_meters, start, cut))
        heapq.heappush(pieces, _timed_piece(times, x_meters, y_meters, cut, end))
    return np.array(sorted(chosen), dtype=np.intp)


def _timed_piece(
    times: FloatArray, x_meters: FloatArray, y_meters: FloatArray, start: int, end: int
) -> tuple[float, int, int, int]:
    """As `_piece`, by the distance from where an even drive from `start` to `end` would be at the same time."""
    if end - start < 2:
        return 0.0, -1, start, end
    inner = slice(start + 1, end)
    seconds = times[end] - times[start]
    share = (times[inner] - times[start]) / seconds if seconds > 0.0 else np.zeros(end - start - 1)
    x_away = x_meters[inner] - x_meters[start] - share * (x_meters[end] - x_meters[start])
    y_away = y_meters[inner] - y_meters[start] - share * (y_meters[end] - y_meters[start])
    squared = x_away**2 + y_away**2
    place = int(squared.argmax())
    return -float(squared[place]), start + 1 + place, start, end


def _plane(latitudes: FloatArray, longitudes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Meters east and north of the first point, equirectangular at the track's middle latitude."""
    shrink = np.cos(np.radians((latitudes.min() + latitudes.max()) / 2.0))
    east = wrapped_longitude_delta(longitudes, longitudes[0]) * METERS_PER_DEGREE * shrink
    return east, (latitudes - latitudes[0]) * METERS_PER_DEGREE


def _thinned(x_meters: FloatArray, y_meters: FloatArray, max_points: int) -> IntArray:
    """All points, or of a very long track the extremes of even stretches, so that the work stays bounded."""
    count = len(x_meters)
    if count <= max_points * THIN_ABOVE:
        return np.arange(count)
    length = -(-count * _PER_STRETCH // (max_points * THIN_ABOVE))
    stretches = count // length
    whole = stretches * length
    starts = np.arange(stretches) * length
    kept = [np.array([0, count - 1]), np.arange(whole, count)]
    for values in (x_meters, y_meters):
        rows = values[:whole].reshape(stretches, length)
        kept += [starts + rows.argmin(axis=1), starts + rows.argmax(axis=1)]
    return np.unique(np.concatenate(kept))


def _chosen(x_meters: FloatArray, y_meters: FloatArray, max_points: int) -> IntArray:
    last = len(x_meters) - 1
    chosen = {0, last}
    if max_points >= 6:
        extremes = (x_meters.argmin(), x_meters.argmax(), y_meters.argmin(), y_meters.argmax())
        chosen |= {int(place) for place in extremes}
    edges = sorted(chosen)
    pieces = [_piece(x_meters, y_meters, start, end) for start, end in pairwise(edges)]
    heapq.heapify(pieces)
    while len(chosen) < max_points:
        _farness, cut, start, end = heapq.heappop(pieces)
        if cut < 0:
            break
        chosen.add(cut)
        heapq.heappush(pieces, _piece(x_meters, y_meters, start, cut))
        heapq.heappush(pieces, _piece(x_meters, y_meters, cut, end))
    return np.array(sorted(chosen), dtype=np.intp)


def _piece(x_meters: FloatArray, y_meters: FloatArray, start: int, end: int) -> tuple[float, int, int, int]:
    """(minus the squared distance, place) of the point of ]start, end[ farthest from the chord; place -1 when none is."""
    if end - start < 2:
        return 0.0, -1, start, end
    x, y = x_meters[start + 1 : end] - x_meters[start], y_meters[start + 1 : end] - y_meters[start]
    along_x, along_y = x_meters[end] - x_meters[start], y_meters[end] - y_meters[start]
    length_squared = along_x**2 + along_y**2
    # To the piece, not the endless line through it: on the way back a vehicle may be beyond the end.
    share = np.clip((x * along_x + y * along_y) / length_squared, 0.0, 1.0) if length_squared else np.zeros(len(x))
    squared = (x - share * along_x) ** 2 + (y - share * along_y) ** 2
    place = int(squared.argmax())
    farness = float(squared[place])
    return (-farness, start + 1 + place, start, end) if farness > 0.0 else (0.0, -1, start, end)
