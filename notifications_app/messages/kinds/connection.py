"""A device fell silent, or sends again."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from notifications_app.matching.event_traits import EventTraits
from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, event_spot, last_spot, number
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

OFFLINE = MessageKind("offline", _("Offline"), sample={**SAMPLE_VEHICLE, "offline_minutes": 75.0, "is_back": False})


def offline_message(device: Device, *, offline_minutes: float | None, is_back: bool, spot: Spot | None) -> Message:
    """`spot` is the last known place and time, None where the device never sent a fix."""
    context = {**about(device, spot), "offline_minutes": offline_minutes, "is_back": is_back}
    return Message(OFFLINE.kind, context)


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    # The event has the time of its detection; the last place and its time are in the device's state.
    spot = event_spot(event)
    return offline_message(
        device,
        offline_minutes=number(event.data, "offline_minutes"),
        is_back=event.kind == EventKind.DEVICE_ONLINE,
        spot=_snapshot_spot(event) or last_spot(device) or (spot if spot.map_url else None),
    )


def _snapshot_spot(event: Event) -> Spot | None:
    """The last place as stored with the notification; the vehicle may have moved since."""
    stored = event.data.get("last_fix")
    return Spot(datetime.fromisoformat(stored["at"]), stored["latitude"], stored["longitude"]) if stored else None


KINDS = (OFFLINE,)
EVENTS = (
    EventMessage(EventKind.DEVICE_OFFLINE, _build, _("falls silent"), EventTraits(lasts=True, ages=False)),
    EventMessage(EventKind.DEVICE_ONLINE, _build, _("is back online"), EventTraits(lasts=True, ages=False)),
)
