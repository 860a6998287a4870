"""Driving figures of one device over the last day, week or month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from tasks_app.engine import PermanentError
from tasks_app.geo.motion import segment_metrics
from tasks_app.queries.positions import track
from tasks_app.services.devices import find_device

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
CACHE_SECONDS = 3600


def statistics_key(device_id: int, period: str) -> str:
    """The cache key of the last figures of a device (primary key)."""
    return f"device-statistics:{device_id}:{period}"


def calculate_statistics(*, device_id: int, period: str, now: datetime) -> dict[str, Any]:
    """Distance, times and speeds of the `period` (24h, 7d, 30d) before `now`; also kept in the cache for an hour.

    Idle is standing with the ignition on and part of stopped. Raises PermanentError for an unknown device or period.
    """
    if period not in PERIODS:
        raise PermanentError(f"The period must be one of {', '.join(PERIODS)}, not {period[:50]!r}.")
    device = find_device(device_id)
    start = now - PERIODS[period]
    fixes = track(device.pk, start, now)
    metrics = segment_metrics(
        fixes.times_seconds, fixes.latitudes, fixes.longitudes, fixes.speeds_kph, ignition=fixes.ignition
    )
    result = {
        "device_id": device.pk,
        "period": period,
        "start": start.isoformat(),
        "end": now.isoformat(),
        "positions": len(fixes),
        "distance_meters": round(metrics.distance_meters, 1),
        "moving_seconds": round(metrics.moving_seconds, 1),
        "idle_seconds": round(metrics.idle_seconds, 1),
        "stopped_seconds": round(metrics.stopped_seconds, 1),
        "gap_seconds": round(metrics.gap_seconds, 1),
        "max_speed_kph": round(metrics.max_speed_kph, 1),
        "average_speed_kph": round(metrics.average_speed_kph, 1),
    }
    cache.set(statistics_key(device.pk, period), result, timeout=CACHE_SECONDS)
    return result
