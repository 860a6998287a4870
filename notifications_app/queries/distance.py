"""The distance driven by a fleet, from its stored positions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.core.cache import cache

from tasks_app.models import Device
from tasks_app.queries.drives import read_drive

# The summaries of all users need the same figures within the same minutes.
CACHE_SECONDS = 3600
# Above this, reading every track takes longer than a summary is worth; the fleet's daily report has the figure.
MAX_DEVICES_MEASURED = 200


def fleet_distance_meters(fleet_id: int, devices: Sequence[Device], *, start: datetime, end: datetime) -> float | None:
    """Meters driven by these devices of a fleet (primary key) from `start` to `end`, as in reports; None for more than 200."""
    if len(devices) > MAX_DEVICES_MEASURED:
        return None
    key = f"notifications:distance:{fleet_id}:{start.timestamp():.0f}:{end.timestamp():.0f}"
    known = cache.get(key)
    if known is None:
        known = sum(read_drive(device, start, end).figures([start, end])[0].distance_meters for device in devices)
        cache.set(key, known, CACHE_SECONDS)
    return float(known)
