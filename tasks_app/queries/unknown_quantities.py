"""Reads how many quantities of stored fixes could not be right, since Redis was set up.

{<prefix>:unknown-quantities}   HASH   <way in>:<quantity> -> count
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from tasks_app.engine.config import engine_config
from tasks_app.utils.redis_client import redis_client


@dataclass(frozen=True, slots=True)
class UnknownQuantity:
    """How often a quantity (validate.QUANTITIES) was unknown though sent, on a way in (FixSource, "batch" or "file")."""

    way: str
    quantity: str
    count: int


def unknown_key() -> str:
    """The Redis key of the counts."""
    return f"{{{engine_config().prefix}:unknown-quantities}}"


def unknown_quantities() -> list[UnknownQuantity]:
    """The counts, by way and quantity. Raises redis.RedisError."""
    counts = cast(dict[bytes, bytes], redis_client().hgetall(unknown_key()))
    names = ((*name.decode().partition(":")[::2], int(count)) for name, count in sorted(counts.items()))
    return [UnknownQuantity(*one) for one in names]
