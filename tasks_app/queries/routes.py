"""Tracks of any length as few points as a map needs, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from tasks_app.geo.simplify import simplified
from tasks_app.models import Position
from tasks_app.queries.positions import track

# How much of a track is in memory at once: two days at one fix a second are some 17 MB.
WINDOW = timedelta(days=2)
# Each window keeps this many times its share of the points, so that the last choice has enough to choose from.
SPARE_FACTOR = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def simplified_route(device_id: int, start: datetime, end: datetime, *, max_points: int) -> list[Position]:
    """At most `max_points` stored positions of a device (primary key) with `start <= fix_time < end`, oldest first.

    They are those that draw the same line, the first, the last and the extremes among them (see `geo.simplify`). Reads
    every position of the range once, a window at a time.
    """
    parts = [_window(device_id, low, high, max_points, end - start) for low, high in _windows(start, end)]
    times, latitudes, longitudes = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    kept = times[simplified(latitudes, longitudes, max_points)]
    fix_times = [_EPOCH + timedelta(microseconds=int(kept_us)) for kept_us in kept]
    rows = Position.objects.filter(device_id=device_id, fix_time__in=fix_times).order_by("fix_time")
    return list(rows) if fix_times else []


def _windows(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + WINDOW, end)
        start += WINDOW


def _window(
    device_id: int, start: datetime, end: datetime, max_points: int, whole: timedelta
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (microseconds since 1970), latitudes and longitudes of the points of one window that may be chosen."""
    found = track(device_id, start, end)
    share = max_points if end - start == whole else max(6, int(max_points * SPARE_FACTOR * ((end - start) / whole)))
    kept = simplified(found.latitudes, found.longitudes, max(2, share))
    times_us = np.rint(found.times_seconds[kept] * 1e6).astype(np.int64)
    return times_us, found.latitudes[kept], found.longitudes[kept]
