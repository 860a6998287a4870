"""Which rules want which events, and so who hears of them through which channels. Pure: values in, values out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

GEOFENCE_KINDS = frozenset({"geofence_enter", "geofence_exit"})
# These come from fixes, which may arrive hours late. What the server itself notices (silence, a maintenance that is
# due) is about the present even when it began long ago: an offline event is as old as the silence it tells of.
KINDS_THAT_AGE = GEOFENCE_KINDS | {"overspeed", "ignition_on", "ignition_off", "alarm", "battery_low"}


@dataclass(frozen=True, slots=True)
class RuleValue:
    """An active rule. No devices means all of the fleet; geofences narrow down geofence events only, none means all."""

    id: int
    fleet_id: int
    event_kinds: frozenset[str]
    channels: frozenset[str]
    user_ids: frozenset[int]
    device_ids: frozenset[int] = frozenset()
    geofence_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class EventValue:
    """What rules ask of an event. `id` is None for an alert that was asked for directly and has no stored event."""

    id: int | None
    kind: str
    fleet_id: int
    device_id: int
    occurred_at: datetime
    geofence_id: int | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see which fleet: some users all of them, the others the fleets of their (user, fleet) memberships."""

    everywhere: frozenset[int] = frozenset()
    memberships: frozenset[tuple[int, int]] = frozenset()

    def allows(self, user_id: int, fleet_id: int) -> bool:
        return user_id in self.everywhere or (user_id, fleet_id) in self.memberships


@dataclass(frozen=True, slots=True)
class Match:
    """One person hears of one event, once, through all the channels the matching rules name together."""

    event: EventValue
    user_id: int
    channels: frozenset[str]


def is_news(event: EventValue, *, now: datetime, max_age: timedelta) -> bool:
    """False for an event of a late fix: older than `max_age` at `now`."""
    return event.kind not in KINDS_THAT_AGE or now - event.occurred_at <= max_age


def wants(rule: RuleValue, event: EventValue) -> bool:
    """Does `rule` want to hear of `event`?"""
    if rule.fleet_id != event.fleet_id or event.kind not in rule.event_kinds:
        return False
    if rule.device_ids and event.device_id not in rule.device_ids:
        return False
    return not rule.geofence_ids or event.kind not in GEOFENCE_KINDS or event.geofence_id in rule.geofence_ids


def match_events(
    rules: Iterable[RuleValue], events: Sequence[EventValue], *, access: Access, now: datetime, max_age: timedelta
) -> list[Match]:
    """Who hears of which event, in the order of `events` and then of user ids.

    `max_age` bounds the age of events of fixes (see `is_news`). Users whom `access` does not allow the event's fleet
    are left out, whatever the rules say.
    """
    index = _by_fleet_and_kind(rules)
    matches: list[Match] = []
    for event in events:
        if not is_news(event, now=now, max_age=max_age):
            continue
        channels: defaultdict[int, set[str]] = defaultdict(set)
        for rule in index.get((event.fleet_id, event.kind), ()):
            if wants(rule, event):
                for user_id in rule.user_ids:
                    channels[user_id] |= rule.channels
        matches += [
            Match(event, user_id, frozenset(channels[user_id]))
            for user_id in sorted(channels)
            if channels[user_id] and access.allows(user_id, event.fleet_id)
        ]
    return matches


def _by_fleet_and_kind(rules: Iterable[RuleValue]) -> dict[tuple[int, str], list[RuleValue]]:
    """Only the rules of an event's fleet and kind are looked at, so other fleets' rules cost nothing."""
    index: defaultdict[tuple[int, str], list[RuleValue]] = defaultdict(list)
    for rule in rules:
        for kind in rule.event_kinds:
            index[rule.fleet_id, kind].append(rule)
    return index
