"""Collect decisions into rows to write: alerts, held alerts, pending ones, cooldowns, escalations. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notifications_app.matching.decisions import (
    EMAIL,
    Context,
    Decision,
    EventValue,
    NotifiedAt,
    Outcome,
    Reason,
    RuleIndex,
    decide,
    gathered_at,
    happened_at,
)
from notifications_app.matching.event_traits import traits_of

# A person gets only so many alerts within this time.
FLOOD_WINDOW = timedelta(minutes=10)


@dataclass(slots=True)
class Alert:
    """One event to notify one person of, once, through the channels of all matching rules.

    `rule_id` is the first of them or, where there is an e-mail, the first that asks for it: its e-mails are what the link in
    it ends.
    """

    event: EventValue
    user_id: int
    channels: set[str]
    rule_id: int


@dataclass(slots=True)
class Held:
    """The events of one kind and device that are held for one person, for one reason or one digest of rules."""

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
class MatchResults:
    """The results of matching events. `waits`: (rule, event) -> due time; `escalations`: (rule, event) to watch.

    `commands`: (rule, event, device) of rules that send a command, too.
    """

    alerts: list[Alert] = field(default_factory=list)
    held: dict[tuple[int, int, str, str], Held] = field(default_factory=dict)
    waits: dict[tuple[int, int], datetime] = field(default_factory=dict)
    cooldowns: NotifiedAt = field(default_factory=dict)
    escalations: list[tuple[int, int]] = field(default_factory=list)
    commands: list[tuple[int, int, int]] = field(default_factory=list)


def collect(
    events: Iterable[EventValue],
    index: RuleIndex,
    context: Context,
    *,
    notified_lately: Mapping[int, int],
    flood_at: int,
) -> MatchResults:
    """Ask the rules about each event, in order of time.

    A person gets at most `flood_at` alerts, those of `notified_lately` (user -> events) included; the rest is held for a
    digest. Urgent kinds are not limited.
    """
    results, notified = MatchResults(), Counter(notified_lately)
    for event in sorted(events, key=lambda event: event.occurred_at):
        decisions = [one for rule in index.candidates(event) for one in decide(rule, event, context)]
        _note_rules(decisions, event, results, context)
        for user_id, alert in _alerts(decisions, event).items():
            if notified[user_id] < flood_at or traits_of(event.kind).is_urgent:
                notified[user_id] += 1
                results.alerts.append(alert)
            else:
                due_at = gathered_at(context.people[user_id], context.now)
                _hold(results, event, user_id, Reason.FLOOD.value, alert.channels, due_at)
        _hold_rest(decisions, event, results)
    return results


def _note_rules(decisions: Iterable[Decision], event: EventValue, results: MatchResults, context: Context) -> None:
    """Add cooldowns, waits and escalations, which belong to the rule and not to a person."""
    wanting = {}
    for one in decisions:
        if one.outcome is Outcome.WAIT and event.id is not None and one.due_at is not None:
            results.waits[one.rule.id, event.id] = one.due_at
        if one.outcome in (Outcome.NOTIFY, Outcome.HOLD) and one.reason is not Reason.BACKLOG:
            wanting[one.rule.id] = one.rule
    for rule in wanting.values():
        if rule.cooldown:
            results.cooldowns[rule.id, event.device_id, event.kind] = happened_at(event, context)
        if rule.escalates and event.id is not None:
            results.escalations.append((rule.id, event.id))
        if rule.sends_command and event.id is not None:
            results.commands.append((rule.id, event.id, event.device_id))


def _alerts(decisions: Iterable[Decision], event: EventValue) -> dict[int, Alert]:
    alerts: dict[int, Alert] = {}
    for one in decisions:
        if one.outcome is Outcome.NOTIFY and one.user_id is not None:
            alert = alerts.setdefault(one.user_id, Alert(event, one.user_id, set(), one.rule.id))
            if EMAIL in one.channels - alert.channels:
                alert.rule_id = one.rule.id
            alert.channels |= one.channels
    return alerts


def _hold_rest(decisions: Iterable[Decision], event: EventValue, results: MatchResults) -> None:
    """Hold the channels without an alert at once.

    The event counts once in each digest: what is due at the same time is held for the first reason.
    """
    notified = {user_id: alert.channels for user_id, alert in _alerts(decisions, event).items()}
    reasons: dict[tuple[int, datetime], str] = {}
    counted: set[tuple[int, str]] = set()
    for one in decisions:
        if one.outcome is not Outcome.HOLD or one.user_id is None or one.due_at is None:
            continue
        already = notified.setdefault(one.user_id, set())
        if left := one.channels - already:
            reason = reasons.setdefault((one.user_id, one.due_at), _reason_to_hold(one))
            is_counted = (one.user_id, reason) in counted
            _hold(results, event, one.user_id, reason, left, one.due_at, count=0 if is_counted else 1)
            counted.add((one.user_id, reason))
            already |= left


def _reason_to_hold(decision: Decision) -> str:
    """The reason of a decision; for the digest of a rule its key, so that each of several goes at its own time."""
    is_digest = decision.reason is Reason.DIGEST
    return (decision.rule.digest.key if is_digest else "") or decision.reason.value


def _hold(
    results: MatchResults,
    event: EventValue,
    user_id: int,
    reason: str,
    channels: Iterable[str],
    due_at: datetime,
    *,
    count: int = 1,
) -> None:
    key = (user_id, event.device_id, event.kind, reason)
    held = results.held.get(key)
    if held is None:
        results.held[key] = Held(*key, set(channels), 1, event.occurred_at, event.occurred_at, due_at)
        return
    held.channels |= set(channels)
    held.event_count += count
    held.last_at = max(held.last_at, event.occurred_at)
    held.due_at = min(held.due_at, due_at)
