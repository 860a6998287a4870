"""Frames and identifiers that gateways saw last, in Redis: for staff who look for what is wrong with a tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tasks_app.queries.trackers import MAX_UNKNOWN, RawFrame, tracker_key
from tasks_app.redis_scripts import run_script
from tasks_app.utils.redis_client import redis_client

RAW_FRAME_SECONDS = 3600
UNKNOWN_SECONDS = 7 * 24 * 3600
# Of one frame.
MAX_RAW_BYTES = 1024
MAX_IDENTIFIER_CHARACTERS = 64

_encode = msgspec.json.Encoder().encode


def keep_raw_frames(frames: Mapping[str, Sequence[RawFrame]], *, most: int) -> None:
    """Add frames of devices, given by unique id; of each device the last `most` are kept, for an hour."""
    if not frames:
        return
    pipeline = redis_client().pipeline(transaction=False)
    for unique_id, some in frames.items():
        key = tracker_key("raw", unique_id)
        pipeline.rpush(key, *map(_encode, some))
        pipeline.ltrim(key, -most, -1)
        pipeline.expire(key, RAW_FRAME_SECONDS)
    pipeline.execute()


def note_unknown(seen: Mapping[str, tuple[str, str, int]], *, now: datetime) -> None:
    """Remember identifiers that no device has: protocol, address and how often, by identifier."""
    if not seen:
        return
    arguments: list[object] = [MAX_UNKNOWN, UNKNOWN_SECONDS, round(now.timestamp() * 1000)]
    for identifier, (protocol, address, count) in seen.items():
        arguments += (identifier[:MAX_IDENTIFIER_CHARACTERS], protocol, address, count)
    run_script(redis_client(), "note_unknown_trackers", [tracker_key("unknown"), tracker_key("unknown:at")], arguments)


def forget_unknown(identifier: str) -> None:
    """Forget an identifier, as when a device with it was added."""
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.hdel(tracker_key("unknown"), identifier)
    pipeline.zrem(tracker_key("unknown:at"), identifier)
    pipeline.execute()
