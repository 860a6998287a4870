"""How many connections one user holds, counted over all web processes.

`<p>:live:user:<id>`   ZSET   connection id -> when it was last known to be open, in seconds (`<p>` as in engine/keys.py)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from redis.exceptions import RedisError

from tasks_app.engine.config import engine_config
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

# A slot that nobody renewed for so long belongs to a web process that died.
LOST_AFTER_SECONDS = 60.0


def take_slot(user_id: int, connection_id: str, *, limit: int, now: float) -> bool:
    """Count one more connection of this user, unless it holds `limit` already. A Redis that is away refuses none."""
    key = _key(user_id)
    try:
        pipeline = redis_client().pipeline(transaction=True)
        pipeline.zremrangebyscore(key, "-inf", now - LOST_AFTER_SECONDS)
        pipeline.zadd(key, {connection_id: now})
        pipeline.zcard(key)
        pipeline.expire(key, int(LOST_AFTER_SECONDS))
        if pipeline.execute()[2] <= limit:
            return True
        redis_client().zrem(key, connection_id)
    except RedisError as error:
        logger.warning("Connections of user %s were not counted: %s", user_id, error)
        return True
    return False


def renew_slots(held: Iterable[tuple[int, str]], *, now: float) -> None:
    """Say of (user id, connection id) pairs that they are still open."""
    pipeline = redis_client().pipeline(transaction=False)
    for user_id, connection_id in held:
        pipeline.zadd(_key(user_id), {connection_id: now})
        pipeline.expire(_key(user_id), int(LOST_AFTER_SECONDS))
    try:
        pipeline.execute()
    except RedisError as error:
        logger.warning("Open connections were not renewed: %s", error)


def free_slot(user_id: int, connection_id: str) -> None:
    """This connection is closed."""
    try:
        redis_client().zrem(_key(user_id), connection_id)
    except RedisError as error:
        logger.warning("A closed connection of user %s stays counted for a minute: %s", user_id, error)


def _key(user_id: int) -> str:
    return f"{engine_config().prefix}:live:user:{user_id}"
