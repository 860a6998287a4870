"""Read and acknowledged notifications of a person."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models.functions import Coalesce

from notifications_app.queries.inbox import visible_notifications
from notifications_app.services.inbox.inbox_cache import note_change


def mark_read(*, user: Any, now: datetime, notification_ids: Collection[int] | None = None) -> int:
    """Mark these (None: all) notifications of `user` as read; return the number of unread ones among them."""
    return _change(user, notification_ids, "read_at", {"read_at": now})


def acknowledge(*, user: Any, now: datetime, notification_ids: Collection[int]) -> int:
    """Acknowledge these notifications of `user`; return the number of those not acknowledged before.

    They count as read, and their events are not escalated any further.
    """
    return _change(
        user, notification_ids, "acknowledged_at", {"acknowledged_at": now, "read_at": Coalesce("read_at", now)}
    )


def _change(user: Any, ids: Collection[int] | None, still_null: str, values: dict[str, Any]) -> int:
    rows = visible_notifications(user).filter(**{f"{still_null}__isnull": True})
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    with transaction.atomic():
        changed = rows.order_by().update(**values)
        if changed:
            note_change([user.pk])
    return changed
