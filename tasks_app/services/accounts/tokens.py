"""API tokens: made once, shown once, stored hashed, with a name, scopes and, as a rule, an end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _
from knox.models import get_token_model
from knox.settings import knox_settings

from tasks_app.models import DEFAULT_SCOPES, TokenDetails

USE_NOTED_EVERY = timedelta(minutes=1)


class TooManyTokens(Exception):
    """The user holds as many live tokens as are allowed."""

    def __init__(self, limit: int) -> None:
        text = _(
            "There are %(limit)d live tokens already; revoke one first, or replace the one that was used longest ago."
        )
        super().__init__(text % {"limit": limit})


class AccountChanged(Exception):
    """The user got another password, was deactivated or deleted since they were let in, by which all their tokens ended."""

    def __init__(self) -> None:
        super().__init__(_("The account was changed at this moment; log in again."))


class Replace(StrEnum):
    """Which tokens end for a new one: none, where there is no room that of the longest ago last use, or all."""

    NONE = "none"
    OLDEST = "oldest"
    ALL = "all"


def default_lifetime() -> timedelta | None:
    """The lifetime of tokens that are made without a choice (API_TOKEN_TTL_DAYS)."""
    lifetime: timedelta | None = knox_settings.TOKEN_TTL
    return lifetime


def issue_token(
    *,
    user: Any,
    now: datetime,
    name: str = "",
    scopes: Collection[str] = DEFAULT_SCOPES,
    lifetime: timedelta | str | None = "default",
    replace: Replace = Replace.NONE,
) -> tuple[str, datetime | None]:
    """A new token and when it expires; a lifetime of None never ends. Expired tokens of the user are removed.

    `user` is as read when they were let in. Raises TooManyTokens, AccountChanged.
    """
    ends_after = default_lifetime() if isinstance(lifetime, str) else lifetime
    with transaction.atomic():
        # Two at once are counted one after the other.
        present = get_user_model().objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).first()
        if present is None or present.password != user.password:
            raise AccountChanged
        _make_room(get_token_model().objects.filter(user=user), now, replace)
        row, token = get_token_model().objects.create(user=user, expiry=ends_after)
        TokenDetails.objects.create(token=row, name=name, scopes=sorted({str(scope) for scope in scopes}))
    return token, row.expiry


def check_room(*, user: Any, now: datetime, replace: Replace) -> None:
    """Return if `issue_token` would find room for a token. Raises TooManyTokens."""
    limit = knox_settings.TOKEN_LIMIT_PER_USER
    live = get_token_model().objects.filter(user=user).exclude(expiry__lte=now)
    if replace is Replace.NONE and limit is not None and live.count() >= limit:
        raise TooManyTokens(limit)


def _make_room(tokens: QuerySet[Any], now: datetime, replace: Replace) -> None:
    tokens.filter(expiry__lte=now).delete()
    limit = knox_settings.TOKEN_LIMIT_PER_USER
    if replace is Replace.ALL:
        tokens.delete()
    elif limit is not None and (surplus := tokens.count() + 1 - limit) > 0:
        if replace is Replace.NONE:
            raise TooManyTokens(limit)
        by_use = tokens.order_by(F("details__last_used_at").asc(nulls_first=True), "created")
        for token in by_use[:surplus]:
            token.delete()


def note_use(*, token: Any, now: datetime) -> None:
    """Note that the token was used, once in USE_NOTED_EVERY at most."""
    details = getattr(token, "details", None)
    if details is None:
        _note_first_use(token, now)
        return
    before = now - USE_NOTED_EVERY
    if details.last_used_at is None or details.last_used_at < before:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=before)
        TokenDetails.objects.filter(stale, pk=details.pk).update(last_used_at=now)


def _note_first_use(token: Any, now: datetime) -> None:
    """Of a token that a web server of a former version made, which may have been revoked since it was read."""
    try:
        with transaction.atomic():
            TokenDetails.objects.bulk_create([TokenDetails(token=token, last_used_at=now)], ignore_conflicts=True)
    except IntegrityError:
        return


def revoke_token(*, token: Any) -> None:
    """End this token now."""
    token.delete()


def revoke_tokens_of(*, user: Any) -> None:
    """End every token of this user now."""
    get_token_model().objects.filter(user=user).delete()
