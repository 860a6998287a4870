"""The rules that may match events, as values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet

from notifications_app.matching.decisions import GEOFENCE_KINDS, RuleValue
from notifications_app.matching.delivery_times import Digest
from notifications_app.models import EscalationStep, Rule
from tasks_app.models import Event

_DEVICES, _GEOFENCES = Rule.devices.through.objects, Rule.geofences.through.objects


def wanted_kinds() -> list[str]:
    """The kinds of events that active rules name."""
    kinds = Func(F("event_kinds"), function="unnest")
    return list(Rule.objects.filter(is_active=True).order_by().values_list(kinds, flat=True).distinct())


def rules_about(
    *, fleet_ids: Collection[int], kinds: Collection[str], device_ids: Collection[int], geofence_ids: Collection[int]
) -> QuerySet[Rule]:
    """Active rules that may match events of these fleets, kinds, devices and geofences, and few others.

    The database leaves the rest out, so that a thousand rules about other devices cost next to nothing.
    """
    others = [kind for kind in kinds if kind not in GEOFENCE_KINDS]
    return (
        Rule.objects.filter(is_active=True, event_kinds__overlap=list(kinds))
        .filter(Q(fleet__in=fleet_ids) | Q(fleet__isnull=True))
        .filter(
            Q(pk__in=_DEVICES.filter(device__in=device_ids).values("rule_id")) | ~Q(pk__in=_DEVICES.values("rule_id"))
        )
        .filter(
            Q(event_kinds__overlap=others)
            | Q(pk__in=_GEOFENCES.filter(geofence__in=geofence_ids).values("rule_id"))
            | ~Q(pk__in=_GEOFENCES.values("rule_id"))
        )
    )


def rules_for_events(events: Collection[Event], fleet_of: dict[int, int]) -> list[RuleValue]:
    """The rules that may match these events; `fleet_of` has the fleet of each device. At most five queries."""
    return rule_values(
        rules_about(
            fleet_ids={fleet_of[event.device_id] for event in events},
            kinds={event.kind for event in events},
            device_ids={event.device_id for event in events},
            geofence_ids={event.geofence_id for event in events if event.geofence_id},
        )
    )


def rule_values(rules: QuerySet[Rule]) -> list[RuleValue]:
    """These rules as values, ordered by id."""
    steps = EscalationStep.objects.filter(rule=OuterRef("pk"))
    rows = list(rules.order_by("pk").annotate(escalates=Exists(steps)))
    if not rows:
        return []
    ids = [row.pk for row in rows]
    users = _ids_by_rule(Rule.users.through, "user_id", ids)
    devices = _ids_by_rule(Rule.devices.through, "device_id", ids)
    geofences = _ids_by_rule(Rule.geofences.through, "geofence_id", ids)
    within = _ids_by_rule(Rule.within_geofences.through, "geofence_id", ids)
    return [
        _value(row, users[row.pk], devices[row.pk], geofences[row.pk], within[row.pk], escalates=row.escalates)
        for row in rows
    ]


def _value(
    row: Rule,
    user_ids: frozenset[int],
    device_ids: frozenset[int],
    geofence_ids: frozenset[int],
    within_geofence_ids: frozenset[int],
    *,
    escalates: bool,
) -> RuleValue:
    return RuleValue(
        id=row.pk,
        fleet_id=row.fleet_id,
        event_kinds=frozenset(row.event_kinds),
        channels=frozenset(row.channels),
        user_ids=user_ids,
        roles=frozenset(row.roles),
        device_ids=device_ids,
        geofence_ids=geofence_ids,
        alarms=frozenset(alarm.lower() for alarm in row.alarms),
        min_speed_kph=row.min_speed_kph,
        within_geofence_ids=within_geofence_ids,
        min_duration=timedelta(minutes=row.min_duration_minutes) if row.min_duration_minutes else None,
        windows=row.windows,
        cooldown=timedelta(minutes=row.cooldown_minutes),
        digest=Digest(row.digest_every_minutes, row.digest_daily_at),
        escalates=escalates,
        sends_command=row.command_id is not None,
    )


def _ids_by_rule(through: Any, column: str, rule_ids: list[int]) -> defaultdict[int, frozenset[int]]:
    ids: defaultdict[int, set[int]] = defaultdict(set)
    for rule_id, other_id in through.objects.filter(rule__in=rule_ids).values_list("rule_id", column):
        ids[rule_id].add(other_id)
    return defaultdict(frozenset, {rule_id: frozenset(found) for rule_id, found in ids.items()})
