"""Reads of the position buffer: how many fixes wait, and for how long.

{<prefix>:inbox}         STREAM   one entry {f: <JSON of the fix and when it was received>}, no consumer group
{<prefix>:inbox}:drain   STRING   exists while a drain is to come that has not begun: it will see all that is added
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client

MAX_BUFFERED_FIXES = 100_000


@dataclass(frozen=True, slots=True)
class BufferStats:
    """Fixes that wait, the age of the oldest in seconds (None when empty), and how many fit."""

    size: int
    oldest_age_seconds: float | None
    limit: int


def buffer_key() -> str:
    """The Redis key of the buffer."""
    return f"{{{engine_config().prefix}:inbox}}"


def drain_key() -> str:
    """The Redis key that says a drain is to come."""
    return f"{buffer_key()}:drain"


def buffer_size() -> int:
    """How many fixes wait."""
    return int(client().xlen(buffer_key()))


def buffer_stats() -> BufferStats:
    """Statistics of the buffer in one round trip; ages by the clock of Redis, which also made the entries' ids."""
    pipeline = client().pipeline(transaction=False)
    pipeline.xlen(buffer_key())
    pipeline.xrange(buffer_key(), count=1)
    pipeline.time()
    size, first, (seconds, microseconds) = pipeline.execute()
    return BufferStats(size, _age_seconds(first, seconds + microseconds / 1e6), MAX_BUFFERED_FIXES)


def _age_seconds(first: list[tuple[bytes, Any]], now_seconds: float) -> float | None:
    if not first:
        return None
    added_ms = int(first[0][0].partition(b"-")[0])
    return max(0.0, round(now_seconds - added_ms / 1000, 3))
