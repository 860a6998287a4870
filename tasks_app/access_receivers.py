"""What ends or changes somebody's access: their open connections are told."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone
from knox.models import get_token_model

from tasks_app.models import FleetMembership
from tasks_app.services.accounts import EVERYBODY, announce_access

User = get_user_model()
# Logging in changes the account, too, and nobody's access.
_OF_LOG_INS = {"last_login"}


@receiver(post_save, sender=User, dispatch_uid="tasks_app.access_of_user")
def access_of_user(
    instance: Any, created: bool = False, update_fields: Collection[str] | None = None, **_signal: Any
) -> None:
    """Password, activity, staff."""
    if not created and set(update_fields or ()) != _OF_LOG_INS:
        announce_access(instance.pk)


@receiver(post_delete, sender=User, dispatch_uid="tasks_app.access_of_deleted_user")
def access_of_deleted_user(instance: Any, **_signal: Any) -> None:
    announce_access(instance.pk)


@receiver(post_delete, sender=Session, dispatch_uid="tasks_app.access_of_session")
def access_of_session(instance: Session, **_signal: Any) -> None:
    """Logged out; an expired one opened nothing any more."""
    if instance.expire_date > timezone.now() and (user_id := instance.get_decoded().get(SESSION_KEY)):
        announce_access(int(user_id))


@receiver(post_delete, sender=get_token_model(), dispatch_uid="tasks_app.access_of_token")
def access_of_token(instance: Any, **_signal: Any) -> None:
    """Revoked; an expired one opened nothing any more."""
    if instance.expiry is None or instance.expiry > timezone.now():
        announce_access(instance.user_id)


@receiver((post_save, post_delete), sender=FleetMembership, dispatch_uid="tasks_app.access_of_membership")
def access_of_membership(instance: FleetMembership, **_signal: Any) -> None:
    announce_access(instance.user_id)


@receiver(m2m_changed, sender=User.groups.through, dispatch_uid="tasks_app.access_of_groups")
@receiver(m2m_changed, sender=User.user_permissions.through, dispatch_uid="tasks_app.access_of_permissions")
@receiver(m2m_changed, sender=Group.permissions.through, dispatch_uid="tasks_app.access_of_group_permissions")
def access_of_permissions(instance: Any, action: str = "", **_signal: Any) -> None:
    if action.startswith("post_"):
        announce_access(instance.pk if isinstance(instance, User) else EVERYBODY)
