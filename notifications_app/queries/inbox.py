"""A person's own notifications."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from notifications_app.models import Notification


def visible_notifications(user: Any) -> QuerySet[Notification]:
    """The notifications of `user`, newest first. Those of others are hidden from staff, too."""
    if not user.is_authenticated or not user.is_active:
        return Notification.objects.none()
    return (
        Notification.objects.filter(user=user, on_behalf_to="")
        .select_related("device", "event")
        .order_by("-created_at", "-id")
    )


def notified_since(at: datetime, user_ids: Iterable[int]) -> dict[int, int]:
    """The number of event notifications of each of these users since `at`; users without any are left out."""
    sent = Notification.objects.filter(user__in=list(user_ids), created_at__gte=at, event__isnull=False)
    return dict(sent.order_by().values_list("user_id").annotate(count=Count("pk")))
