"""The lanes of the positions queue: which one a device's positions are stored in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tasks_app.engine.config import engine_config
from tasks_app.engine.lanes import lane_number

QUEUE = "positions"


def lane_count() -> int:
    """Return the number of lanes; 1 where the queue has none, so that all devices are in one place."""
    return engine_config().queue(QUEUE).lanes or 1


def lane_of(device_id: str) -> int:
    """Return the lane of this device."""
    return lane_number(device_id, lane_count())


def places_by_lane(device_ids: Iterable[str | None]) -> list[list[int]]:
    """Return the places of these identifiers by lane, in order within each. Those without a device go with any others."""
    places: dict[int, list[int]] = defaultdict(list)
    homeless = []
    lanes = lane_count()
    for place, device_id in enumerate(device_ids):
        if device_id is None:
            homeless.append(place)
        else:
            places[lane_number(device_id, lanes)].append(place)
    if homeless:
        first = min(places, default=0)
        places[first] = sorted(places[first] + homeless)
    return list(places.values())
