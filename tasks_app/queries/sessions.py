"""A person's own sessions and tokens. A session is named by the hash that the records of log-ins have of its key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axes.models import AccessLog
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from knox.models import get_token_model

# The newest log-ins that are looked at; sessions older than these are not listed.
RECENT_LOGINS = 200


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session that lives, with the log-in it began with."""

    session_hash: str
    began_at: datetime
    address: str
    user_agent: str
    is_present: bool


def sessions_of(user: Any, *, present_key: str) -> list[OwnSession]:
    """The living sessions of `user`, newest first; that of `present_key` is the one that asks."""
    recent = AccessLog.objects.filter(username=user.get_username(), logout_time__isnull=True).exclude(session_hash="")
    logins = list(recent.order_by("-attempt_time")[:RECENT_LOGINS])
    living = set(rows_by_hash(user, [login.session_hash for login in logins]))
    present = hash_of(present_key)
    return [
        OwnSession(
            login.session_hash,
            login.attempt_time,
            login.ip_address or "",
            login.user_agent,
            login.session_hash == present,
        )
        for login in logins
        if login.session_hash in living
    ]


def rows_by_hash(user: Any, hashes: list[str]) -> dict[str, Session]:
    """The living sessions of `user` among those whose keys have these hashes."""
    if not hashes:
        return {}
    named = RawSQL(
        "encode(sha256(convert_to(session_key, 'UTF8')), 'hex') = ANY(%s)", [hashes], output_field=BooleanField()
    )
    living = Session.objects.filter(named, expire_date__gt=timezone.now())
    return {hash_of(row.session_key): row for row in living if row.get_decoded().get(SESSION_KEY) == str(user.pk)}


def hash_of(session_key: str) -> str:
    """The hash by which records of log-ins name a session (axes' get_client_session_hash)."""
    return hashlib.sha256(session_key.encode()).hexdigest()


def live_tokens(user: Any, *, now: datetime) -> QuerySet[Any]:
    """The API tokens of `user` that have not expired, newest first."""
    tokens = get_token_model().objects.filter(user=user)
    return (tokens.filter(expiry__isnull=True) | tokens.filter(expiry__gt=now)).order_by("-created")
