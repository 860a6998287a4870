"""The registration of event kinds: their message, their phrase in the description of a rule, their traits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notifications_app.matching.event_traits import DEFAULT_TRAITS, EventTraits, register_traits
from notifications_app.messages.rendering import Message
from notifications_app.messages.spot import Spot
from notifications_app.models.kinds import Text
from tasks_app.models import Device, Event

SAMPLE_SPOT = Spot(datetime(2026, 11, 23, 13, 0, tzinfo=UTC), -23.55, -46.63)
SAMPLE_VEHICLE: dict[str, Any] = {"vehicle": "Van 12", "fleet": "São Paulo", "spot": SAMPLE_SPOT}


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One kind of event as people read of it.

    `build` makes the message of a stored event from the event, its device (with fleet and state) and the name of its
    geofence. `phrase` completes "when a vehicle ..." and may depend on the names of geofences and on the alarms of a rule.
    """

    event_kind: str
    build: Callable[[Event, Device, str], Message]
    phrase: Text | Callable[[str, Sequence[str]], str]
    traits: EventTraits = DEFAULT_TRAITS

    def phrase_for(self, geofences: str, alarms: Sequence[str]) -> str:
        return self.phrase(geofences, alarms) if callable(self.phrase) else str(self.phrase)


EVENT_MESSAGES: dict[str, EventMessage] = {}


def register_events(*messages: EventMessage) -> None:
    for one in messages:
        EVENT_MESSAGES[one.event_kind] = one
        register_traits(one.event_kind, one.traits)
