"""Writes the cache of latest positions, which `queries.devices.latest_position` reads.

Each write of a state is a version of it. Before the commit the cache learns only that this version is coming, and readers
turn to the database; after it, what it says. So nothing stale is shown: not when the process dies in between, and not
when two workers reach the cache in the other order than the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from tasks_app.cache import set_newest
from tasks_app.models import DeviceState
from tasks_app.queries.devices import LATEST_POSITION_SECONDS, latest_position_key
from tasks_app.services.device_states import State


def cache_latest_positions(states: Iterable[State | DeviceState]) -> None:
    """Show these states, saved in the transaction that is open, as the latest positions once it is committed."""
    chosen = list(states)
    coming = {latest_position_key(state.device_id): (state.version, dict[str, Any]()) for state in chosen}
    set_newest(coming, seconds=LATEST_POSITION_SECONDS)
    entries = {
        latest_position_key(state.device_id): (state.version, _entry(state))
        for state in chosen
        if state.fix_time is not None
    }
    transaction.on_commit(lambda: set_newest(entries, seconds=LATEST_POSITION_SECONDS))


def _entry(state: State | DeviceState) -> dict[str, Any]:
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
