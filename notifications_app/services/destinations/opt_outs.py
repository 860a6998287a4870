"""Unsubscribing from e-mails, and back."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from notifications_app.messages.unsubscribe_links import Subscription
from notifications_app.models import EmailOptOut, Rule


def unsubscribe(subscription: Subscription) -> None:
    """Send this person no more e-mails of it; again is fine. Of a user or rule that is gone there is nothing to end."""
    if values := _row_of(subscription):
        EmailOptOut.objects.get_or_create(**values)


def subscribe_again(subscription: Subscription) -> None:
    """Send them again."""
    if values := _row_of(subscription):
        EmailOptOut.objects.filter(**values).delete()


def is_unsubscribed(subscription: Subscription) -> bool:
    values = _row_of(subscription)
    return values is not None and EmailOptOut.objects.filter(**values).exists()


def _row_of(subscription: Subscription) -> dict[str, Any] | None:
    if not get_user_model().objects.filter(pk=subscription.user_id).exists():
        return None
    if not subscription.rule_id:
        return {"user_id": subscription.user_id, "rule": None, "kind": subscription.kind}
    if not Rule.objects.filter(pk=subscription.rule_id).exists():
        return None
    return {"user_id": subscription.user_id, "rule_id": subscription.rule_id, "kind": ""}
