"""From events to what their rules ask for: messages now, messages later, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from notifications_app.matching.decisions import (
    BACKLOG_MAX_AGE,
    KINDS_THAT_DO_NOT_AGE,
    RuleIndex,
    RuleValue,
)
from notifications_app.matching.match_results import Tell, collect
from notifications_app.messages.contents import event_message, state_of
from notifications_app.messages.rendering import Message, Reader, Rendered, reading_as
from notifications_app.messages.safe_text import one_line
from notifications_app.models import NotificationKind, Rule
from notifications_app.queries.audience import Audience, read_audience
from notifications_app.queries.events import devices_of, event_values, geofence_names
from notifications_app.queries.inbox import told_since
from notifications_app.queries.rules import rules_for_events
from notifications_app.services.events.deferred import remember
from notifications_app.services.notifications import Draft, write_notifications
from notifications_app.services.texts import subject_of
from tasks_app.models import Device, Event, EventKind

FLOOD_WINDOW = timedelta(minutes=10)


def notify_of_events(events: Sequence[Event], *, now: datetime, max_age: timedelta) -> list[int]:
    """Write what the rules ask for; return the ids of the notifications that are told now.

    Events of fixes older than `max_age` alert nobody: those of the last day are gathered into digests. The number of
    queries does not grow with the number of events.
    """
    fresh = [event for event in events if _may_be_told(event, now, max_age)]
    devices = devices_of(fresh)
    known = [event for event in fresh if event.pk and event.device_id in devices]
    if not known:
        return []
    rules = rules_for_events(known, {device.pk: device.fleet_id for device in devices.values()})
    if not rules:
        return []
    with transaction.atomic():
        return _tell(known, devices, rules, now=now, max_age=max_age)


def _tell(
    events: Sequence[Event], devices: dict[int, Device], rules: list[RuleValue], *, now: datetime, max_age: timedelta
) -> list[int]:
    _lock([rule.id for rule in rules if rule.cooldown])
    audience = audience_of(rules, devices, now=now, max_age=max_age)
    outcomes = collect(
        event_values(events, devices, rules),
        RuleIndex(rules),
        audience.context,
        told_lately=told_since(now - FLOOD_WINDOW, audience.context.people),
        flood_at=settings.ALERT_FLOOD_EVENTS,
    )
    remember(outcomes, now=now)
    return write_tells(outcomes.tells, events, devices, audience, now=now)


def audience_of(
    rules: list[RuleValue], devices: Mapping[int, Device], *, now: datetime, max_age: timedelta, expressly: bool = False
) -> Audience:
    """Everybody these rules may tell about these devices."""
    fleets = {device.fleet_id: device.fleet for device in devices.values()}
    return read_audience(rules, fleets=fleets, now=now, max_age=max_age, device_ids=list(devices), expressly=expressly)


def write_tells(
    tells: Sequence[Tell],
    events: Iterable[Event],
    devices: Mapping[int, Device],
    audience: Audience,
    *,
    now: datetime,
    dedupe: str = "event:{event}",
    event_data: Mapping[str, Any] | None = None,
    subject: Any = "%(subject)s",
) -> list[int]:
    """Write one notification per tell; return the new ids. Their texts, beside the subject, are made when first wanted."""
    if not tells:
        return []
    told = {tell.event.id for tell in tells}
    messages = event_messages([event for event in events if event.pk in told], devices)
    readers = [audience.reader(tell.user_id, devices[tell.event.device_id].fleet) for tell in tells]
    subjects = _subjects(
        ((tell.event.id or 0, reader) for tell, reader in zip(tells, readers, strict=True)), messages, subject
    )
    drafts = []
    for tell, reader in zip(tells, readers, strict=True):
        device, (event, message) = devices[tell.event.device_id], messages[tell.event.id or 0]
        drafts.append(
            Draft(
                user_id=tell.user_id,
                kind=NotificationKind(message.kind).value,
                dedupe_key=dedupe.format(event=event.pk, rule=tell.rule_id),
                rendered=Rendered(subjects[event.pk, reader], "", ""),
                channels=tell.channels,
                event_id=event.pk,
                device_id=device.pk,
                rule_id=tell.rule_id,
                event_data={**_as_it_is_now(event, device), **(event_data or {})},
            )
        )
    return write_notifications(drafts, now=now)


def event_messages(events: Sequence[Event], devices: Mapping[int, Device]) -> dict[int, tuple[Event, Message]]:
    """What each event says, by its id."""
    names = geofence_names(event.geofence_id for event in events)
    return {
        event.pk: (
            event,
            event_message(event, device=devices[event.device_id], geofence_name=names.get(event.geofence_id or 0, "")),
        )
        for event in events
    }


def _subjects(
    wanted: Iterable[tuple[int, Reader]], messages: Mapping[int, tuple[Event, Message]], pattern: Any
) -> dict[tuple[int, Reader], str]:
    """The subject of each event for each reader, once however many people read alike."""
    by_reader: defaultdict[Reader, set[int]] = defaultdict(set)
    for event_id, reader in wanted:
        by_reader[reader].add(event_id)
    subjects = {}
    for reader, event_ids in by_reader.items():
        with reading_as(reader):
            for event_id in event_ids:
                subject = subject_of(messages[event_id][1], reader)
                subjects[event_id, reader] = one_line(pattern % {"subject": subject})
    return subjects


def _may_be_told(event: Event, now: datetime, max_age: timedelta) -> bool:
    return event.kind in KINDS_THAT_DO_NOT_AGE or now - event.occurred_at <= max(BACKLOG_MAX_AGE, max_age)


def _as_it_is_now(event: Event, device: Device) -> dict[str, Any]:
    """Where a silent vehicle was last is in its state, which has moved on by the time somebody reads."""
    state = state_of(device)
    if event.kind not in (EventKind.DEVICE_OFFLINE, EventKind.DEVICE_ONLINE) or state is None or not state.fix_time:
        return {}
    place = {"latitude": state.latitude, "longitude": state.longitude}
    return {"last_fix": {"at": state.fix_time.isoformat(), **place}}


def _lock(rule_ids: list[int]) -> None:
    """Two dispatches at once must not both find that a cooldown is over."""
    if rule_ids:
        rows = Rule.objects.filter(pk__in=rule_ids).order_by("pk").select_for_update(no_key=True)
        list(rows.values_list("pk", flat=True))
