"""The events of a device's last days that a rule would have matched, had it been there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings

from notifications_app.matching.decisions import BACKLOG_MAX_AGE, Context, EventValue, Outcome, RuleValue, decide
from notifications_app.matching.event_traits import traits_of
from notifications_app.models import Rule
from notifications_app.queries.audience import read_audience
from notifications_app.queries.events import event_values
from notifications_app.queries.rules import rule_values
from tasks_app.models import Device, Event

DAYS = 7
MAX_EVENTS = 2000
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class PastMatch:
    """One event that matches, and how many people would have been notified, at once or later.

    One that `came_late` was recorded more than a day after it happened: nobody is notified of such.
    """

    event: Event
    people: int
    is_later: bool
    came_late: bool


@dataclass(frozen=True, slots=True)
class PastMatches:
    """`events` are those of the rule's kinds; of more than MAX_EVENTS the newest, and `is_cut`. `listed` are the newest."""

    events: int
    matches: int
    listed: list[PastMatch]
    is_cut: bool


def past_matches(rule: Rule, device: Device, *, now: datetime) -> PastMatches:
    """Match the device's events of the last DAYS, each as if it had just happened, with cooldowns from their start."""
    found = Event.objects.filter(device=device, occurred_at__gt=now - timedelta(days=DAYS), occurred_at__lte=now)
    newest = list(found.filter(kind__in=rule.event_kinds).select_related("geofence")[: MAX_EVENTS + 1])
    events = sorted(newest[:MAX_EVENTS], key=lambda event: (event.occurred_at, event.pk))
    rules = rule_values(Rule.objects.filter(pk=rule.pk))
    audience = read_audience(
        rules,
        fleets={device.fleet_id: device.fleet},
        now=now,
        max_age=timedelta(minutes=settings.ALERT_MAX_AGE_MINUTES),
    )
    values = event_values(events, {device.pk: device}, rules)
    matches = [
        match
        for event, value in zip(events, values, strict=True)
        if (match := _match(event, value, rules[0], audience.context)) is not None
    ]
    return PastMatches(len(events), len(matches), matches[: -MAX_LISTED - 1 : -1], len(newest) > MAX_EVENTS)


def _match(event: Event, value: EventValue, rule: RuleValue, context: Context) -> PastMatch | None:
    """Decide at the time of the event; the cooldowns of the context go on."""
    decisions = decide(rule, value, replace(context, now=event.occurred_at))
    meant = [one for one in decisions if one.outcome is not Outcome.NO]
    if not meant:
        return None
    came_late = traits_of(event.kind).ages and event.created_at - event.occurred_at > BACKLOG_MAX_AGE
    return PastMatch(
        event=event,
        people=sum(one.user_id is not None for one in meant),
        is_later=all(one.outcome is not Outcome.NOTIFY for one in meant),
        came_late=came_late,
    )
