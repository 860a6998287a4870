"""Escalation of unacknowledged alerts, step by step, each step once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from notifications_app.matching.match_results import Alert
from notifications_app.models import Escalation, EscalationStep, Notification, Rule
from notifications_app.queries.audience import read_people
from notifications_app.queries.events import devices_of, event_value
from notifications_app.queries.rules import rule_values
from notifications_app.services.events.deferred import minutes_after
from notifications_app.services.events.event_alerts import audience_of, rule_key, write_alerts
from tasks_app.engine import current_job
from tasks_app.models import Event
from tasks_app.queries.access import visible_devices

MAX_PER_RUN = 5000
SUBJECT = _("Not acknowledged: %(subject)s")


def escalate_due(*, now: datetime) -> int:
    """Notify the people of due steps; return the number of people notified."""
    due = Escalation.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    notified = 0
    for escalation_id in due.values_list("pk", flat=True)[:MAX_PER_RUN]:
        current_job().raise_if_cancelled()
        notified += _escalate(escalation_id, now=now)
    return notified


def _escalate(escalation_id: int, *, now: datetime) -> int:
    """Notify the steps that are due and set the next one, in one transaction."""
    with transaction.atomic():
        row = (
            Escalation.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(pk=escalation_id, due_at__lte=now)
            .first()
        )
        if row is None:
            return 0
        steps = EscalationStep.objects.filter(rule=row.rule_id, rule__is_active=True).order_by("after_minutes")
        left = list(steps.filter(after_minutes__gt=row.taken_minutes))
        if not left or is_acknowledged(row.event):
            row.delete()
            return 0
        due = [step for step in left if minutes_after(row.notified_at, step.after_minutes) <= now]
        notified = sum(_notify(row, step, now=now) for step in due)
        _wait_for_next(row, due, left[len(due) :])
        return notified


def look_at_escalations(rule_id: int, *, now: datetime) -> None:
    """Have the escalations of a rule whose steps changed looked at now, as the next step may be due sooner.

    Not while it is off, as with pending alerts.
    """
    Escalation.objects.filter(rule=rule_id, rule__is_active=True, due_at__gt=now).update(due_at=now)


def is_acknowledged(event: Event) -> bool:
    """Return whether a notification of this event was acknowledged by a person who may see its device.

    Who left the fleet has the notification still, and ends nothing by it.
    """
    by = Notification.objects.filter(event=event.pk, acknowledged_at__isnull=False).values_list("user_id", flat=True)
    return any(visible_devices(person).filter(pk=event.device_id).exists() for person in read_people(list(by)))


def _wait_for_next(row: Escalation, taken: list[EscalationStep], left: list[EscalationStep]) -> None:
    if not left:
        row.delete()
        return
    if taken:
        row.taken_minutes = taken[-1].after_minutes
    row.due_at = minutes_after(row.notified_at, left[0].after_minutes)
    row.save(update_fields=["taken_minutes", "due_at"])


def _notify(row: Escalation, step: EscalationStep, *, now: datetime) -> int:
    """Notify the people of one step, without regard to quiet hours; return their number."""
    devices = devices_of([row.event])
    rules = rule_values(Rule.objects.filter(pk=row.rule_id))
    if not devices or not rules:
        return 0
    rule = replace(rules[0], user_ids=frozenset(step.users.values_list("pk", flat=True)), roles=frozenset())
    audience = audience_of([rule], devices, now=now, max_age=timedelta(0), expressly=True)
    value, access = event_value(row.event, devices[row.event.device_id]), audience.context.access
    alerts = [
        Alert(value, user_id, set(rule.channels), rule.id)
        for user_id in sorted(audience.context.people)
        if access.allows(user_id, value.fleet_id)
    ]

    def step_key(alert: Alert) -> str:
        return f"{rule_key(alert)}:step:{step.after_minutes}"

    return len(write_alerts(alerts, [row.event], devices, audience, now=now, dedupe_key=step_key, subject=SUBJECT))
