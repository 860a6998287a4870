"""Recent events that a kind of message was about, for its preview."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from notifications_app.messages.events import event_message
from notifications_app.messages.kinds.base import EVENT_MESSAGES
from notifications_app.messages.rendering import Message
from tasks_app.models import Device, Event, Fleet
from tasks_app.queries.access import visible_events

MAX_EXAMPLES = 5
MAX_AGE = timedelta(days=30)


@cache
def event_kinds_of(message_kind: str) -> frozenset[str]:
    """Return the kinds of events that people are notified of by this kind of message."""
    device = Device(fleet=Fleet())
    now = datetime.now().astimezone()
    return frozenset(
        kind
        for kind, one in EVENT_MESSAGES.items()
        if one.build(Event(kind=kind, occurred_at=now, data={}), device, "").kind == message_kind
    )


def example_events(message_kind: str, user: Any, *, now: datetime) -> list[Event]:
    """Return the newest such events of the last MAX_AGE that `user` may see, with device, fleet, state and geofence."""
    kinds = event_kinds_of(message_kind)
    if not kinds:
        return []
    events = visible_events(user).filter(kind__in=kinds, occurred_at__gt=now - MAX_AGE, occurred_at__lte=now)
    return list(events.select_related("device__fleet", "device__state", "geofence")[:MAX_EXAMPLES])


def example_message(event: Event) -> Message:
    """Return the message of such an event."""
    return event_message(event, device=event.device, geofence_name=event.geofence.name if event.geofence else "")
