"""Notice to web processes of changed access: they ask the database at once instead of at their next round.

The message of the group: {"type": "access.changed", "user_id": 7}, 0 for everybody.
"""

from __future__ import annotations

import logging
from functools import partial

from channels.layers import get_channel_layer
from django.db import transaction
from redis.exceptions import RedisError

from tasks_app.services.broadcast import group_channel
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

ACCESS_GROUP = "access"
EVERYBODY = 0


def announce_access(user_id: int) -> None:
    """Publish it after the commit. A Redis that is away is logged, never raised: access is checked every second anyway."""
    transaction.on_commit(partial(_publish, user_id), robust=True)


def _publish(user_id: int) -> None:
    message = get_channel_layer().serialize({"type": "access.changed", "user_id": user_id})
    try:
        redis_client().publish(group_channel(ACCESS_GROUP), message)
    except RedisError as error:
        logger.warning("Open connections of user %s did not hear of their access: %s", user_id, error)
