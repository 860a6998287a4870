"""A person's own notifications."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet

from notifications_app.models import Notification

# Short, because a count read while a notification is being committed may be stored just after its invalidation.
UNREAD_TTL_SECONDS = 60


def visible_notifications(user: Any) -> QuerySet[Notification]:
    """The notifications of `user`, newest first. Nobody sees those of others here, staff neither."""
    if not user.is_authenticated or not user.is_active:
        return Notification.objects.none()
    return (
        Notification.objects.filter(user=user, on_behalf_to="")
        .select_related("device", "event")
        .order_by("-created_at", "-id")
    )


def unread_count(user: Any) -> int:
    """How many notifications `user` has not read; from the cache for up to a minute, renewed by every write."""
    if not user.is_authenticated or not user.is_active:
        return 0
    count = cache.get(unread_key(user.pk))
    if count is None:
        count = Notification.objects.filter(user_id=user.pk, on_behalf_to="", read_at__isnull=True).count()
        cache.set(unread_key(user.pk), count, UNREAD_TTL_SECONDS)
    return count


def unread_key(user_id: int) -> str:
    return f"notifications:unread:{user_id}"
