"""Reads about devices: where each one is now."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

from tasks_app.models import DeviceState

# Every newer fix writes the entry anew; this bounds how long an entry of a silent device can stay wrong.
LATEST_POSITION_SECONDS = 3600

_FIELDS = (
    "device_id",
    "fix_time",
    "latitude",
    "longitude",
    "altitude_meters",
    "speed_kph",
    "course_degrees",
    "accuracy_meters",
    "is_moving",
    "ignition",
    "odometer_meters",
    "status",
)


def latest_position_key(device_id: int) -> str:
    """The cache key of a device's latest position; `device_id` is its primary key."""
    return f"latest-position:{device_id}"


def latest_position(device_id: int) -> dict[str, Any] | None:
    """Where a device (primary key) was last: JSON values under the names of DeviceState, `fix_time` as ISO text.

    From the cache, else from the database. None for a device that never sent a fix.
    """
    found = cache.get(latest_position_key(device_id))
    if found is None:
        found = DeviceState.objects.filter(device_id=device_id, fix_time__isnull=False).values(*_FIELDS).first()
        if found is not None:
            found["fix_time"] = found["fix_time"].isoformat()
    return found
