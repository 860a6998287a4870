"""Opt-outs from e-mails."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Model

from notifications_app.messages.unsubscribe_links import Subscription
from notifications_app.models import EmailOptOut, Rule


def unsubscribe(subscription: Subscription) -> None:
    """Store the opt-out. Repeating it, or a user or rule that is gone, is no error."""
    with transaction.atomic():
        if values := _row_of(subscription, for_change=True):
            EmailOptOut.objects.get_or_create(**values)


def subscribe_again(subscription: Subscription) -> None:
    """Remove the opt-out."""
    with transaction.atomic():
        if values := _row_of(subscription, for_change=True):
            EmailOptOut.objects.filter(**values).delete()


def is_unsubscribed(subscription: Subscription) -> bool:
    values = _row_of(subscription)
    return values is not None and EmailOptOut.objects.filter(**values).exists()


def _row_of(subscription: Subscription, *, for_change: bool = False) -> dict[str, Any] | None:
    """Return the values of the row, None where its user or rule is gone.

    For a change both are locked: mail programs and people follow one link at the same moment, to and fro.
    """
    if not _is_there(get_user_model(), subscription.user_id, for_change):
        return None
    if not subscription.rule_id:
        return {"user_id": subscription.user_id, "rule": None, "kind": subscription.kind}
    if not _is_there(Rule, subscription.rule_id, for_change):
        return None
    return {"user_id": subscription.user_id, "rule_id": subscription.rule_id, "kind": ""}


def _is_there(model: type[Model], pk: int, for_change: bool) -> bool:
    rows = model._default_manager.filter(pk=pk).order_by()
    rows = rows.select_for_update(no_key=True) if for_change else rows
    return rows.values_list("pk").first() is not None
