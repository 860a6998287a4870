"""The distance driven by a fleet, from its stored positions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.core.cache import cache

from tasks_app.geo.motion import segment_metrics
from tasks_app.geo.motion_rules import MotionRules, motion_rules
from tasks_app.queries.positions import track

# The summaries of all users need the same figures within the same minutes.
CACHE_SECONDS = 3600
# Above this, reading every track takes longer than a summary is worth; the fleet's daily report has the figure.
MAX_DEVICES_MEASURED = 200


def fleet_distance_meters(fleet_id: int, kinds: Mapping[int, str], *, start: datetime, end: datetime) -> float | None:
    """Meters driven by these devices of a fleet (primary key: kind) from `start` to `end`; None for more than 200."""
    if len(kinds) > MAX_DEVICES_MEASURED:
        return None
    key = f"notifications:distance:{fleet_id}:{start.timestamp():.0f}:{end.timestamp():.0f}"
    known = cache.get(key)
    if known is None:
        known = sum(_distance_meters(device_id, motion_rules(kind), start, end) for device_id, kind in kinds.items())
        cache.set(key, known, CACHE_SECONDS)
    return float(known)


def _distance_meters(device_id: int, rules: MotionRules, start: datetime, end: datetime) -> float:
    fixes = track(device_id, start, end)
    metrics = segment_metrics(fixes.times_seconds, fixes.latitudes, fixes.longitudes, fixes.speeds_kph, rules=rules)
    return metrics.distance_meters
