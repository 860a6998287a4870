"""Where a vehicle was at a moment: at a fix, on the line between two, or where it was last before a silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks_app.geo.distance import FloatArray, wrapped_longitude_delta


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A place in degrees, and the indexes of the fixes at or before and after the moment; None where there is none.

    `age_seconds` is the time since the fix before, or until the fix after where there is none before. `is_between` says
    that the place is on the line between the two; else it is that of the one fix.
    """

    latitude: float
    longitude: float
    before: int | None
    after: int | None
    age_seconds: float
    is_between: bool


def where_at(
    times: FloatArray, latitudes: FloatArray, longitudes: FloatArray, at_seconds: float, *, max_gap_seconds: float
) -> Whereabouts | None:
    """Return where the vehicle was at `at_seconds`, by its believable fixes in time order; None without any.

    Over a silence longer than `max_gap_seconds` its way is unknown: it is said to be where it was last.
    """
    count = len(times)
    if not count:
        return None
    following = int(np.searchsorted(times, at_seconds, side="right"))
    if following == 0:
        wait = float(times[0] - at_seconds)
        return Whereabouts(float(latitudes[0]), float(longitudes[0]), None, 0, wait, is_between=False)
    before = following - 1
    after = following if following < count else None
    age = float(at_seconds - times[before])
    latitude, longitude = float(latitudes[before]), float(longitudes[before])
    if after is None or age == 0.0 or times[after] - times[before] > max_gap_seconds:
        return Whereabouts(latitude, longitude, before, after, age, is_between=False)
    share = age / float(times[after] - times[before])
    latitude += share * (float(latitudes[after]) - latitude)
    longitude += share * float(wrapped_longitude_delta(longitudes[after], longitudes[before]))
    return Whereabouts(latitude, (longitude + 180.0) % 360.0 - 180.0, before, after, age, is_between=True)
