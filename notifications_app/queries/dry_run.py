"""The dry run of an event: every person with the rule, time and reason of the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from notifications_app.matching.decisions import Decision, Outcome, Reason, match
from notifications_app.models import Rule
from notifications_app.queries.audience import Audience, read_audience, read_people
from notifications_app.queries.events import event_values
from notifications_app.queries.rules import rule_values
from tasks_app.models import Device, Event, FleetMembership

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


def dry_run(event: Event, device: Device, *, now: datetime) -> list[Verdict]:
    """Match `event`, which need not be stored, and return the decisions, those that notify first.

    A stored event is judged as when it was recorded. At most MAX_RULES rules of the fleet are asked. `device` has its
    fleet at hand.
    """
    at = event.created_at if event.pk else now
    own = Rule.objects.filter(Q(fleet=device.fleet_id) | Q(fleet__isnull=True)).order_by("pk")[:MAX_RULES]
    rows = {rule.pk: rule for rule in own}
    rules = rule_values(Rule.objects.filter(pk__in=rows))
    max_age = timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES)
    audience = read_audience(
        rules, fleets={device.fleet_id: device.fleet}, now=at, max_age=max_age, device_ids=[device.pk]
    )
    audience = _before(audience, event)
    (value,) = event_values([event], {device.pk: device}, rules)
    decisions = [one for rule in rules if rows[rule.id].is_active for one in match(value, [rule], audience.context)]
    off = [Decision(rule, None, Outcome.NO, Reason.RULE_OFF) for rule in rules if not rows[rule.id].is_active]
    people = _everybody(device, decisions)
    notified = {one.user_id for one in decisions if one.user_id is not None}
    others = [
        Verdict(None, "", pk, name, Outcome.NO, Reason.NOT_NAMED, [])
        for pk, name in sorted(people.items())
        if pk not in notified
    ]
    return _sorted([*(_verdict(one, rows, people) for one in [*decisions, *off]), *others])


def _before(audience: Audience, event: Event) -> Audience:
    """The audience with the cooldowns that began before this event."""
    notified_at = {key: at for key, at in audience.context.notified_at.items() if at < event.occurred_at}
    return replace(audience, context=replace(audience.context, notified_at=notified_at))


def _everybody(device: Device, decisions: Sequence[Decision]) -> dict[int, str]:
    """Names of all members of the fleet and of the people in rules."""
    members = FleetMembership.objects.filter(fleet=device.fleet_id).values_list("user_id", flat=True)
    named = {one.user_id for one in decisions if one.user_id is not None}
    return {user.pk: user.get_full_name() or user.get_username() for user in read_people({*members, *named})}


def _verdict(one: Decision, rows: Mapping[int, Rule], people: Mapping[int, str]) -> Verdict:
    return Verdict(
        rule_id=one.rule.id,
        rule=rows[one.rule.id].name,
        user_id=one.user_id,
        user="" if one.user_id is None else people.get(one.user_id, f"#{one.user_id}"),
        outcome=one.outcome,
        reason=one.reason,
        channels=sorted(one.rule.channels) if one.outcome in (Outcome.NOTIFY, Outcome.HOLD) else [],
        due_at=one.due_at,
    )


def _sorted(verdicts: list[Verdict]) -> list[Verdict]:
    order: dict[Any, int] = {Outcome.NOTIFY: 0, Outcome.HOLD: 1, Outcome.WAIT: 2, Outcome.NO: 3}
    return sorted(verdicts, key=lambda one: order[one.outcome])
