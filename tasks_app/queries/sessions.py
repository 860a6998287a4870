"""A person's own sessions and tokens. A session is named by the hash that the records of log-ins have of its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axes.models import AccessLog
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from knox.models import get_token_model

from tasks_app.models import DEFAULT_SCOPES

# Of a person with more sessions than this, as a program that logs in for every page has, the newest are listed.
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session that lives, with the log-in it began with where a record of that is kept."""

    session_hash: str
    began_at: datetime | None
    ends_at: datetime
    address: str
    user_agent: str
    is_present: bool


def sessions_of(user: Any, *, present_key: str) -> list[OwnSession]:
    """The sessions that `user` is logged in with: that of `present_key`, which asks, first, then the newest log-ins."""
    newest = session_rows_of(user).order_by("-expire_date")[:MAX_LISTED]
    present = session_rows_of(user).filter(session_key=present_key)
    rows = {hash_of(row.session_key): row for row in (*newest, *present) if _opens(row, user)}
    logins = {login.session_hash: login for login in AccessLog.objects.filter(session_hash__in=list(rows))}
    asking = hash_of(present_key)
    found = [_own_session(name, row, logins.get(name), name == asking) for name, row in rows.items()]
    newest_first = sorted(found, key=lambda one: one.began_at or one.ends_at, reverse=True)
    return sorted(newest_first, key=lambda one: (not one.is_present, one.began_at is None))


def session_rows_of(user: Any) -> QuerySet[Session]:
    """The rows of `user` among the sessions that have not expired."""
    return Session.objects.filter(login__user=user, expire_date__gt=timezone.now())


def hash_of(session_key: str) -> str:
    """The hash by which records of log-ins name a session (axes' get_client_session_hash)."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def _opens(row: Session, user: Any) -> bool:
    """Whether the session was opened with the password that the account has now; with a former one it opens nothing."""
    held = row.get_decoded().get(HASH_SESSION_KEY, "")
    valid = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(held, one) for one in valid)


def _own_session(session_hash: str, row: Session, login: AccessLog | None, is_present: bool) -> OwnSession:
    if login is None:
        return OwnSession(session_hash, None, row.expire_date, "", "", is_present)
    address, agent = login.ip_address or "", login.user_agent
    return OwnSession(session_hash, login.attempt_time, row.expire_date, address, agent, is_present)


def live_tokens(user: Any, *, now: datetime) -> QuerySet[Any]:
    """The API tokens of `user` that have not expired, newest first."""
    tokens = get_token_model().objects.select_related("details").filter(user=user)
    return (tokens.filter(expiry__isnull=True) | tokens.filter(expiry__gt=now)).order_by("-created")


def live_token(user: Any, token_key: str, *, now: datetime) -> Any:
    """The token of `user` that begins so and has not expired, None where there is none."""
    # PostgreSQL takes no text with a NUL, which an address may have.
    return None if "\0" in token_key else live_tokens(user, now=now).filter(token_key=token_key).first()


def scopes_of(token: Any) -> frozenset[str]:
    """The scopes that a token has; one without details was made before there were any."""
    details = getattr(token, "details", None)
    return frozenset(str(scope) for scope in (DEFAULT_SCOPES if details is None else details.scopes))
