"""What a person does with their own notifications."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from notifications_app.queries.inbox import visible_notifications
from notifications_app.services.outbox import forget_unread_counts


def mark_read(*, user: Any, now: datetime, notification_ids: Collection[int] | None = None) -> int:
    """Mark these (None: all) notifications of `user` as read; return how many were unread. Others' are left alone."""
    unread = visible_notifications(user).filter(read_at__isnull=True)
    if notification_ids is not None:
        unread = unread.filter(pk__in=notification_ids)
    with transaction.atomic():
        changed = unread.order_by().update(read_at=now)
        if changed:
            transaction.on_commit(partial(forget_unread_counts, [user.pk]), robust=True)
    return changed
