"""The message of a stored event."""

from __future__ import annotations

from typing import Any

from notifications_app.messages.kinds.base import EVENT_MESSAGES
from notifications_app.messages.kinds.other import other_message
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import event_spot
from tasks_app.models import Device, Event, EventKind


def event_message(event: Event, *, device: Device, geofence_name: str) -> Message:
    """The message of a stored event; `device` has its fleet and state at hand."""
    if (known := EVENT_MESSAGES.get(event.kind)) is not None:
        return known.build(event, device, geofence_name)
    return other_message(device, what=kind_label(event.kind), spot=event_spot(event))


def kind_label(kind: str) -> Any:
    """The name of an event kind for people, in the language in which it is read."""
    return EventKind(kind).label if kind in EventKind.values else kind
