"""Traits of event kinds that decide when people are notified. Each kind of event registers its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventTraits:
    """Traits of one kind of event.

    `is_urgent`: quiet hours and a person's own digest do not hold it. `lasts`: a rule may require a duration. `ages`:
    False for events that the server itself detects (silence, maintenance due). These are about the present even if they
    began long ago, while events of fixes may arrive hours late.
    """

    is_urgent: bool = False
    lasts: bool = False
    ages: bool = True


DEFAULT_TRAITS = EventTraits()
_registered: dict[str, EventTraits] = {}


def register_traits(event_kind: str, traits: EventTraits) -> None:
    _registered[event_kind] = traits


def traits_of(event_kind: str) -> EventTraits:
    """The traits of a kind of event; the default ones for a kind that has none registered."""
    return _registered.get(event_kind, DEFAULT_TRAITS)


def urgent_kinds() -> list[str]:
    return [kind for kind, traits in _registered.items() if traits.is_urgent]
