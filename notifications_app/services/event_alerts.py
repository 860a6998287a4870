"""From events to notifications, inside the transaction that wrote the events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifications_app.matching import EventValue, Match, is_news, match_events
from notifications_app.messages import event_message
from notifications_app.models import NotificationKind
from notifications_app.queries.audience import Audience, read_audience
from notifications_app.rendering import Message
from notifications_app.services.notify import MessageRenderer
from notifications_app.services.outbox import Draft, write_notifications
from tasks_app.models import Device, Event, Geofence


def notify_of_events(events: Sequence[Event], *, now: datetime, max_age: timedelta) -> list[int]:
    """Write the notifications that the rules ask for; return their ids. Nobody hears of fixes' events over `max_age`.

    The number of queries does not grow with the number of events.
    """
    devices = _devices({event.device_id for event in events})
    values = {event.pk: _value(event, devices[event.device_id]) for event in events if event.device_id in devices}
    news = [value for value in values.values() if is_news(value, now=now, max_age=max_age)]
    if not news:
        return []
    audience = read_audience(fleet_ids={value.fleet_id for value in news}, event_kinds={value.kind for value in news})
    matches = match_events(audience.rules, news, access=audience.access, now=now, max_age=max_age)
    if not matches:
        return []
    messages = _messages(matches, events, devices)
    return write_notifications(_drafts(matches, messages, devices, audience), now=now)


def _devices(device_ids: set[int]) -> dict[int, Device]:
    return Device.objects.select_related("fleet", "state").in_bulk(device_ids)


def _value(event: Event, device: Device) -> EventValue:
    return EventValue(event.pk, event.kind, device.fleet_id, device.pk, event.occurred_at, event.geofence_id)


def _messages(
    matches: Sequence[Match], events: Sequence[Event], devices: dict[int, Device]
) -> dict[int | None, Message]:
    wanted = {match.event.id for match in matches}
    told = [event for event in events if event.pk in wanted]
    names = dict(Geofence.objects.filter(pk__in={event.geofence_id for event in told}).values_list("pk", "name"))
    return {
        event.pk: event_message(
            event,
            device=devices[event.device_id],
            geofence_name=names.get(event.geofence_id or 0, ""),
        )
        for event in told
    }


def _drafts(
    matches: Sequence[Match], messages: dict[int | None, Message], devices: dict[int, Device], audience: Audience
) -> list[Draft]:
    render_for = MessageRenderer()
    drafts = []
    for match in matches:
        message, device = messages[match.event.id], devices[match.event.device_id]
        rendered = render_for(message, audience.reader(match.user_id, device.fleet))
        drafts.append(
            Draft(
                user_id=match.user_id,
                kind=NotificationKind(message.kind).value,
                dedupe_key=f"event:{match.event.id}",
                rendered=rendered,
                channels=match.channels,
                event_id=match.event.id,
                device_id=device.pk,
            )
        )
    return drafts
