"""From decisions to what is to be written: who is told now, what is held for whom, what waits. Pure: values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from notifications_app.matching.decisions import (
    URGENT_KINDS,
    Context,
    Decision,
    EventValue,
    Outcome,
    Reason,
    RuleIndex,
    ToldAt,
    decide,
    gathered_at,
)


@dataclass(slots=True)
class Tell:
    """One person hears of one event, once, through all the channels the rules name together."""

    event: EventValue
    user_id: int
    channels: set[str]
    rule_id: int


@dataclass(slots=True)
class Held:
    """So many events of a kind and device that one person hears of later."""

    user_id: int
    device_id: int
    kind: str
    reason: str
    channels: set[str]
    event_count: int
    first_at: datetime
    last_at: datetime
    due_at: datetime


@dataclass(slots=True)
class Outcomes:
    """What follows from events. `waits`: (rule, event) -> when; `escalations`: (rule, event) to be watched."""

    tells: list[Tell] = field(default_factory=list)
    held: dict[tuple[int, int, str, str], Held] = field(default_factory=dict)
    waits: dict[tuple[int, int], datetime] = field(default_factory=dict)
    cooldowns: ToldAt = field(default_factory=dict)
    escalations: list[tuple[int, int]] = field(default_factory=list)


def collect(
    events: Iterable[EventValue], index: RuleIndex, context: Context, *, told_lately: Mapping[int, int], flood_at: int
) -> Outcomes:
    """Ask the rules about each event, in order of time.

    Nobody is told of more than `flood_at` events, those of `told_lately` (user -> events) included: of the others they hear
    together. Urgent kinds are always told.
    """
    outcomes, told = Outcomes(), Counter(told_lately)
    for event in sorted(events, key=lambda event: event.occurred_at):
        decisions = [one for rule in index.candidates(event) for one in decide(rule, event, context)]
        _note_rules(decisions, event, outcomes)
        for user_id, tell in _tells(decisions, event).items():
            if told[user_id] < flood_at or event.kind in URGENT_KINDS:
                told[user_id] += 1
                outcomes.tells.append(tell)
            else:
                due_at = gathered_at(context.people[user_id], context.now)
                _hold(outcomes, event, user_id, Reason.FLOOD, tell.channels, due_at)
        _hold_rest(decisions, event, outcomes)
    return outcomes


def _note_rules(decisions: Iterable[Decision], event: EventValue, outcomes: Outcomes) -> None:
    """What a rule leaves behind, whoever it tells."""
    wanting = {}
    for one in decisions:
        if one.outcome is Outcome.WAIT and event.id is not None and one.due_at is not None:
            outcomes.waits[one.rule.id, event.id] = one.due_at
        if one.outcome in (Outcome.TELL, Outcome.HOLD) and one.reason is not Reason.BACKLOG:
            wanting[one.rule.id] = one.rule
    for rule in wanting.values():
        if rule.cooldown:
            outcomes.cooldowns[rule.id, event.device_id, event.kind] = event.occurred_at
        if rule.escalates and event.id is not None:
            outcomes.escalations.append((rule.id, event.id))


def _tells(decisions: Iterable[Decision], event: EventValue) -> dict[int, Tell]:
    tells: dict[int, Tell] = {}
    for one in decisions:
        if one.outcome is Outcome.TELL and one.user_id is not None:
            tell = tells.setdefault(one.user_id, Tell(event, one.user_id, set(), one.rule.id))
            tell.channels |= one.rule.channels
    return tells


def _hold_rest(decisions: Iterable[Decision], event: EventValue, outcomes: Outcomes) -> None:
    """Hold what no rule tells at once anyway; of several reasons the first decides, so that an event counts once."""
    told = {user_id: tell.channels for user_id, tell in _tells(decisions, event).items()}
    for one in decisions:
        if one.outcome is not Outcome.HOLD or one.user_id is None or one.due_at is None:
            continue
        already = told.setdefault(one.user_id, set())
        if left := one.rule.channels - already:
            _hold(outcomes, event, one.user_id, one.reason, left, one.due_at)
            already |= left


def _hold(
    outcomes: Outcomes, event: EventValue, user_id: int, reason: Reason, channels: Iterable[str], due_at: datetime
) -> None:
    key = (user_id, event.device_id, event.kind, reason.value)
    held = outcomes.held.get(key)
    if held is None:
        outcomes.held[key] = Held(*key, set(channels), 1, event.occurred_at, event.occurred_at, due_at)
        return
    held.channels |= set(channels)
    held.event_count += 1
    held.last_at = max(held.last_at, event.occurred_at)
    held.due_at = min(held.due_at, due_at)
