"""API tokens: made once, shown once, stored hashed, expiring."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from knox.models import get_token_model
from knox.settings import knox_settings


class TooManyTokens(Exception):
    """The user holds as many live tokens as are allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(_("There are %(limit)d live tokens already; log one out first.") % {"limit": limit})


def issue_token(*, user: Any, now: datetime) -> tuple[str, datetime | None]:
    """A new token and when it expires. Expired tokens of the user are removed. Raises TooManyTokens."""
    tokens = get_token_model().objects
    tokens.filter(user=user, expiry__lte=now).delete()
    limit = knox_settings.TOKEN_LIMIT_PER_USER
    if limit is not None and tokens.filter(user=user).count() >= limit:
        raise TooManyTokens(limit)
    row, token = tokens.create(user=user)
    return token, row.expiry


def revoke_token(*, token: Any) -> None:
    """End this token now."""
    token.delete()


def revoke_tokens_of(*, user: Any) -> None:
    """End every token of this user now."""
    get_token_model().objects.filter(user=user).delete()
