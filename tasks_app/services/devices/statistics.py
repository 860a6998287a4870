"""Driving figures of one device over the last day, week or month."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tasks_app.engine import PermanentError
from tasks_app.geo.motion import segment_metrics
from tasks_app.geo.motion_rules import motion_rules
from tasks_app.queries.devices import committed_version
from tasks_app.queries.positions import Track, track
from tasks_app.queries.statistics import STATISTICS_SECONDS, statistics_key
from tasks_app.services.devices.status import find_device
from tasks_app.utils.cache import set_newest

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


def calculate_statistics(*, device_id: int, period: str, now: datetime) -> dict[str, Any]:
    """Distance, times and speeds of the `period` (24h, 7d, 30d) before `now`; also kept in the cache.

    The cache has them (`queries.statistics`) until something comes of the device or its first fix leaves the period. Idle
    is standing with the ignition on and part of stopped. Raises PermanentError for an unknown device or period.
    """
    if period not in PERIODS:
        raise PermanentError(f"The period must be one of {', '.join(PERIODS)}, not {period[:50]!r}.")
    device = find_device(device_id)
    # Asked for before the positions are read: what arrives meanwhile makes the figures old at once.
    version = committed_version(device.pk)
    start = now - PERIODS[period]
    fixes = track(device.pk, start, now)
    metrics = segment_metrics(
        fixes.times_seconds,
        fixes.latitudes,
        fixes.longitudes,
        fixes.speeds_kph,
        ignition=fixes.ignition,
        rules=motion_rules(device.kind),
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
    set_newest({statistics_key(device.pk, period): (version, result)}, seconds=_lasting_seconds(fixes, start))
    return result


def _lasting_seconds(fixes: Track, start: datetime) -> int:
    """For how long the period, which moves on with the clock, contains the same fixes; at least the one second of a cache."""
    if not len(fixes):
        return STATISTICS_SECONDS
    return int(np.clip(fixes.times_seconds[0] - start.timestamp(), 1, STATISTICS_SECONDS))
