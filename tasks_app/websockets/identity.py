"""Identity and visible fleets of connections, checked at the start and every few seconds for all at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.crypto import hash_token
from knox.models import get_token_model

from tasks_app.models import Scope
from tasks_app.queries.access import VIEW_COMMANDS, visible_fleets_of
from tasks_app.queries.sessions import scopes_of

_TOKEN = re.compile(r"[\x21-\x7e]{1,100}")
_SESSION_KEY = re.compile(r"[a-z0-9]{8,40}")


@dataclass(frozen=True, slots=True)
class Credential:
    """Credential of a connection: the key of a session, or the digest of an API token."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Access:
    """A user and the names of the fleets they may see, by id; in `command_fleets` also the commands to devices."""

    user_id: int
    fleets: dict[int, str]
    command_fleets: frozenset[int] = frozenset()


def session_credential(cookies: dict[str, str]) -> Credential | None:
    """The session these cookies name, whether or not it is good."""
    key = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return Credential("session", key) if _SESSION_KEY.fullmatch(key) else None


def token_credential(token: str) -> Credential | None:
    """The API token of this text, whether or not it is good."""
    return Credential("token", hash_token(token)) if _TOKEN.fullmatch(token) else None


def current_access(credentials: Collection[Credential]) -> dict[Credential, Access]:
    """Access by credential; one that ended, expired or was revoked is absent.

    Five queries, however many there are; with staff among them who are no superusers up to four more.
    """
    holders = _session_users([one for one in credentials if one.kind == "session"])
    holders |= _token_users([one for one in credentials if one.kind == "token"])
    users = {user.pk: user for user in holders.values()}
    fleets = visible_fleets_of(users.values())
    # Every role may see both; only permissions of staff differ.
    with_permissions = [user for user in users.values() if user.is_staff and not user.is_superuser]
    of_commands = fleets | (visible_fleets_of(with_permissions, VIEW_COMMANDS) if with_permissions else {})
    return {
        credential: Access(user.pk, fleets[user.pk], frozenset(of_commands[user.pk]))
        for credential, user in holders.items()
    }


def _session_users(credentials: Iterable[Credential]) -> dict[Credential, Any]:
    by_key = {credential.key: credential for credential in credentials}
    if not by_key:
        return {}
    rows = Session.objects.filter(session_key__in=by_key, expire_date__gt=timezone.now())
    sessions = {row.session_key: row.get_decoded() for row in rows}
    users = _active_users({data.get(SESSION_KEY) for data in sessions.values()})
    return {
        by_key[key]: user
        for key, data in sessions.items()
        if (user := users.get(data.get(SESSION_KEY, ""))) is not None and _is_session_of(user, data)
    }


def _active_users(keys: set[str | None]) -> dict[str, Any]:
    users = get_user_model().objects.filter(pk__in=[key for key in keys if key], is_active=True)
    factors = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
    return {str(user.pk): user for user in users.annotate(has_second_factor=Exists(factors))}


def _is_session_of(user: Any, data: dict[str, Any]) -> bool:
    """As Django's own `get_user` decides: a changed password ends all sessions of before."""
    if data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    is_verified = DEVICE_ID_SESSION_KEY in data and user.has_second_factor
    if settings.STAFF_TWO_FACTOR and user.is_staff and not is_verified:
        return False
    session_hash = data.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(session_hash, one) for one in hashes)


def _token_users(credentials: Iterable[Credential]) -> dict[Credential, Any]:
    by_digest = {credential.key: credential for credential in credentials}
    if not by_digest:
        return {}
    now = timezone.now()
    tokens = get_token_model().objects.select_related("user", "details")
    living = tokens.filter(digest__in=by_digest, user__is_active=True)
    return {by_digest[row.digest]: row.user for row in living if _opens(row, now)}


def _opens(token: Any, now: datetime) -> bool:
    """Whether a token has not expired and may read: one for a scraper sees no positions."""
    return (token.expiry is None or token.expiry > now) and Scope.READ in scopes_of(token)
