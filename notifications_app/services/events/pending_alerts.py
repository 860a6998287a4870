"""Pending alerts of rules with a duration: checked when the state would have lasted so long."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from notifications_app.models import Rule, WaitingAlert
from notifications_app.queries.events import devices_of, event_values
from notifications_app.queries.rules import rule_values
from notifications_app.services.events.event_alerts import notify_by_rules, rule_key
from tasks_app.engine import current_job
from tasks_app.models import DeviceState, DeviceStatus, Event, EventKind

MAX_PER_RUN = 5000


def send_pending_alerts(*, now: datetime) -> int:
    """Send due alerts whose state has lasted, delete the others; return the number of people notified."""
    due = WaitingAlert.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    notified = 0
    for pending_id in due.values_list("pk", flat=True)[:MAX_PER_RUN]:
        current_job().raise_if_cancelled()
        notified += _send_one(pending_id, now=now)
    return notified


def look_at_pending(rule_id: int, *, now: datetime) -> None:
    """Have the pending alerts of a rule that changed looked at now, as it may ask for less than before.

    Not while it is off: it may be on again when they are due.
    """
    WaitingAlert.objects.filter(rule=rule_id, rule__is_active=True, due_at__gt=now).update(due_at=now)


def _send_one(pending_id: int, *, now: datetime) -> int:
    with transaction.atomic():
        pending = (
            WaitingAlert.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(pk=pending_id)
            .first()
        )
        if pending is None:
            return 0
        rules = rule_values(Rule.objects.filter(pk=pending.rule_id, is_active=True))
        event, devices = pending.event, devices_of([pending.event])
        duration = rules[0].min_duration or timedelta(0) if rules else timedelta(0)
        if not rules or event.device_id not in devices or not has_lasted(event, duration):
            pending.delete()
            return 0
        values = event_values([event], devices, rules)
        due_at = (values[0].began_at or values[0].occurred_at) + duration
        if due_at > now:
            # The rule asks for longer than when the alert began to wait, or was changed and still asks for as long.
            WaitingAlert.objects.filter(pk=pending.pk).update(due_at=due_at)
            return 0
        pending.delete()
        more = _so_far(event, now)
        written = notify_by_rules(
            [event], values, devices, rules, now=now, expressly=True, dedupe_key=rule_key, event_data=more
        )
        return len(written)


def has_lasted(event: Event, duration: timedelta) -> bool:
    """Return whether the state of the event has lasted `duration`; called when it would have."""
    if event.kind == EventKind.OVERSPEED:
        return event.data.get("duration_seconds", math.inf) >= duration.total_seconds()
    back = Event.objects.filter(
        device=event.device_id, kind=EventKind.DEVICE_ONLINE, occurred_at__gte=event.occurred_at
    ).order_by("occurred_at")
    minutes = [data.get("offline_minutes", 0) for data in back.values_list("data", flat=True)[:1]]
    if minutes:
        return minutes[0] * 60 >= duration.total_seconds()
    # A device that was taken out of service meanwhile is to be silent.
    silent = DeviceState.objects.filter(device=event.device_id, status=DeviceStatus.OFFLINE, device__is_active=True)
    return silent.exists()


def _so_far(event: Event, now: datetime) -> dict[str, Any]:
    """The duration so far, as event data."""
    minutes = event.data.get("offline_minutes")
    if event.kind != EventKind.DEVICE_OFFLINE or not isinstance(minutes, int | float):
        return {}
    return {"offline_minutes": round(minutes + (now - event.occurred_at).total_seconds() / 60, 1)}
