"""The ignition was switched on or off."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

IGNITION = MessageKind("ignition", _("Ignition"), sample={**SAMPLE_VEHICLE, "is_on": True})


def ignition_message(device: Device, *, is_on: bool, spot: Spot) -> Message:
    return Message(IGNITION.kind, {**about(device, spot), "is_on": is_on})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    return ignition_message(device, is_on=event.kind == EventKind.IGNITION_ON, spot=event_spot(event))


KINDS = (IGNITION,)
EVENTS = (
    EventMessage(EventKind.IGNITION_ON, _build, _("switches its ignition on")),
    EventMessage(EventKind.IGNITION_OFF, _build, _("switches its ignition off")),
)
