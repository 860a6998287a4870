"""Every reason that a rule has against an event, and the conditions it states about it. For dry runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from notifications_app.matching.decisions import GEOFENCE_KINDS, Context, EventValue, Reason, RuleValue, refusal
from notifications_app.matching.event_traits import traits_of

# The rule without the condition that the reason is about.
_WITHOUT: dict[Reason, Callable[[RuleValue, EventValue], RuleValue]] = {
    Reason.OTHER_KIND: lambda rule, event: replace(rule, event_kinds=rule.event_kinds | {event.kind}),
    Reason.OTHER_FLEET: lambda rule, event: replace(rule, fleet_id=None),
    Reason.OTHER_DEVICE: lambda rule, event: replace(rule, device_ids=frozenset()),
    Reason.OTHER_GEOFENCE: lambda rule, event: replace(rule, geofence_ids=frozenset()),
    Reason.OTHER_ALARM: lambda rule, event: replace(rule, alarms=frozenset()),
    Reason.TOO_SLOW: lambda rule, event: replace(rule, min_speed_kph=None),
    Reason.NOT_INSIDE: lambda rule, event: replace(rule, within_geofence_ids=frozenset()),
    Reason.OUTSIDE_WINDOWS: lambda rule, event: replace(rule, windows=[]),
    Reason.NO_CHANNEL: lambda rule, event: replace(rule, channels=frozenset({"any"})),
    Reason.TOO_SHORT: lambda rule, event: replace(rule, min_duration=None),
    Reason.COOLDOWN: lambda rule, event: replace(rule, cooldown=timedelta(0)),
}


def refusals(rule: RuleValue, event: EventValue, context: Context) -> list[Reason]:
    """All reasons against `event`: that of the rule, then that of the rule without the failed condition, and so on."""
    found: list[Reason] = []
    while (reason := refusal(rule, event, context)) is not None:
        found.append(reason)
        if reason is Reason.TOO_OLD:
            context = replace(context, max_age=timedelta.max)
        else:
            rule = _WITHOUT[reason](rule, event)
    return found


def stated(rule: RuleValue, event: EventValue) -> list[Reason]:
    """The conditions that the rule states about such an event, each by the reason of its refusal."""
    conditions = {
        Reason.OTHER_KIND: True,
        Reason.OTHER_FLEET: rule.fleet_id is not None,
        Reason.OTHER_DEVICE: bool(rule.device_ids),
        Reason.OTHER_GEOFENCE: bool(rule.geofence_ids) and event.kind in GEOFENCE_KINDS,
        Reason.OTHER_ALARM: bool(rule.alarms) and event.kind == "alarm",
        Reason.TOO_SLOW: rule.min_speed_kph is not None,
        Reason.NOT_INSIDE: bool(rule.within_geofence_ids),
        Reason.OUTSIDE_WINDOWS: bool(rule.windows),
        Reason.TOO_SHORT: rule.min_duration is not None and traits_of(event.kind).lasts,
        Reason.COOLDOWN: bool(rule.cooldown),
    }
    return [reason for reason, is_stated in conditions.items() if is_stated]
