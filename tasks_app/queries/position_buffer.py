"""Reads of the position buffer: how many fixes wait, and for how long.

It has a part for each lane of the positions queue, so that a device's fixes are stored by the worker of its lane (`<n>` is
the lane's number):

{<prefix>:inbox.<n>}         STREAM   one entry {f: <JSON of the fix and when it was received>}, no consumer group
{<prefix>:inbox.<n>}:drain   STRING   exists while a drain is to come that has not begun: it will see all that is added

{<prefix>:inbox} and its :drain are those of the version before lanes, emptied by the scheduled drain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.ingest.fix import Fix
from tasks_app.queries.position_lanes import lane_count, lane_of

# In one part, so that a lane whose jobs are held up cannot fill the memory.
MAX_BUFFERED_FIXES = 100_000
# Read at once to look for the fixes of one device.
_ENTRIES_AT_ONCE = 5000


class _WithFix(msgspec.Struct, gc=False):
    """An entry, as far as it is a fix."""

    fix: Fix | None = None


_decoder = msgspec.json.Decoder(_WithFix)


@dataclass(frozen=True, slots=True)
class BufferStats:
    """Fixes that wait, the age of the oldest in seconds (None when empty), and how many fit into each part."""

    size: int
    oldest_age_seconds: float | None
    limit: int


def buffer_key(lane: int) -> str:
    """Return the Redis key of the part of this lane."""
    return f"{{{engine_config().prefix}:inbox.{lane}}}"


def former_buffer_key() -> str:
    """Return the Redis key of the one buffer that the version before lanes had."""
    return f"{{{engine_config().prefix}:inbox}}"


def drain_key(lane: int) -> str:
    """Return the Redis key that says a drain of that part is to come."""
    return f"{buffer_key(lane)}:drain"


def sizes_by_lane() -> list[int]:
    """Return how many fixes wait for each lane."""
    pipeline = client().pipeline(transaction=False)
    for lane in range(lane_count()):
        pipeline.xlen(buffer_key(lane))
    return [int(size) for size in pipeline.execute()]


def buffer_size() -> int:
    """Return how many fixes wait."""
    return sum(sizes_by_lane())


def newest_waiting_fix(unique_id: str) -> Fix | None:
    """Return the fix of this device with the latest time among those that wait, None without any. Raises redis.RedisError."""
    key, name = buffer_key(lane_of(unique_id)), msgspec.json.encode(unique_id)
    newest: Fix | None = None
    last = "+"
    while entries := client().xrevrange(key, last, count=_ENTRIES_AT_ONCE):
        for _, fields in entries:
            body = fields.get(b"f", b"")
            # Most are of other devices, which are not worth decoding.
            fix = _fix_of(body) if name in body else None
            if fix is not None and fix.device_id == unique_id and (newest is None or fix.fix_time > newest.fix_time):
                newest = fix
        last = f"({entries[-1][0].decode()}"
    return newest


def _fix_of(body: bytes) -> Fix | None:
    try:
        return _decoder.decode(body).fix
    except ValueError:
        return None


def buffer_stats() -> BufferStats:
    """Return statistics of the whole buffer; ages by the clock of Redis, which also made the entries' ids."""
    pipeline = client().pipeline(transaction=False)
    for lane in range(lane_count()):
        pipeline.xlen(buffer_key(lane))
        pipeline.xrange(buffer_key(lane), count=1)
    answers = pipeline.execute()
    firsts = [first for first in answers[1::2] if first]
    if not firsts:
        return BufferStats(sum(answers[::2]), None, MAX_BUFFERED_FIXES)
    seconds, microseconds = client().time()
    ages = [_age_seconds(first, seconds + microseconds / 1e6) for first in firsts]
    return BufferStats(sum(answers[::2]), max(ages), MAX_BUFFERED_FIXES)


def _age_seconds(first: list[tuple[bytes, Any]], now_seconds: float) -> float:
    added_ms = int(first[0][0].partition(b"-")[0])
    return max(0.0, round(now_seconds - added_ms / 1000, 3))
