"""Times, places and facts of devices and events, as messages show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from tasks_app.models import Device, DeviceState, Event


@dataclass(frozen=True, slots=True)
class Spot:
    """The time of an event and, where known, its place (degrees).

    `last_known_at` is set where that place is the last known one instead: the time of its fix.
    """

    at: datetime
    latitude: float | None = None
    longitude: float | None = None
    last_known_at: datetime | None = None

    @property
    def map_url(self) -> str:
        """A link to open, never a picture to load; empty without a place."""
        if self.latitude is None or self.longitude is None:
            return ""
        place = f"{self.latitude:.6f}", f"{self.longitude:.6f}"
        return f"https://www.openstreetmap.org/?mlat={place[0]}&mlon={place[1]}#map=16/{place[0]}/{place[1]}"


def event_spot(event: Event) -> Spot:
    return Spot(event.occurred_at, event.latitude, event.longitude, timestamp(event.data, "last_fix_at"))


def state_of(device: Device) -> DeviceState | None:
    """The device's state, None for one that never sent anything."""
    return getattr(device, "state", None)


def last_spot(device: Device) -> Spot | None:
    """Time and place of the device's newest fix, None where it has none."""
    state = state_of(device)
    if state is None or state.fix_time is None:
        return None
    return Spot(state.fix_time, state.latitude, state.longitude)


def about(device: Device, spot: Spot | None) -> dict[str, Any]:
    """The values that messages about a vehicle have in common."""
    return {"vehicle": device.name, "fleet": device.fleet.name, "spot": spot}


def number(data: Mapping[str, Any], key: str) -> float | None:
    """A finite number of an event's data, None where it is missing or something else."""
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def timestamp(data: Mapping[str, Any], key: str) -> datetime | None:
    """A time of an event's data, None where it is missing or something else."""
    value = data.get(key)
    return parse_datetime(value) if isinstance(value, str) else None


def duration_minutes(data: Mapping[str, Any]) -> float | None:
    seconds = number(data, "duration_seconds")
    return None if seconds is None else seconds / 60
