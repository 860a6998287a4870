"""A device is faster than its limit, and no longer is."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from notifications_app.matching.event_traits import EventTraits
from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, duration_minutes, event_spot, number
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

SPEED = MessageKind(
    "speed", _("Speed"), sample={**SAMPLE_VEHICLE, "speed_kph": 101.6, "limit_kph": 90.0}, is_failure=True
)
SPEED_END = MessageKind(
    "speed_end",
    _("End of overspeed"),
    sample={**SAMPLE_VEHICLE, "limit_kph": 90.0, "peak_kph": 112.3, "lasted_minutes": 6.4},
)


def speed_message(device: Device, *, speed_kph: float | None, limit_kph: float | None, spot: Spot) -> Message:
    return Message(SPEED.kind, {**about(device, spot), "speed_kph": speed_kph, "limit_kph": limit_kph})


def speed_end_message(
    device: Device, *, limit_kph: float | None, peak_kph: float | None, minutes: float | None, spot: Spot
) -> Message:
    """An overspeed of so many minutes ended; `peak_kph` is its highest speed."""
    values = {"limit_kph": limit_kph, "peak_kph": peak_kph, "lasted_minutes": minutes}
    return Message(SPEED_END.kind, {**about(device, spot), **values})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    speed_kph, limit_kph = number(event.data, "speed_kph"), number(event.data, "speed_limit_kph")
    return speed_message(device, speed_kph=speed_kph, limit_kph=limit_kph, spot=event_spot(event))


def _build_end(event: Event, device: Device, geofence_name: str) -> Message:
    return speed_end_message(
        device,
        limit_kph=number(event.data, "speed_limit_kph"),
        peak_kph=number(event.data, "peak_kph"),
        minutes=duration_minutes(event.data),
        spot=event_spot(event),
    )


KINDS = (SPEED, SPEED_END)
EVENTS = (
    EventMessage(EventKind.OVERSPEED, _build, _("is too fast"), EventTraits(lasts=True)),
    EventMessage(EventKind.OVERSPEED_END, _build_end, _("is no longer too fast"), EventTraits(lasts=True)),
)
