"""Receivers of signals: consequences of changed rows, and the connections of users whose access ends or changes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save
from django.dispatch import receiver
from django.utils import timezone
from django_q.models import Schedule
from knox.models import get_token_model

from tasks_app.engine.django_tasks import announce_ended
from tasks_app.engine.records import FinishedJob
from tasks_app.models import Device, Event, Fleet, FleetMembership, Geofence
from tasks_app.services.accounts import (
    EVERYBODY,
    announce_access,
    end_access,
    keep_what_they_did,
    loses_trust,
    note_session,
)
from tasks_app.services.broadcast import announce_rows
from tasks_app.services.commands import match_results
from tasks_app.services.devices import mark_all_days
from tasks_app.services.intake import IMPORT_TASK, end_uploads_of, why_not_imported_again
from tasks_app.services.jobs import CHANGE_TASK, why_not_continued
from tasks_app.services.positions import renew_versions
from tasks_app.services.schedules import lock_schedule
from tasks_app.signals import events_recorded, job_repeat_asked, jobs_not_done
from tasks_app.utils.instance_marks import InstanceMarks

_with_other_days, _without_trust = InstanceMarks(), InstanceMarks()


@receiver(pre_save, sender=Fleet, dispatch_uid="tasks_app.remember_zone")
def remember_zone(instance: Fleet, raw: bool = False, **_signal: Any) -> None:
    """Note whether the fleet gets another time zone."""
    known = Fleet.objects.filter(pk=instance.pk).exclude(time_zone=instance.time_zone)
    _with_other_days.set(instance, not raw and instance.pk is not None and known.exists())


@receiver(pre_save, sender=Device, dispatch_uid="tasks_app.remember_fleet_and_kind")
def remember_fleet_and_kind(instance: Device, raw: bool = False, **_signal: Any) -> None:
    """Note whether the device moves to another fleet or becomes another kind."""
    stored = Device.objects.filter(pk=instance.pk).values("fleet_id", "kind")
    known = None if raw or instance.pk is None else stored.first()
    _with_other_days.set(instance, known not in (None, {"fleet_id": instance.fleet_id, "kind": instance.kind}))
    if known and known["fleet_id"] != instance.fleet_id:
        announce_rows(known["fleet_id"])


@receiver((post_save, post_delete), sender=Device, dispatch_uid="tasks_app.announce_device")
@receiver((post_save, post_delete), sender=Geofence, dispatch_uid="tasks_app.announce_geofence")
def announce_changed_row(instance: Device | Geofence, raw: bool = False, **_signal: Any) -> None:
    """Maps that are open show it."""
    if not raw:
        announce_rows(instance.fleet_id)


@receiver(post_save, sender=Fleet, dispatch_uid="tasks_app.mark_days_of_fleet")
def mark_days_of_fleet(instance: Fleet, **_signal: Any) -> None:
    """Other midnights: the days of its devices are computed again."""
    if _with_other_days.take(instance):
        mark_all_days(Device.objects.filter(fleet=instance))


@receiver(post_save, sender=Device, dispatch_uid="tasks_app.mark_days_of_device")
def mark_days_of_device(instance: Device, **_signal: Any) -> None:
    """Another fleet may have other midnights, another kind has other rules: days and statistics are computed again."""
    if _with_other_days.take(instance):
        mark_all_days(Device.objects.filter(pk=instance.pk))
        renew_versions([instance.pk])


@receiver(pre_save, sender=User, dispatch_uid="tasks_app.remember_trust")
def remember_trust(instance: User, raw: bool = False, update_fields: Any = None, **_signal: Any) -> None:
    """Note whether the user gets another password or is deactivated."""
    _without_trust.set(instance, not raw and loses_trust(instance, update_fields))


@receiver(post_save, sender=User, dispatch_uid="tasks_app.end_access")
def end_access_of_user(instance: User, **_signal: Any) -> None:
    """End what was opened with the former password, or before a deactivation."""
    if _without_trust.take(instance):
        end_access(instance)


@receiver(pre_delete, sender=User, dispatch_uid="tasks_app.keep_what_they_did")
def keep_acts_of_user(instance: User, **_signal: Any) -> None:
    """The records of what the user did stay, with the name."""
    keep_what_they_did(instance)


@receiver(pre_delete, sender=Schedule, dispatch_uid="tasks_app.lock_schedule")
def lock_schedule_before_its_state(instance: Schedule, **_signal: Any) -> None:
    """The ORM deletes the state first, which would lock them in the opposite order of a scheduler's tick."""
    lock_schedule(instance)


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


@receiver(post_save, sender=Session, dispatch_uid="tasks_app.note_session")
def note_user_of_session(instance: Session, raw: bool = False, **_signal: Any) -> None:
    """A session gets its user at the log-in, which is not always when its row is made."""
    if not raw:
        note_session(instance)


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


@receiver(jobs_not_done, dispatch_uid="tasks_app.announce_ended_tasks")
def announce_ended_tasks(jobs: list[FinishedJob], **_signal: Any) -> None:
    """Send the signal of the tasks framework for jobs that ended without a worker, which would have sent it."""
    announce_ended(jobs)


@receiver(jobs_not_done, dispatch_uid="tasks_app.end_imports")
def end_imports(jobs: list[FinishedJob], **_signal: Any) -> None:
    """An import whose job was cancelled while it waited ends with it."""
    end_uploads_of(jobs)


@receiver(job_repeat_asked, dispatch_uid="tasks_app.refuse_import")
def refuse_import(task: str, args: list[Any], kwargs: dict[str, Any], **_signal: Any) -> str | None:
    """An import is made again only while its file is kept."""
    return why_not_imported_again(args, kwargs) if task == IMPORT_TASK else None


@receiver(job_repeat_asked, dispatch_uid="tasks_app.refuse_bulk_action")
def refuse_bulk_action(task: str, kwargs: dict[str, Any], **_signal: Any) -> str | None:
    """A bulk action is made again only while it has jobs left."""
    return why_not_continued(kwargs) if task == CHANGE_TASK else None


@receiver(events_recorded, dispatch_uid="tasks_app.match_command_results")
def match_command_results(events: Collection[Event], **_signal: Any) -> None:
    """Match results of commands with the commands that they answer."""
    match_results(events)
