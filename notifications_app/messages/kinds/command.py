"""A device answered a command."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

COMMAND = MessageKind("command", _("Command"), sample={**SAMPLE_VEHICLE, "result": "OK"})


def command_message(device: Device, *, result: str, spot: Spot) -> Message:
    """`result` is the device's answer to a command."""
    return Message(COMMAND.kind, {**about(device, spot), "result": result})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    return command_message(device, result=str(event.data.get("result", "")), spot=event_spot(event))


KINDS = (COMMAND,)
EVENTS = (EventMessage(EventKind.COMMAND_RESULT, _build, _("answers a command")),)
