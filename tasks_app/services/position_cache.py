"""Writes the cache of latest positions, which `queries.devices.latest_position` reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.cache import cache

from tasks_app.queries.devices import LATEST_POSITION_SECONDS, latest_position_key
from tasks_app.services.device_states import State


def cache_latest_positions(states: Iterable[State]) -> None:
    """Show these states as the latest positions. Call it after the commit."""
    entries = {latest_position_key(state.device_id): _entry(state) for state in states if state.fix_time is not None}
    if entries:
        cache.set_many(entries, timeout=LATEST_POSITION_SECONDS)


def forget_latest_position(device_id: int) -> None:
    """The next reader asks the database."""
    cache.delete(latest_position_key(device_id))


def _entry(state: State) -> dict[str, Any]:
    return {
        "device_id": state.device_id,
        "fix_time": state.fix_time.isoformat() if state.fix_time else None,
        "latitude": state.latitude,
        "longitude": state.longitude,
        "altitude_meters": state.altitude_meters,
        "speed_kph": state.speed_kph,
        "course_degrees": state.course_degrees,
        "accuracy_meters": state.accuracy_meters,
        "is_moving": state.is_moving,
        "ignition": state.ignition,
        "odometer_meters": state.odometer_meters,
        "status": state.status,
    }
