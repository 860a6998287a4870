"""How far a fleet drove, from its stored positions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.core.cache import cache

from tasks_app.geo.motion import segment_metrics
from tasks_app.queries.positions import track

# Everybody's summary asks for the same figures within the same minutes.
CACHE_SECONDS = 3600
# Above this, reading every track takes longer than a summary is worth; the fleet's daily report has the figure.
MAX_DEVICES_MEASURED = 200


def fleet_distance_meters(
    fleet_id: int, device_ids: Collection[int], *, start: datetime, end: datetime
) -> float | None:
    """Meters driven by these devices of a fleet from `start` to `end`; None for more than 200 devices."""
    if len(device_ids) > MAX_DEVICES_MEASURED:
        return None
    key = f"notifications:distance:{fleet_id}:{start.timestamp():.0f}:{end.timestamp():.0f}"
    known = cache.get(key)
    if known is None:
        known = sum(_distance_meters(device_id, start, end) for device_id in device_ids)
        cache.set(key, known, CACHE_SECONDS)
    return float(known)


def _distance_meters(device_id: int, start: datetime, end: datetime) -> float:
    fixes = track(device_id, start, end)
    metrics = segment_metrics(fixes.times_seconds, fixes.latitudes, fixes.longitudes, fixes.speeds_kph)
    return metrics.distance_meters
