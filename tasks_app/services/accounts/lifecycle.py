"""Consequences of changed accounts: access that ends, and records that outlive a deleted account."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import SET_NULL, ProtectedError, QuerySet
from django.utils.translation import gettext as _

from tasks_app.models import Job, LoginSession
from tasks_app.queries.sessions import hash_of, session_rows_of
from tasks_app.services.accounts.tokens import revoke_tokens_of
from tasks_app.services.audit import record, subject_of_row
from tasks_app.utils.audit_source import changes_of

# No form accepts such a name: of a former user there is only ever one, and nobody can take it.
_FORMER_NAME = r" \(deleted [0-9]+\)$"
MAX_KEPT_NAME = 120


def loses_trust(user: User, update_fields: Collection[str] | None) -> bool:
    """Whether saving `user` changes the password or deactivates the account.

    A password that is only hashed anew at a log-in is the same one (`AbstractBaseUser.check_password` saves it like this).
    """
    saved = {"password", "is_active"} if update_fields is None else {"password", "is_active"} & set(update_fields)
    before = User.objects.filter(pk=user.pk).values("password", "is_active").first() if saved and user.pk else None
    if before is None:
        return False
    is_rehash = update_fields is not None and set(update_fields) == {"password"} and user._password is None  # type: ignore[attr-defined]
    has_new_password = "password" in saved and before["password"] != user.password and not is_rehash
    return has_new_password or is_deactivated(user, before["is_active"], saved)


def is_deactivated(user: User, was_active: bool, saved: Collection[str]) -> bool:
    return "is_active" in saved and was_active and not user.is_active


def end_access(user: User) -> None:
    """End the API tokens of an account, and its sessions where a new password does not do that (Django's session hash)."""
    revoke_tokens_of(user=user)
    if not user.is_active:
        _end_sessions(user)


def _end_sessions(user: User) -> None:
    """Without this they would live again with the account."""
    for session in session_rows_of(user):
        session.delete()


def note_session(session: Session) -> None:
    """Note whose session this is, for `queries.sessions`; one that nobody is logged in with is nobody's."""
    user_id = str(session.get_decoded().get(SESSION_KEY, ""))
    if user_id.isdecimal() and User.objects.filter(pk=user_id).exists():
        LoginSession.objects.bulk_create([LoginSession(session=session, user_id=int(user_id))], ignore_conflicts=True)


def end_session(*, user: User, session_hash: str) -> bool:
    """End the session of `user` whose key has this hash (`queries.sessions`); return whether there was one."""
    found = [row for row in session_rows_of(user) if hash_of(row.session_key) == session_hash]
    _end_by_request(user, found)
    return bool(found)


def end_other_sessions(*, user: User, present_key: str) -> int:
    """End all sessions of `user` but that of this key; return their number."""
    others = list(session_rows_of(user).exclude(session_key=present_key))
    _end_by_request(user, others)
    return len(others)


def log_out_everywhere(*, user: User) -> None:
    """End all sessions and API tokens of `user`."""
    with transaction.atomic():
        _end_by_request(user, list(session_rows_of(user)))
        revoke_tokens_of(user=user)


def _end_by_request(user: User, sessions: list[Session]) -> None:
    if not sessions:
        return
    with transaction.atomic():
        for session in sessions:
            session.delete()
        record("end_session", subject_of_row(user), given={"sessions": len(sessions)})


def is_administrator(user: User) -> bool:
    """Whether this is a superuser who can log in to the admin."""
    return user.is_superuser and user.is_staff and user.is_active


def is_administrated_without(users: Iterable[User]) -> bool:
    """Whether an administrator is left without these users, to be asked in the transaction in which they cease to be ones.

    The rows are locked: of two who take the right from each other at once, the second one hears what the first one did.
    """
    administrators = User.objects.filter(is_superuser=True, is_staff=True, is_active=True)
    locked = administrators.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True)
    return bool(set(locked) - {user.pk for user in users})


def keep_what_they_did(user: User) -> None:
    """Hand the audit records of `user` over to a former user of that name without any rights, before the deletion.

    Raises ProtectedError for a former user of whom something still tells.
    """
    acts = [(rows, field) for rows, field in _acts_of(user) if rows.exists()]
    if not acts:
        return
    if is_former(user):
        text = _("Something still tells of this former user.")
        raise ProtectedError(text, {row for rows, _field in acts for row in rows[:10]})
    # The audit names the user by itself: the stand-in is nobody's doing.
    with changes_of(None):
        former = User.objects.create(
            username=f"{user.get_username()[:MAX_KEPT_NAME]} (deleted {user.pk})",
            password=make_password(None),
            is_active=False,
            date_joined=user.date_joined,
        )
    for rows, field in acts:
        rows.update(**{field: former.pk})


def is_former(user: User) -> bool:
    """Whether this is the stand-in of a deleted user."""
    return re.search(_FORMER_NAME, user.get_username()) is not None


def has_acts(user: User) -> bool:
    """Whether any audit record names this user."""
    return any(rows.exists() for rows, _field in _acts_of(user))


def remove_forgotten_users() -> int:
    """Remove former users without audit records. Return their number."""
    former = User.objects.filter(username__regex=_FORMER_NAME)
    forgotten = [user.pk for user in former if not has_acts(user)]
    User.objects.filter(pk__in=forgotten).delete()
    return len(forgotten)


def _acts_of(user: User) -> Iterator[tuple[QuerySet[Any], str]]:
    """Audit records of `user`, each queryset with its user column.

    They are the admin's log, jobs, and every row that outlives its user (SET_NULL); what goes along (CASCADE) is the
    user's own, like memberships and notifications.
    """
    yield LogEntry.objects.filter(user=user), "user_id"
    yield Job.objects.filter(requested_by_id=user.pk), "requested_by_id"
    for relation in User._meta.get_fields(include_hidden=True):
        if getattr(relation, "on_delete", None) is SET_NULL:
            field = relation.field  # type: ignore[union-attr]
            yield field.model._base_manager.filter(**{field.name: user}), field.attname
