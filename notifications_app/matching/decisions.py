"""Decisions of rules about events: the people to notify, the time, and the reason for each no. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

from notifications_app.matching.delivery_times import NO_DIGEST, Digest, Person, digest_due, quiet_until
from notifications_app.matching.event_traits import traits_of
from tasks_app.geo.windows import Windows, is_open

GEOFENCE_KINDS = frozenset({"geofence_enter", "geofence_exit"})
# Late events up to this age become one digest per person; older ones are history.
BACKLOG_MAX_AGE = timedelta(hours=24)
# People unsubscribe from the e-mails of a rule, not from what it sends otherwise.
EMAIL = "email"
# Time that a digest of late or too many events gathers.
GATHERING = timedelta(minutes=5)


class Outcome(StrEnum):
    NOTIFY = "notify"
    HOLD = "hold"
    WAIT = "wait"
    NO = "no"


class Reason(StrEnum):
    """The reason of a decision. The first ones are about the rule, the others about a person."""

    OTHER_KIND = "other_kind"
    OTHER_FLEET = "other_fleet"
    OTHER_DEVICE = "other_device"
    OTHER_GEOFENCE = "other_geofence"
    OTHER_ALARM = "other_alarm"
    TOO_SLOW = "too_slow"
    NOT_INSIDE = "not_inside"
    OUTSIDE_WINDOWS = "outside_windows"
    TOO_OLD = "too_old"
    TOO_SHORT = "too_short"
    STILL_SHORT = "still_short"
    COOLDOWN = "cooldown"
    NO_CHANNEL = "no_channel"
    NOBODY = "nobody"
    RULE_OFF = "rule_off"
    NOT_NAMED = "not_named"
    INACTIVE = "inactive"
    NO_ACCESS = "no_access"
    BACKLOG = "backlog"
    DIGEST = "digest"
    QUIET_HOURS = "quiet_hours"
    FLOOD = "flood"
    NOTIFIED = "notified"


@dataclass(frozen=True, slots=True)
class RuleValue:
    """An active rule. Empty fields do not restrict it; no fleet is every fleet."""

    id: int
    fleet_id: int | None
    event_kinds: frozenset[str]
    channels: frozenset[str]
    user_ids: frozenset[int] = frozenset()
    roles: frozenset[str] = frozenset()
    device_ids: frozenset[int] = frozenset()
    geofence_ids: frozenset[int] = frozenset()
    alarms: frozenset[str] = frozenset()
    min_speed_kph: float | None = None
    within_geofence_ids: frozenset[int] = frozenset()
    min_duration: timedelta | None = None
    windows: Windows = field(default_factory=list)
    cooldown: timedelta = timedelta(0)
    digest: Digest = NO_DIGEST
    escalates: bool = False
    sends_command: bool = False


@dataclass(frozen=True, slots=True)
class EventValue:
    """The facts of an event that rules depend on. `id` is None for a requested alert without a stored event.

    `began_at` and `ended_at` are of what lasts; `inside` names geofences it happened in, of those any rule asks for.
    """

    id: int | None
    kind: str
    fleet_id: int
    device_id: int
    occurred_at: datetime
    geofence_id: int | None = None
    alarm: str = ""
    speed_kph: float | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    inside: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Access:
    """Access to fleets: of some users to all of them, of the others by membership (fleet -> user -> role)."""

    everywhere: frozenset[int] = frozenset()
    members: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def allows(self, user_id: int, fleet_id: int) -> bool:
        return user_id in self.everywhere or user_id in self.members.get(fleet_id, ())

    def holders(self, fleet_id: int, roles: frozenset[str]) -> set[int]:
        """The users with one of these roles in the fleet."""
        return {user_id for user_id, role in self.members.get(fleet_id, {}).items() if role in roles}


# (rule, device, kind) -> time of the last notified event: cooldowns go by the time of events.
NotifiedAt = dict[tuple[int, int, str], datetime]


@dataclass(frozen=True, slots=True)
class Context:
    """Facts that a decision needs beside rule and event. `people` are the active ones; matching updates `notified_at`.

    With `expressly` neither age nor duration matters: the alert was requested, or its delay is over. `opt_outs` are
    (user, rule) of those who unsubscribed from the rule's e-mails.
    """

    now: datetime
    max_age: timedelta
    access: Access
    people: Mapping[int, Person]
    zones: Mapping[int, tzinfo] = field(default_factory=dict)
    notified_at: NotifiedAt = field(default_factory=dict)
    expressly: bool = False
    opt_outs: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of one rule for one person, with its reason. Without a user the rule does not match the event.

    `channels` are those of the rule, less e-mails that the person unsubscribed from.
    """

    rule: RuleValue
    user_id: int | None
    outcome: Outcome
    reason: Reason
    due_at: datetime | None = None
    channels: frozenset[str] = frozenset()


def match(event: EventValue, rules: Iterable[RuleValue], context: Context) -> Iterator[Decision]:
    """Decide each rule about `event`: one decision where it does not match, else one per person."""
    for rule in rules:
        yield from decide(rule, event, context)


def decide(rule: RuleValue, event: EventValue, context: Context) -> list[Decision]:
    """Decide one rule, likewise. Updates `context.notified_at` where the rule has a cooldown and notifies."""
    reason = refusal(rule, event, context)
    if reason is not None:
        return [Decision(rule, None, Outcome.NO, reason)]
    if (due_at := _lasts_long_enough_at(rule, event, context)) is not None:
        return [Decision(rule, None, Outcome.WAIT, Reason.STILL_SHORT, due_at)]
    named = rule.user_ids | context.access.holders(event.fleet_id, rule.roles) if rule.roles else rule.user_ids
    if not named:
        return [Decision(rule, None, Outcome.NO, Reason.NOBODY)]
    is_late = not _is_fresh(event, context)
    if rule.cooldown and not is_late:
        context.notified_at[rule.id, event.device_id, event.kind] = happened_at(event, context)
    return [_for_person(rule, event, user_id, is_late, context) for user_id in sorted(named)]


def refusal(rule: RuleValue, event: EventValue, context: Context) -> Reason | None:
    """The first reason against `event` in `rule`; None if the rule matches."""
    if event.kind not in rule.event_kinds:
        return Reason.OTHER_KIND
    if rule.fleet_id is not None and rule.fleet_id != event.fleet_id:
        return Reason.OTHER_FLEET
    if rule.device_ids and event.device_id not in rule.device_ids:
        return Reason.OTHER_DEVICE
    if rule.geofence_ids and event.kind in GEOFENCE_KINDS and event.geofence_id not in rule.geofence_ids:
        return Reason.OTHER_GEOFENCE
    if rule.alarms and event.kind == "alarm" and event.alarm.lower() not in rule.alarms:
        return Reason.OTHER_ALARM
    if rule.min_speed_kph is not None and (event.speed_kph is None or event.speed_kph <= rule.min_speed_kph):
        return Reason.TOO_SLOW
    if rule.within_geofence_ids and not rule.within_geofence_ids & event.inside:
        return Reason.NOT_INSIDE
    if rule.windows and not is_open(rule.windows, event.occurred_at, context.zones.get(event.fleet_id, UTC)):
        return Reason.OUTSIDE_WINDOWS
    if not rule.channels:
        return Reason.NO_CHANNEL
    return _refusal_in_time(rule, event, context)


def _refusal_in_time(rule: RuleValue, event: EventValue, context: Context) -> Reason | None:
    if not _is_fresh(event, context) and context.now - event.occurred_at > BACKLOG_MAX_AGE:
        return Reason.TOO_OLD
    if _is_over(event) and rule.min_duration and not context.expressly and _duration(event) < rule.min_duration:
        return Reason.TOO_SHORT
    notified_at = context.notified_at.get((rule.id, event.device_id, event.kind)) if rule.cooldown else None
    if notified_at is not None and happened_at(event, context) - notified_at < rule.cooldown:
        return Reason.COOLDOWN
    return None


def happened_at(event: EventValue, context: Context) -> datetime:
    """The time of an event for cooldowns; of a tracker whose clock is ahead now, else it would silence those that follow."""
    return min(event.occurred_at, context.now)


def is_fresh(event: EventValue, *, now: datetime, max_age: timedelta) -> bool:
    """False for an event of a late fix: older than `max_age` at `now`."""
    return not traits_of(event.kind).ages or now - event.occurred_at <= max_age


def _is_fresh(event: EventValue, context: Context) -> bool:
    return context.expressly or is_fresh(event, now=context.now, max_age=context.max_age)


def _is_over(event: EventValue) -> bool:
    return traits_of(event.kind).lasts and event.began_at is not None and event.ended_at is not None


def _duration(event: EventValue) -> timedelta:
    return (event.ended_at or event.occurred_at) - (event.began_at or event.occurred_at)


def _lasts_long_enough_at(rule: RuleValue, event: EventValue, context: Context) -> datetime | None:
    """The time at which an ongoing state will have lasted as long as the rule requires; None if it need not be awaited."""
    if not rule.min_duration or not traits_of(event.kind).lasts or context.expressly or _is_over(event):
        return None
    due_at = (event.began_at or event.occurred_at) + rule.min_duration
    return due_at if due_at > context.now else None


def _for_person(rule: RuleValue, event: EventValue, user_id: int, is_late: bool, context: Context) -> Decision:
    outcome, reason, due_at = _timed(rule, event, user_id, is_late, context)
    channels = rule.channels - {EMAIL} if (user_id, rule.id) in context.opt_outs else rule.channels
    return Decision(rule, user_id, outcome, reason, due_at, channels)


def _timed(
    rule: RuleValue, event: EventValue, user_id: int, is_late: bool, context: Context
) -> tuple[Outcome, Reason, datetime | None]:
    person = context.people.get(user_id)
    if person is None:
        return Outcome.NO, Reason.INACTIVE, None
    if not context.access.allows(user_id, event.fleet_id):
        return Outcome.NO, Reason.NO_ACCESS, None
    if is_late:
        return Outcome.HOLD, Reason.BACKLOG, gathered_at(person, context.now)
    if rule.digest:
        return Outcome.HOLD, Reason.DIGEST, digest_due(rule.digest, person, context.now)
    if traits_of(event.kind).is_urgent:
        return Outcome.NOTIFY, Reason.NOTIFIED, None
    if (until := quiet_until(person, context.now)) is not None:
        return Outcome.HOLD, Reason.QUIET_HOURS, until
    if person.digest:
        return Outcome.HOLD, Reason.DIGEST, digest_due(person.digest, person, context.now)
    return Outcome.NOTIFY, Reason.NOTIFIED, None


def gathered_at(person: Person, now: datetime) -> datetime:
    """The due time of a person's digest of late or too many events."""
    due = now + GATHERING
    return quiet_until(person, due) or due


class RuleIndex:
    """An index of rules by fleet and kind, and then by device or geofence.

    So the rules of other fleets, kinds, devices and geofences cost nothing.
    """

    def __init__(self, rules: Iterable[RuleValue]) -> None:
        self._found: defaultdict[tuple[int | None, str, str, int | None], list[RuleValue]] = defaultdict(list)
        for rule in rules:
            for kind in rule.event_kinds:
                for what, ids in self._narrowest(rule, kind):
                    for one in ids:
                        self._found[rule.fleet_id, kind, what, one].append(rule)

    @staticmethod
    def _narrowest(rule: RuleValue, kind: str) -> Iterator[tuple[str, Iterable[int | None]]]:
        if rule.device_ids:
            yield "device", rule.device_ids
        elif rule.geofence_ids and kind in GEOFENCE_KINDS:
            yield "geofence", rule.geofence_ids
        else:
            yield "any", (None,)

    def candidates(self, event: EventValue) -> Iterator[RuleValue]:
        """The rules that may match `event`, each once."""
        for fleet_id in (event.fleet_id, None):
            for what, one in (("any", None), ("device", event.device_id), ("geofence", event.geofence_id)):
                yield from self._found.get((fleet_id, event.kind, what, one), ())
