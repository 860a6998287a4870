"""Driving figures that were computed before and still hold."""

from __future__ import annotations

from typing import Any

from tasks_app.queries.devices import state_version
from tasks_app.utils.cache import get_newest

# Their period moves on with the clock: after so long it is another one, even where all its fixes are the same.
STATISTICS_SECONDS = 300


def statistics_key(device_id: int, period: str) -> str:
    """The cache key of the last figures of a device (primary key)."""
    return f"device-statistics:{device_id}:{period}"


def cached_statistics(device_id: int, period: str) -> dict[str, Any] | None:
    """The figures of a device (primary key) as `services.devices.statistics` computed them up to five minutes ago.

    None where there are none, or where anything came of the device since.
    """
    found = get_newest(statistics_key(device_id, period))
    if found is None or found.pop("version") != state_version(device_id):
        return None
    return found
