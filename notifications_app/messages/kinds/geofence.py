"""A device entered or left a geofence."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

GEOFENCE = MessageKind(
    "geofence", gettext_lazy("Geofence"), sample={**SAMPLE_VEHICLE, "geofence": "Depot", "entered": True}
)


def geofence_message(device: Device, *, geofence_name: str, entered: bool, spot: Spot) -> Message:
    return Message(GEOFENCE.kind, {**about(device, spot), "geofence": geofence_name, "entered": entered})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    entered = event.kind == EventKind.GEOFENCE_ENTER
    return geofence_message(device, geofence_name=geofence_name, entered=entered, spot=event_spot(event))


def _enters(geofences: str, alarms: Sequence[str]) -> str:
    return _("enters %(areas)s") % {"areas": geofences}


def _leaves(geofences: str, alarms: Sequence[str]) -> str:
    return _("leaves %(areas)s") % {"areas": geofences}


KINDS = (GEOFENCE,)
EVENTS = (
    EventMessage(EventKind.GEOFENCE_ENTER, _build, _enters),
    EventMessage(EventKind.GEOFENCE_EXIT, _build, _leaves),
)
