"""Alerts of events by rules: sent at once, deferred, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from notifications_app.matching.decisions import (
    BACKLOG_MAX_AGE,
    EventValue,
    RuleIndex,
    RuleValue,
)
from notifications_app.matching.event_traits import traits_of
from notifications_app.matching.match_results import FLOOD_WINDOW, Alert, collect
from notifications_app.messages.events import event_message
from notifications_app.messages.rendering import Message, Recipient, Rendered, recipient_locale
from notifications_app.messages.safe_text import one_line
from notifications_app.messages.spot import state_of
from notifications_app.models import Rule
from notifications_app.queries.audience import Audience, read_audience
from notifications_app.queries.events import devices_of, event_values, geofence_names
from notifications_app.queries.inbox import notified_since
from notifications_app.queries.rules import rules_for_events
from notifications_app.services.events.deferred import defer_alerts
from notifications_app.services.events.rule_commands import send_commands_of_rules
from notifications_app.services.notifications import Draft, write_notifications
from notifications_app.services.texts import render_subject
from tasks_app.models import Device, Event, EventKind


def notify_of_events(events: Sequence[Event], *, now: datetime, max_age: timedelta) -> list[int]:
    """Match events with rules and write the results; return the ids of the new notifications.

    Events of fixes older than `max_age` cause no alert at once: those of the last day are held for digests. The number of
    queries does not grow with the number of events.
    """
    fresh = [event for event in events if _is_recent(event, now, max_age)]
    devices = devices_of(fresh)
    known = [event for event in fresh if event.pk and event.device_id in devices]
    if not known:
        return []
    rules = rules_for_events(known, {device.pk: device.fleet_id for device in devices.values()})
    if not rules:
        return []
    with transaction.atomic():
        values = event_values(known, devices, rules)
        return notify_by_rules(known, values, devices, rules, now=now, max_age=max_age)


def audience_of(
    rules: list[RuleValue],
    devices: Mapping[int, Device],
    *,
    now: datetime,
    max_age: timedelta,
    expressly: bool = False,
    by_cooldown: bool = True,
) -> Audience:
    """The audience of these rules for these devices; without `by_cooldown` as if none of them was notified before."""
    return read_audience(
        rules,
        fleets={device.fleet_id: device.fleet for device in devices.values()},
        now=now,
        max_age=max_age,
        device_ids=list(devices) if by_cooldown else (),
        expressly=expressly,
    )


def event_key(alert: Alert) -> str:
    """The dedupe key of an alert that a person gets once per event, by any rule."""
    return f"event:{alert.event.id}"


def rule_key(alert: Alert) -> str:
    """The dedupe key of an alert that a person gets once per event and rule."""
    return f"event:{alert.event.id}:rule:{alert.rule_id}"


def notify_by_rules(
    events: Sequence[Event],
    values: Sequence[EventValue],
    devices: Mapping[int, Device],
    rules: list[RuleValue],
    *,
    now: datetime,
    max_age: timedelta = timedelta(0),
    expressly: bool = False,
    dedupe_key: Callable[[Alert], str] = event_key,
    event_data: Mapping[str, Any] | None = None,
) -> list[int]:
    """Match events, whose values these are, with rules by cooldown, quiet hours and the limit of single alerts.

    Writes the results, and returns the ids of the new notifications. Runs in a transaction.
    """
    _lock_cooldowns(rules)
    audience = audience_of(rules, devices, now=now, max_age=max_age, expressly=expressly)
    results = collect(
        values,
        RuleIndex(rules),
        audience.context,
        notified_lately=notified_since(now - FLOOD_WINDOW, audience.context.people),
        flood_at=settings.ALERT_FLOOD_EVENTS,
    )
    defer_alerts(results, now=now)
    send_commands_of_rules(results.commands, devices, now=now)
    return write_alerts(
        results.alerts, events, devices, audience, now=now, dedupe_key=dedupe_key, event_data=event_data
    )


def write_alerts(
    alerts: Sequence[Alert],
    events: Iterable[Event],
    devices: Mapping[int, Device],
    audience: Audience,
    *,
    now: datetime,
    dedupe_key: Callable[[Alert], str] = event_key,
    event_data: Mapping[str, Any] | None = None,
    subject: Any = "%(subject)s",
) -> list[int]:
    """Write one notification per alert; return the new ids. Only subjects are rendered, the other texts at first use."""
    if not alerts:
        return []
    notified = {alert.event.id for alert in alerts}
    messages = event_messages([event for event in events if event.pk in notified], devices)
    recipients = [audience.recipient(alert.user_id, devices[alert.event.device_id].fleet) for alert in alerts]
    subjects = _subjects(
        ((alert.event.id or 0, recipient) for alert, recipient in zip(alerts, recipients, strict=True)),
        messages,
        subject,
    )
    drafts = []
    for alert, recipient in zip(alerts, recipients, strict=True):
        device, (event, message) = devices[alert.event.device_id], messages[alert.event.id or 0]
        drafts.append(
            Draft(
                user_id=alert.user_id,
                kind=message.kind,
                dedupe_key=dedupe_key(alert),
                rendered=Rendered(subjects[event.pk, recipient], "", ""),
                channels=alert.channels,
                event_id=event.pk,
                device_id=device.pk,
                rule_id=alert.rule_id,
                event_data={**_state_snapshot(event, device), **(event_data or {})},
            )
        )
    return write_notifications(drafts, now=now)


def event_messages(events: Sequence[Event], devices: Mapping[int, Device]) -> dict[int, tuple[Event, Message]]:
    """Events with their messages, by id."""
    names = geofence_names(events)
    return {
        event.pk: (
            event,
            event_message(event, device=devices[event.device_id], geofence_name=names[event.pk]),
        )
        for event in events
    }


def _subjects(
    wanted: Iterable[tuple[int, Recipient]], messages: Mapping[int, tuple[Event, Message]], pattern: Any
) -> dict[tuple[int, Recipient], str]:
    """The subject of each event for each recipient value, rendered once for all people who share it."""
    by_recipient: defaultdict[Recipient, set[int]] = defaultdict(set)
    for event_id, recipient in wanted:
        by_recipient[recipient].add(event_id)
    subjects = {}
    for recipient, event_ids in by_recipient.items():
        with recipient_locale(recipient):
            for event_id in event_ids:
                subject = render_subject(messages[event_id][1], recipient)
                subjects[event_id, recipient] = one_line(pattern % {"subject": subject})
    return subjects


def _is_recent(event: Event, now: datetime, max_age: timedelta) -> bool:
    return not traits_of(event.kind).ages or now - event.occurred_at <= max(BACKLOG_MAX_AGE, max_age)


def _state_snapshot(event: Event, device: Device) -> dict[str, Any]:
    """The last place of a silent vehicle, from its state, which may change before the message is read."""
    state = state_of(device)
    if event.kind not in (EventKind.DEVICE_OFFLINE, EventKind.DEVICE_ONLINE) or state is None or not state.fix_time:
        return {}
    place = {"latitude": state.latitude, "longitude": state.longitude}
    return {"last_fix": {"at": state.fix_time.isoformat(), **place}}


def _lock_cooldowns(rules: Iterable[RuleValue]) -> None:
    """Lock the rules with a cooldown, so that concurrent jobs do not both find it over."""
    if rule_ids := [rule.id for rule in rules if rule.cooldown]:
        rows = Rule.objects.filter(pk__in=rule_ids).order_by("pk").select_for_update(no_key=True)
        list(rows.values_list("pk", flat=True))
