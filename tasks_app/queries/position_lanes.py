"""The lanes of the positions queue: which one a device's positions are stored in."""

from __future__ import annotations

from collections.abc import Sequence

from tasks_app.engine.config import engine_config
from tasks_app.engine.lanes import lane_number

QUEUE = "positions"


def lane_count() -> int:
    """Return the number of lanes; 1 where the queue has none, so that all devices are in one place."""
    return engine_config().queue(QUEUE).lanes or 1


def lane_of(device_id: str) -> int:
    """Return the lane of this device."""
    return lane_number(device_id, lane_count())


def places_by_lane(device_ids: Sequence[str | None]) -> list[list[int]]:
    """Return the places of these identifiers by lane, in order within each. Those without a device go with any others."""
    lanes = lane_count()
    lane_by_id: dict[str | None, int] = {one: lane_number(one, lanes) for one in set(device_ids) if one is not None}
    # Where no position names a device, all are in one part.
    lane_by_id[None] = min(lane_by_id.values(), default=0)
    places: dict[int, list[int]] = {}
    for place, device_id in enumerate(device_ids):
        lane = lane_by_id[device_id]
        if lane in places:
            places[lane].append(place)
        else:
            places[lane] = [place]
    return list(places.values())
