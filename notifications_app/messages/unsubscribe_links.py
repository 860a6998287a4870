"""Links to unsubscribe without logging in: signed, with the user and the rule or kind, valid for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import signing
from django.urls import reverse

from notifications_app.models.kinds import MESSAGE_KINDS

if TYPE_CHECKING:
    from notifications_app.models import Notification

_SALT = "notifications_app.messages.unsubscribe_links"


@dataclass(frozen=True, slots=True)
class Subscription:
    """The e-mails of one user about a rule or, without one (0), of a kind of message."""

    user_id: int
    rule_id: int
    kind: str


class InvalidToken(ValueError):
    """The link was not made by us, or not completely copied."""


def unsubscribe_url(notification: Notification) -> str:
    """The link that ends what this notification belongs to; empty where there is nothing to end."""
    if notification.on_behalf_to or not MESSAGE_KINDS[notification.kind].can_be_unsubscribed:
        return ""
    subscription = Subscription(notification.user_id, notification.rule_id or 0, notification.kind)
    return settings.SITE_URL.rstrip("/") + reverse("unsubscribe", args=[token_of(subscription)])


def token_of(subscription: Subscription) -> str:
    values = [subscription.user_id, subscription.rule_id, subscription.kind]
    return signing.dumps(values, salt=_SALT)


def read_token(token: str) -> Subscription:
    """Raises InvalidToken."""
    try:
        values: Any = signing.loads(token, salt=_SALT)
        user_id, rule_id, kind = values
        return Subscription(int(user_id), int(rule_id), MESSAGE_KINDS[kind].kind)
    except (signing.BadSignature, ValueError, TypeError, KeyError) as error:
        raise InvalidToken(InvalidToken.__doc__) from error
