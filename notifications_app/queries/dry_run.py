"""Dry runs: the decisions of rules about an event that is stored or described, with their reasons. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from notifications_app.matching.decisions import Decision, EventValue, Outcome, Reason, RuleIndex, RuleValue, match
from notifications_app.matching.match_results import FLOOD_WINDOW, collect
from notifications_app.matching.refusals import refusals, stated
from notifications_app.models import Rule
from notifications_app.queries.audience import Audience, read_audience, read_people
from notifications_app.queries.events import event_values
from notifications_app.queries.inbox import notified_since
from notifications_app.queries.rules import rule_values
from tasks_app.models import Device, Event, FleetMembership, Geofence

MAX_RULES = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision of one rule (None: no rule) for one person (None: the rule does not match)."""

    rule_id: int | None
    rule: str
    user_id: int | None
    user: str
    outcome: Outcome
    reason: Reason
    channels: list[str]
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleTrial:
    """One rule and one event: every condition that it states or fails, and the decisions.

    `inside` are names of the rule's geofences that the event is in, `last_notified_at` is of its cooldown.
    """

    event: EventValue
    conditions: list[Reason]
    failed: list[Reason]
    verdicts: list[Verdict]
    audience: Audience
    inside: list[str]
    last_notified_at: datetime | None


def dry_run(event: Event, device: Device, *, now: datetime, inside: frozenset[int] = frozenset()) -> list[Verdict]:
    """Match `event`, which need not be stored, and return the decisions, those that notify first.

    A stored event is judged as when it was recorded. At most MAX_RULES rules of the fleet are asked. `device` has its
    fleet at hand. The event counts as inside the geofences of `inside`, whatever its place.
    """
    own = Rule.objects.filter(Q(fleet=device.fleet_id) | Q(fleet__isnull=True)).order_by("pk")[:MAX_RULES]
    rows = {rule.pk: rule for rule in own}
    rules = rule_values(Rule.objects.filter(pk__in=rows))
    audience = _audience(rules, event, device, now=now)
    value = _value(event, device, rules, inside)
    decisions = _decisions(value, [rule for rule in rules if rows[rule.id].is_active], audience)
    off = [Decision(rule, None, Outcome.NO, Reason.RULE_OFF) for rule in rules if not rows[rule.id].is_active]
    people = _everybody(device, decisions)
    notified = {one.user_id for one in decisions if one.user_id is not None}
    others = [
        Verdict(None, "", pk, name, Outcome.NO, Reason.NOT_NAMED, [])
        for pk, name in sorted(people.items())
        if pk not in notified
    ]
    return _sorted([*(_verdict(one, rows, people) for one in [*decisions, *off]), *others])


def dry_run_of_rule(
    rule: Rule, event: Event, device: Device, *, now: datetime, inside: frozenset[int] = frozenset()
) -> RuleTrial:
    """Match `event` with one rule, as if it were on, and return each of its conditions with the decisions."""
    rules = rule_values(Rule.objects.filter(pk=rule.pk))
    audience = _audience(rules, event, device, now=now)
    value = _value(event, device, rules, inside)
    (wanted,) = rules
    failed = refusals(wanted, value, audience.context)
    conditions = [reason for reason in Reason if reason in {*stated(wanted, value), *failed}]
    last_notified_at = audience.context.notified_at.get((rule.pk, device.pk, str(event.kind)))
    decisions = _decisions(value, rules, audience)
    people = {one.pk: _name(one) for one in read_people({one.user_id for one in decisions if one.user_id})}
    verdicts = _sorted([_verdict(one, {rule.pk: rule}, people) for one in decisions])
    names = Geofence.objects.filter(pk__in=value.inside & wanted.within_geofence_ids).order_by("name")
    inside_names = list(names.values_list("name", flat=True))
    return RuleTrial(value, conditions, failed, verdicts, audience, inside_names, last_notified_at)


def _audience(rules: list[RuleValue], event: Event, device: Device, *, now: datetime) -> Audience:
    """The audience at the time of the event, with the cooldowns that began before it."""
    audience = read_audience(
        rules,
        fleets={device.fleet_id: device.fleet},
        now=event.created_at if event.pk else now,
        max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES),
        device_ids=[device.pk],
    )
    notified_at = {key: at for key, at in audience.context.notified_at.items() if at < event.occurred_at}
    return replace(audience, context=replace(audience.context, notified_at=notified_at))


def _value(event: Event, device: Device, rules: list[RuleValue], inside: frozenset[int]) -> EventValue:
    (value,) = event_values([event], {device.pk: device}, rules)
    return replace(value, inside=value.inside | inside)


def _decisions(value: EventValue, rules: list[RuleValue], audience: Audience) -> list[Decision]:
    """The decisions of the rules, with those that a flood of alerts turns into a digest."""
    context = audience.context
    # Each matching has cooldowns of its own, which it writes into the context.
    decisions = list(match(value, rules, replace(context, notified_at=dict(context.notified_at))))
    results = collect(
        [value],
        RuleIndex(rules),
        replace(context, notified_at=dict(context.notified_at)),
        notified_lately=notified_since(context.now - FLOOD_WINDOW, context.people),
        flood_at=settings.ALERT_FLOOD_EVENTS,
    )
    flooded = {one.user_id: one.due_at for one in results.held.values() if one.reason == Reason.FLOOD}
    return [
        replace(one, outcome=Outcome.HOLD, reason=Reason.FLOOD, due_at=flooded[one.user_id])
        if one.outcome is Outcome.NOTIFY and one.user_id in flooded
        else one
        for one in decisions
    ]


def _everybody(device: Device, decisions: Sequence[Decision]) -> dict[int, str]:
    """Names of all members of the fleet and of the people in rules."""
    members = FleetMembership.objects.filter(fleet=device.fleet_id).values_list("user_id", flat=True)
    named = {one.user_id for one in decisions if one.user_id is not None}
    return {user.pk: _name(user) for user in read_people({*members, *named})}


def _name(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def _verdict(one: Decision, rows: Mapping[int, Rule], people: Mapping[int, str]) -> Verdict:
    return Verdict(
        rule_id=one.rule.id,
        rule=rows[one.rule.id].name,
        user_id=one.user_id,
        user="" if one.user_id is None else people.get(one.user_id, f"#{one.user_id}"),
        outcome=one.outcome,
        reason=one.reason,
        channels=sorted(one.channels) if one.outcome in (Outcome.NOTIFY, Outcome.HOLD) else [],
        due_at=one.due_at,
    )


def _sorted(verdicts: list[Verdict]) -> list[Verdict]:
    order: dict[Any, int] = {Outcome.NOTIFY: 0, Outcome.HOLD: 1, Outcome.WAIT: 2, Outcome.NO: 3}
    return sorted(verdicts, key=lambda one: order[one.outcome])
