"""Counts stored positions by the minute, for the overview."""

from __future__ import annotations

import logging
import time

from redis.exceptions import RedisError

from tasks_app.queries.stored_positions import stored_key
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

KEPT_SECONDS = 2 * 3600


def count_stored(count: int) -> None:
    """Add to the count of this minute."""
    if not count:
        return
    key = stored_key(int(time.time()) // 60)
    pipeline = redis_client().pipeline(transaction=False)
    pipeline.incrby(key, count)
    pipeline.expire(key, KEPT_SECONDS)
    try:
        pipeline.execute()
    except RedisError as error:
        # The positions are stored; only the chart lacks these.
        logger.warning("Stored positions are not counted: %s", error)
