"""The values of a rule that its description needs: those of a stored rule, or those that are being typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from notifications_app.models import Rule


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule with the names of what it refers to. Without `fleet` it is about every fleet, and `zone` is empty.

    `steps` are the minutes and people of its escalation.
    """

    fleet: str = ""
    zone: str = ""
    event_kinds: Sequence[str] = ()
    alarms: Sequence[str] = ()
    devices: Sequence[str] = ()
    # Whether all of them were moved to another fleet: of none of their events the rule hears.
    has_lost_devices: bool = False
    geofences: Sequence[str] = ()
    within: Sequence[str] = ()
    min_speed_kph: float | None = None
    min_duration_minutes: float | None = None
    windows: Sequence[dict[str, Any]] = ()
    people: Sequence[str] = ()
    roles: Sequence[str] = ()
    channels: Sequence[str] = ()
    command: str = ""
    cooldown_minutes: int = 0
    digest_every_minutes: int | None = None
    digest_daily_at: time | None = None
    steps: Sequence[tuple[int, Sequence[str]]] = ()


def words_of(rule: Rule) -> RuleWords:
    """Read a stored rule. Prefetch queries.rule_rows.NAMED for many rules."""
    fleets = {device.fleet_id for device in rule.devices.all()}
    return RuleWords(
        fleet=rule.fleet.name if rule.fleet else "",
        zone=rule.fleet.time_zone if rule.fleet else "",
        event_kinds=rule.event_kinds,
        alarms=rule.alarms,
        devices=names_of(rule.devices.all()),
        has_lost_devices=bool(rule.fleet and fleets) and rule.fleet_id not in fleets,
        geofences=names_of(rule.geofences.all()),
        within=names_of(rule.within_geofences.all()),
        min_speed_kph=rule.min_speed_kph,
        min_duration_minutes=rule.min_duration_minutes,
        windows=rule.windows,
        people=sorted(person_name(user) for user in rule.users.all()),
        roles=rule.roles,
        channels=rule.channels,
        command=rule.command.name if rule.command else "",
        cooldown_minutes=rule.cooldown_minutes,
        digest_every_minutes=rule.digest_every_minutes,
        digest_daily_at=rule.digest_daily_at,
        steps=[
            (step.after_minutes, sorted(person_name(user) for user in step.users.all()))
            for step in rule.escalation_steps.all()
        ],
    )


def names_of(rows: Iterable[Any]) -> list[str]:
    return [row.name for row in rows]


def person_name(user: Any) -> str:
    return user.get_full_name() or user.get_username()
