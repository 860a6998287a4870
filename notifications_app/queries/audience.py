"""Who could be told: rules, people and what they may see, each kind of row read once however many events there are."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q

from notifications_app.matching import Access, RuleValue
from notifications_app.models import Rule
from notifications_app.rendering import Reader
from tasks_app.models import Fleet, FleetMembership, FleetRole

# A null language falls back to the system's, a null zone to that of the fleet the news is about.
Readers = dict[int, tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Audience:
    """Rules with the active people they name, how those read, and which fleets they may see."""

    rules: list[RuleValue]
    access: Access
    readers: Readers

    def reader(self, user_id: int, fleet: Fleet) -> Reader:
        return reader_of(self.readers[user_id], fleet.time_zone)


def read_audience(*, fleet_ids: Collection[int], event_kinds: Collection[str]) -> Audience:
    """The active rules of these fleets that want any of these kinds. At most six queries."""
    rows = list(
        Rule.objects.filter(is_active=True, fleet__in=fleet_ids, event_kinds__overlap=list(event_kinds))
        .order_by("id")
        .values_list("id", "fleet_id", "event_kinds", "channels")
    )
    if not rows:
        return Audience([], Access(), {})
    rule_ids = [row[0] for row in rows]
    users = _ids_by_rule(Rule.users.through, "user_id", rule_ids)
    devices = _ids_by_rule(Rule.devices.through, "device_id", rule_ids)
    geofences = _ids_by_rule(Rule.geofences.through, "geofence_id", rule_ids)
    rules = [
        RuleValue(
            rule_id, fleet_id, frozenset(kinds), frozenset(channels), users[rule_id], devices[rule_id],
            geofences[rule_id],
        )
        for rule_id, fleet_id, kinds, channels in rows
    ]  # fmt: skip
    people = read_people(set().union(*users.values()))
    return Audience(rules, read_access(people, fleet_ids), readers_of(people))


def read_people(user_ids: Collection[int]) -> list[AbstractUser]:
    """The active ones of these users, with their preference. One query."""
    users = get_user_model().objects.filter(pk__in=user_ids, is_active=True)
    return list(users.select_related("notification_preference").order_by("pk"))


def read_access(people: Iterable[AbstractUser], fleet_ids: Collection[int]) -> Access:
    """Which of these fleets these (active) people may see. One query."""
    everywhere = frozenset(user.pk for user in people if user.is_staff)
    others = [user.pk for user in people if not user.is_staff]
    rows = FleetMembership.objects.filter(user__in=others, fleet__in=fleet_ids).values_list("user_id", "fleet_id")
    return Access(everywhere, frozenset(rows))


def fleet_managers(fleet: Fleet) -> list[AbstractUser]:
    """The active managers of a fleet: whom to tell where nobody made a rule."""
    memberships = FleetMembership.objects.filter(fleet=fleet, role=FleetRole.MANAGER)
    return read_people(list(memberships.values_list("user_id", flat=True)))


def administrators() -> list[AbstractUser]:
    """Active superusers and staff: who hears of the system's own trouble."""
    users = get_user_model().objects.filter(Q(is_superuser=True) | Q(is_staff=True), is_active=True)
    return list(users.select_related("notification_preference").order_by("pk"))


def readers_of(people: Iterable[AbstractUser]) -> Readers:
    """How each of these people reads; they must have been read with their preference."""
    readers: Readers = {}
    for user in people:
        preference = getattr(user, "notification_preference", None)
        readers[user.pk] = (preference.language, preference.time_zone) if preference else (None, None)
    return readers


def reader_of(preference: tuple[str | None, str | None], fallback_zone: str) -> Reader:
    """The reader of a preference; without one the system's language and `fallback_zone`.

    A zone that this system does not know (any more) never keeps news, nor the positions it came with, from being
    written: then times are in the system's zone.
    """
    language, zone = preference
    wanted = zone or fallback_zone
    return Reader(language or settings.LANGUAGE_CODE, wanted if _is_zone(wanted) else settings.TIME_ZONE)


def _is_zone(name: str) -> bool:
    try:
        return bool(zoneinfo.ZoneInfo(name).key)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _ids_by_rule(through: Any, column: str, rule_ids: list[int]) -> defaultdict[int, frozenset[int]]:
    ids: defaultdict[int, set[int]] = defaultdict(set)
    for rule_id, other_id in through.objects.filter(rule__in=rule_ids).values_list("rule_id", column):
        ids[rule_id].add(other_id)
    return defaultdict(frozenset, {rule_id: frozenset(found) for rule_id, found in ids.items()})
