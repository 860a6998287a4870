"""Opt-outs from e-mails."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model

from notifications_app.messages.unsubscribe_links import Subscription
from notifications_app.models import EmailOptOut, Rule


def unsubscribe(subscription: Subscription) -> None:
    """Store the opt-out. Repeating it, or a user or rule that is gone, is no error."""
    if values := _row_of(subscription):
        EmailOptOut.objects.get_or_create(**values)


def subscribe_again(subscription: Subscription) -> None:
    """Remove the opt-out."""
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
