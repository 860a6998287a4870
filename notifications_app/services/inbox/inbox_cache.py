"""Invalidation of the cache of recent notifications: every write of a notification calls `note_change`."""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from uuid import uuid4

import redis
from django.core.cache import cache
from django.db import transaction

from notifications_app.queries.inbox_cache import CHANGING, CHANGING_SECONDS, VERSION_SECONDS, version_key

logger = logging.getLogger(__name__)


def note_change(user_ids: Collection[int]) -> None:
    """Suspend the cache of these users, whose notifications change in the present transaction, until it ends."""
    _set_versions(dict.fromkeys(user_ids, CHANGING), CHANGING_SECONDS)
    transaction.on_commit(partial(_renew_versions, set(user_ids)), robust=True)


def _renew_versions(user_ids: Collection[int]) -> None:
    _set_versions({user_id: uuid4().hex for user_id in user_ids}, VERSION_SECONDS)


def _set_versions(versions: dict[int, str], seconds: int) -> None:
    """Write the versions. An unreachable Redis is logged only, since entries expire."""
    try:
        cache.set_many({version_key(user_id): version for user_id, version in versions.items()}, seconds)
    except redis.RedisError as error:
        logger.warning("The cache of notifications was not notified of a change: %s", error)
