"""A person's own sessions and tokens. A session is named by the hash that the records of log-ins have of its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axes.models import AccessLog
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from knox.models import get_token_model


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
    rows = {hash_of(row.session_key): row for row in session_rows_of(user) if _opens(row, user)}
    logins = {login.session_hash: login for login in AccessLog.objects.filter(session_hash__in=list(rows))}
    present = hash_of(present_key)
    found = [_own_session(name, row, logins.get(name), name == present) for name, row in rows.items()]
    newest_first = sorted(found, key=lambda one: one.began_at or one.ends_at, reverse=True)
    return sorted(newest_first, key=lambda one: (not one.is_present, one.began_at is None))


def session_rows_of(user: Any) -> list[Session]:
    """The rows of `user` among the sessions that have not expired; all of these are read, since rows name no user."""
    living = Session.objects.filter(expire_date__gt=timezone.now()).iterator()
    return [row for row in living if row.get_decoded().get(SESSION_KEY) == str(user.pk)]


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
    tokens = get_token_model().objects.filter(user=user)
    return (tokens.filter(expiry__isnull=True) | tokens.filter(expiry__gt=now)).order_by("-created")
