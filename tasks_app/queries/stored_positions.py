"""Reads how many positions were stored in each of the last minutes; imports of history are not counted.

<prefix>:stored:<minute since the epoch>   STRING   count; expires
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tasks_app.engine.config import engine_config
from tasks_app.utils.redis_client import redis_client


def stored_key(minute: int) -> str:
    """Return the Redis key of the count of this minute."""
    return f"{engine_config().prefix}:stored:{minute}"


def stored_per_minute(minutes: Sequence[int]) -> list[int]:
    """Return how many positions were stored in each of these minutes. Raises redis.RedisError."""
    counts = cast(list[bytes | None], redis_client().mget([stored_key(minute) for minute in minutes]))
    return [int(count or 0) for count in counts]
