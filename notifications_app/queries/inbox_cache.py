"""A person's newest notifications and unread count, from the cache in front of the database.

Keys, under the cache's prefix:
`notifications:version:{user}`         another random value after each change; CHANGING while one is being committed
`notifications:recent:{user}:{version}` the entry read under that version

An entry read before a change is never found after it, since the version is another one: a slow recipient cannot bring it back.
While a change is being committed nothing is cached, so that a process killed after its commit leaves nothing wrong behind.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import redis
from django.core.cache import cache

from notifications_app.models import Notification
from notifications_app.queries.inbox import visible_notifications
from tasks_app.utils.iso_times import iso_utc

logger = logging.getLogger(__name__)

MAX_RECENT = 50
CHANGING = "changing"
CHANGING_SECONDS = 60
ENTRY_SECONDS = 600
VERSION_SECONDS = 24 * 3600


def recent_notifications(user: Any) -> dict[str, Any]:
    """`{"unread": count, "results": [the newest 50, as the API shows them]}` of an active user."""
    try:
        version = _version(user.pk)
        entry = None if version == CHANGING else cache.get(entry_key(user.pk, version))
        if entry is None:
            entry = _read(user)
            if version != CHANGING:
                cache.set(entry_key(user.pk, version), entry, ENTRY_SECONDS)
        return entry
    except redis.RedisError as error:
        logger.warning("Notifications are read past the cache: %s", error)
        return _read(user)


def unread_count(user: Any) -> int:
    """The number of unread notifications of `user`."""
    if not user.is_authenticated or not user.is_active:
        return 0
    return recent_notifications(user)["unread"]


def version_key(user_id: int) -> str:
    return f"notifications:version:{user_id}"


def entry_key(user_id: int, version: str) -> str:
    return f"notifications:recent:{user_id}:{version}"


def _version(user_id: int) -> str:
    key = version_key(user_id)
    version = cache.get(key)
    if version is None:
        cache.add(key, uuid4().hex, VERSION_SECONDS)
        version = cache.get(key) or CHANGING
    return version


def _read(user: Any) -> dict[str, Any]:
    rows = list(visible_notifications(user)[:MAX_RECENT])
    unread = Notification.objects.filter(user_id=user.pk, on_behalf_to="", read_at__isnull=True).count()
    return {"unread": unread, "results": [_as_json(row) for row in rows]}


def _as_json(row: Notification) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "subject": row.subject,
        "device_id": row.device_id,
        "event_id": row.event_id,
        "created_at": iso_utc(row.created_at),
        "read_at": row.read_at and iso_utc(row.read_at),
        "acknowledged_at": row.acknowledged_at and iso_utc(row.acknowledged_at),
    }
