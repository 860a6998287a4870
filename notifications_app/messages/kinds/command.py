"""A device answered, or a command to it ended."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

COMMAND = MessageKind(
    "command",
    _("Command"),
    sample={**SAMPLE_VEHICLE, "result": "OK", "command": "engine_stop", "state": "done", "reason": "answered"},
)


def command_message(
    device: Device, *, result: str, spot: Spot, command: str = "", state: str = "", reason: str = ""
) -> Message:
    """`result` is the device's answer. Of a command that ended, `command` is its type, and `state` and `reason` are its own."""
    facts = {"result": result, "command": command, "state": state, "reason": reason}
    return Message(COMMAND.kind, {**about(device, spot), **facts})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    facts = {name: str(event.data.get(name, "")) for name in ("result", "command", "state", "reason")}
    return command_message(device, spot=event_spot(event), **facts)


KINDS = (COMMAND,)
EVENTS = (EventMessage(EventKind.COMMAND_RESULT, _build, _("answers a command, or a command to it ends")),)
