"""Receivers of signals of lower packages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications_app.models import (
    Destination,
    EmailOptOut,
    EscalationStep,
    MessageTemplate,
    NotificationPreference,
    Rule,
)
from notifications_app.services.digests import move_what_waits
from notifications_app.services.events import look_at_escalations, look_at_pending, write_outbox
from notifications_app.services.system import alert_administrators, limits_by, switch_off_unlimited
from tasks_app.engine import enqueue_on_commit
from tasks_app.models import Device, Event, Fleet, Geofence
from tasks_app.services.audit import watch
from tasks_app.signals import events_recorded, schedule_switched_off, system_trouble

for audited in (Rule, EscalationStep, MessageTemplate, NotificationPreference, EmailOptOut):
    watch(audited)
watch(Destination, ignored={"tested_at"})


@receiver(events_recorded, dispatch_uid="notifications_app.write_outbox")
def write_recorded_events(*, events: Sequence[Event], **_signal: Any) -> None:
    """Write these events to the outbox; it commits, or rolls back, with the events."""
    write_outbox(events, now=timezone.now())


@receiver(system_trouble, dispatch_uid="notifications_app.notify_of_trouble")
def notify_of_trouble(*, subject: str, message: str, level: str, key: str, now: datetime, **_signal: Any) -> None:
    """Notify the administrators, each once under the key."""
    alert_administrators(subject=subject, message=message, level=level, now=now, dedupe_key=f"trouble:{key}")


@receiver(schedule_switched_off, dispatch_uid="notifications_app.notify_of_schedule")
def notify_of_schedule(*, name: str, error: str, **_signal: Any) -> None:
    """Notify the administrators by a job, so that trouble with notifications does not keep the schedule from being saved."""
    subject = _("Schedule %(name)s is switched off") % {"name": name}
    enqueue_on_commit("send_system_alert", subject, error, "error")


@receiver(post_save, sender=EscalationStep, dispatch_uid="notifications_app.changed_step")
def look_by_changed_step(instance: EscalationStep, **_signal: Any) -> None:
    look_at_escalations(instance.rule_id, now=timezone.now())


@receiver(post_save, sender=Rule, dispatch_uid="notifications_app.changed_rule")
def look_by_changed_rule(instance: Rule, **_signal: Any) -> None:
    look_at_pending(instance.pk, now=timezone.now())


@receiver(post_save, sender=NotificationPreference, dispatch_uid="notifications_app.changed_times")
@receiver(post_delete, sender=NotificationPreference, dispatch_uid="notifications_app.no_times")
def move_what_waits_for_person(instance: NotificationPreference, raw: bool = False, **_signal: Any) -> None:
    """Move what is held until times that the person may have changed."""
    if not raw:
        move_what_waits(instance.user_id, now=timezone.now())


@receiver(pre_delete, sender=Device, dispatch_uid="notifications_app.limits_by_device")
@receiver(pre_delete, sender=Geofence, dispatch_uid="notifications_app.limits_by_geofence")
def note_limits_of_rules(instance: Any, origin: Any = None, **_signal: Any) -> None:
    """Note the rules that name the row: once it is deleted, nothing says so any more. Those of a deleted fleet go with it."""
    is_of_fleet = getattr(origin, "model", type(origin)) is Fleet
    instance.limits_of_rules = limits_by(instance, with_fleet=is_of_fleet)


@receiver(post_delete, sender=Device, dispatch_uid="notifications_app.lost_device")
@receiver(post_delete, sender=Geofence, dispatch_uid="notifications_app.lost_geofence")
def switch_off_rules_without_limit(instance: Any, **_signal: Any) -> None:
    """Rows deleted together are all gone from the rules by now, so that none of them counts as left."""
    switch_off_unlimited(instance.limits_of_rules, instance.name, now=timezone.now())
