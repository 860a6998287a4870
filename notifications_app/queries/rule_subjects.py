"""People whom rules name for messages that are no event of a device: reports, system alerts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings

from notifications_app.matching.decisions import EventValue, Outcome, match
from notifications_app.queries.audience import read_audience, time_zone_or_default
from notifications_app.queries.rules import rule_values, rules_about
from tasks_app.models import Fleet

# No fleet or no device: only rules that name none match, and only staff may be notified.
_NONE = 0


def channels_by_rules(
    kind: str, *, now: datetime, fleet: Fleet | None = None, device_id: int | None = None
) -> dict[int, set[str]]:
    """The channels of each person (by user id) by the rules about this kind. At most six queries.

    Rules decide by kind, fleet, device and time of the week. Durations, cooldowns, digests and escalation are of events.
    """
    fleets = {fleet.pk: fleet} if fleet else {}
    rules = rule_values(
        rules_about(fleet_ids=list(fleets), kinds=[kind], device_ids=[device_id or _NONE], geofence_ids=[])
    )
    if not rules:
        return {}
    audience = read_audience(rules, fleets=fleets, now=now, max_age=timedelta(0), expressly=True)
    zones = {**audience.context.zones, _NONE: time_zone_or_default(settings.TIME_ZONE)}
    subject_event = EventValue(None, kind, fleet.pk if fleet else _NONE, device_id or _NONE, now)
    found: defaultdict[int, set[str]] = defaultdict(set)
    for decision in match(subject_event, rules, replace(audience.context, zones=zones)):
        if decision.user_id is not None and decision.outcome != Outcome.NO:
            found[decision.user_id] |= decision.channels
    return dict(found)
