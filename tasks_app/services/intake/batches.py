"""Batches of positions on their way into the queue: split by lane, so that each device's positions stay in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tasks_app.engine import CheckedCall, JobHandle, get_task
from tasks_app.engine.lanes import MAX_KEY_CHARS
from tasks_app.ingest.json_batch import SentPosition
from tasks_app.queries.position_lanes import places_by_lane

BATCH_TASK = "process_position_batch"


def enqueue_batch(items: Sequence[Any], indexes: Sequence[int], *, requested_by: Any) -> JobHandle:
    """Enqueue positions as one job, a group where several lanes have a part in it.

    `indexes` are their numbers in the request; the result names rejected ones by them. Raises the engine's errors.
    """
    task = get_task(BATCH_TASK)
    parts = split_batch(items)
    numbers = _numbers([places for places, _ in parts], indexes)
    if numbers is None:
        return task.apply_async((items,), requested_by=requested_by, is_whole=True)
    return task.enqueue_group([args for _, args in parts], indexes=numbers, requested_by=requested_by)


def enqueue_positions(positions: Sequence[SentPosition], indexes: Sequence[int], *, requested_by: Any) -> JobHandle:
    """Enqueue ordinary positions (`tasks_app.ingest.ordinary_batch`) as `enqueue_batch` does, in half the time."""
    task = get_task(BATCH_TASK)
    parts = places_by_lane([one.device_id for one in positions])
    calls = [_checked_call([positions[place] for place in places]) for places in parts]
    return task.enqueue_checked(calls, indexes=_numbers(parts, indexes), requested_by=requested_by)


def _numbers(parts: Sequence[Sequence[int]], indexes: Sequence[int]) -> list[list[int]] | None:
    """Return the numbers in the request of each part's positions; None where the request is one part, with all of it."""
    if len(parts) == 1 and list(indexes) == list(range(len(parts[0]))):
        return None
    return [[indexes[place] for place in places] for places in parts]


def _checked_call(positions: list[SentPosition]) -> CheckedCall:
    return CheckedCall(f"[[{msgspec.json.encode(positions).decode()}],{{}}]", positions[0].device_id)


def split_batch(position_data_list: Sequence[Any]) -> list[tuple[list[int], tuple[list[Any]]]]:
    """Return the parts of a batch that may be stored beside each other: places in the batch, and arguments of the task."""
    places = places_by_lane([device_of(item) for item in position_data_list])
    return [(some, ([position_data_list[place] for place in some],)) for some in places]


def lane_key_of_batch(position_data_list: Sequence[Any]) -> str | None:
    """Return the lane key of a part of a batch: any of its devices, for all are of one lane. None if it names no device."""
    return next((device_id for item in position_data_list if (device_id := device_of(item))), None)


def device_of(position_data: Any) -> str | None:
    """Return the device that a position names, None if that is no proper identifier: the position will be rejected."""
    device_id = position_data.get("device_id") if isinstance(position_data, dict) else None
    return device_id if isinstance(device_id, str) and 0 < len(device_id) <= MAX_KEY_CHARS else None
