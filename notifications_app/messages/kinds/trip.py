"""A trip started or ended."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils.translation import gettext_lazy as _

from notifications_app.messages.kinds.base import SAMPLE_VEHICLE, EventMessage
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot, about, duration_minutes, event_spot, number, timestamp
from notifications_app.models.kinds import MessageKind
from tasks_app.models import Device, Event, EventKind

TRIP = MessageKind(
    "trip",
    _("Trip"),
    sample={
        **SAMPLE_VEHICLE,
        "is_end": True,
        "start": Spot(datetime(2026, 11, 23, 12, 12, tzinfo=UTC), -23.61, -46.70),
        "driven_meters": 17_300.0,
        "lasted_minutes": 48.0,
    },
)


def trip_message(
    device: Device,
    *,
    is_end: bool,
    spot: Spot,
    start: Spot | None = None,
    driven_meters: float | None = None,
    minutes: float | None = None,
) -> Message:
    """A trip began at `spot`; or it ended there, having begun at `start`."""
    values = {"is_end": is_end, "start": start, "driven_meters": driven_meters, "lasted_minutes": minutes}
    return Message(TRIP.kind, {**about(device, spot), **values})


def _build(event: Event, device: Device, geofence_name: str) -> Message:
    return trip_message(
        device,
        is_end=event.kind == EventKind.TRIP_END,
        spot=event_spot(event),
        start=_start(event),
        driven_meters=number(event.data, "distance_meters"),
        minutes=duration_minutes(event.data),
    )


def _start(event: Event) -> Spot | None:
    """Time and place of the start of the trip that ended."""
    started_at = timestamp(event.data, "started_at")
    place = number(event.data, "start_latitude"), number(event.data, "start_longitude")
    return Spot(started_at, *place) if started_at else None


KINDS = (TRIP,)
EVENTS = (
    EventMessage(EventKind.TRIP_START, _build, _("starts a trip")),
    EventMessage(EventKind.TRIP_END, _build, _("ends a trip")),
)
