"""A device's battery is low."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot, number
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

BATTERY = MessageKind("battery", _("Battery"), sample={**SAMPLE_VEHICLE, "percent": 14.0})


def battery_message(device: Device, *, percent: float | None, spot: Spot) -> Message:
    return Message(BATTERY.kind, {**about(device, spot), "percent": percent})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    return battery_message(device, percent=number(event.data, "battery_percent"), spot=event_spot(event))


KINDS = (BATTERY,)
EVENTS = (EventMessage(EventKind.BATTERY_LOW, _build, _("has a low battery")),)
