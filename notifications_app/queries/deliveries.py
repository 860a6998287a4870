"""Visible deliveries and destinations: one's own, for staff with the permission all deliveries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from notifications_app.models import Delivery, Destination, NotificationKind
from tasks_app.queries.access import Right, has_everywhere

RECENT_TESTS = 200
SHOWN_TESTS = 5
VIEW_DELIVERIES = Right(None, "notifications_app.view_delivery", is_own=True)


def visible_deliveries(user: Any) -> QuerySet[Delivery]:
    """The deliveries `user` may see, with their notification and its person."""
    if not user.is_authenticated or not user.is_active:
        return Delivery.objects.none()
    found = Delivery.objects.select_related("notification__user")
    if has_everywhere(user, VIEW_DELIVERIES):
        return found
    return found.filter(notification__user=user)


def own_destinations(user: Any) -> QuerySet[Destination]:
    """The destinations of `user`. Those of others are hidden from staff, too: they hold secrets."""
    if not user.is_authenticated or not user.is_active:
        return Destination.objects.none()
    return Destination.objects.filter(user=user)


def latest_tests(user: Any) -> dict[int, Delivery]:
    """The newest test of each destination of `user` among the RECENT_TESTS last ones, by the destination's id."""
    tests = Delivery.objects.filter(notification__user=user, notification__kind=NotificationKind.TEST)
    recent = tests.filter(destination__isnull=False).order_by("-pk").prefetch_related("attempts")[:RECENT_TESTS]
    return {delivery.destination_id: delivery for delivery in reversed(list(recent)) if delivery.destination_id}


def tests_of(destination: Destination) -> list[Delivery]:
    """The last SHOWN_TESTS tests of a destination with their attempts, newest first."""
    tests = destination.deliveries.filter(notification__kind=NotificationKind.TEST)
    return list(tests.order_by("-pk").prefetch_related("attempts")[:SHOWN_TESTS])
