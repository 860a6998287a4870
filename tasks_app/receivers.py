"""What follows, inside this package, from a change of a row that people keep."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models.signals import post_save, pre_delete, pre_save
from django.dispatch import receiver

from tasks_app.models import Device, Fleet
from tasks_app.services.accounts import end_access, keep_what_they_did, loses_trust
from tasks_app.services.devices import mark_all_days
from tasks_app.services.positions import renew_versions


@receiver(pre_save, sender=Fleet, dispatch_uid="tasks_app.remember_zone")
def remember_zone(instance: Fleet, raw: bool = False, **_signal: Any) -> None:
    """Note whether the fleet gets another time zone."""
    known = Fleet.objects.filter(pk=instance.pk).exclude(time_zone=instance.time_zone)
    instance._gets_other_days = not raw and instance.pk is not None and known.exists()  # type: ignore[attr-defined]


@receiver(pre_save, sender=Device, dispatch_uid="tasks_app.remember_fleet_and_kind")
def remember_fleet_and_kind(instance: Device, raw: bool = False, **_signal: Any) -> None:
    """Note whether the device moves to another fleet or becomes another kind."""
    known = Device.objects.filter(pk=instance.pk).exclude(fleet_id=instance.fleet_id, kind=instance.kind)
    instance._gets_other_days = not raw and instance.pk is not None and known.exists()  # type: ignore[attr-defined]


@receiver(post_save, sender=Fleet, dispatch_uid="tasks_app.mark_days_of_fleet")
def mark_days_of_fleet(instance: Fleet, **_signal: Any) -> None:
    """Other midnights: the days of its devices are computed again."""
    if instance.__dict__.pop("_gets_other_days", False):
        mark_all_days(Device.objects.filter(fleet=instance))


@receiver(post_save, sender=Device, dispatch_uid="tasks_app.mark_days_of_device")
def mark_days_of_device(instance: Device, **_signal: Any) -> None:
    """Another fleet may have other midnights, another kind has other rules: days and statistics are computed again."""
    if instance.__dict__.pop("_gets_other_days", False):
        mark_all_days(Device.objects.filter(pk=instance.pk))
        renew_versions([instance.pk])


@receiver(pre_save, sender=User, dispatch_uid="tasks_app.remember_trust")
def remember_trust(instance: User, raw: bool = False, update_fields: Any = None, **_signal: Any) -> None:
    """Note whether the user gets another password or is deactivated."""
    instance._loses_trust = not raw and loses_trust(instance, update_fields)  # type: ignore[attr-defined]


@receiver(post_save, sender=User, dispatch_uid="tasks_app.end_access")
def end_access_of_user(instance: User, **_signal: Any) -> None:
    """What was opened with the former password, or before a deactivation, ends."""
    if instance.__dict__.pop("_loses_trust", False):
        end_access(instance)


@receiver(pre_delete, sender=User, dispatch_uid="tasks_app.keep_what_they_did")
def keep_acts_of_user(instance: User, **_signal: Any) -> None:
    """The records of what the user did stay, with the name."""
    keep_what_they_did(instance)
