"""The people whom rules may notify, their access and preferences. Each kind of row is read once per call."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Q

from notifications_app.matching.decisions import Access, Context, NotifiedAt, RuleValue
from notifications_app.matching.delivery_times import Digest, Person
from notifications_app.messages.rendering import Recipient
from notifications_app.models import ChannelKind, EmailOptOut, RuleCooldown
from tasks_app.geo.units import Units
from tasks_app.models import Fleet, FleetMembership, FleetRole
from tasks_app.queries.access import VIEW_DEVICES, everywhere_among

# A null language falls back to the system's, an empty zone to that of the fleet.
Preference = tuple[str | None, str, Units]
Preferences = dict[int, Preference]
NO_PREFERENCE: Preference = (None, "", Units())


@dataclass(frozen=True, slots=True)
class Audience:
    """Rules, the facts about people that decisions need, and the preferences of these people."""

    rules: list[RuleValue]
    context: Context
    preferences: Preferences

    def recipient(self, user_id: int, fleet: Fleet) -> Recipient:
        return recipient_of(self.preferences[user_id], fleet.time_zone)


def read_audience(
    rules: list[RuleValue],
    *,
    fleets: Mapping[int, Fleet],
    now: datetime,
    max_age: timedelta,
    device_ids: Collection[int] = (),
    expressly: bool = False,
) -> Audience:
    """Read the audience of these rules for these fleets and devices. At most six queries.

    Cooldowns count for `device_ids`.
    """
    named = set[int]().union(*(rule.user_ids for rule in rules))
    members = _members(fleets, named, set[str]().union(*(rule.roles for rule in rules)))
    people = read_people(named.union(*members.values()))
    context = Context(
        now=now,
        max_age=max_age,
        access=Access(everywhere_among(people, VIEW_DEVICES), members),
        people={user.pk: person_of(user) for user in people},
        zones={fleet.pk: time_zone_or_default(fleet.time_zone) for fleet in fleets.values()},
        notified_at=_read_cooldowns([rule.id for rule in rules if rule.cooldown], device_ids),
        expressly=expressly,
        opt_outs=_read_opt_outs([rule.id for rule in rules if ChannelKind.EMAIL in rule.channels], people),
    )
    return Audience(rules, context, preferences_of(people))


def _members(fleet_ids: Iterable[int], user_ids: set[int], roles: set[str]) -> dict[int, dict[int, str]]:
    """Fleet -> user -> role, of these users and of the holders of these roles."""
    if not user_ids and not roles:
        return {}
    wanted = Q(user__in=user_ids) | Q(role__in=roles)
    rows = FleetMembership.objects.filter(wanted, fleet__in=list(fleet_ids)).values_list("fleet_id", "user_id", "role")
    members: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for fleet_id, user_id, role in rows:
        members[fleet_id][user_id] = role
    return dict(members)


def _read_cooldowns(rule_ids: list[int], device_ids: Collection[int]) -> NotifiedAt:
    if not rule_ids or not device_ids:
        return {}
    rows = RuleCooldown.objects.filter(rule__in=rule_ids, device__in=device_ids)
    return {
        (rule, device, kind): at for rule, device, kind, at in rows.values_list("rule", "device", "kind", "notified_at")
    }


def _read_opt_outs(rule_ids: list[int], people: Collection[AbstractUser]) -> frozenset[tuple[int, int]]:
    """The (user, rule) of those who unsubscribed from the e-mails of one of these rules."""
    if not rule_ids or not people:
        return frozenset()
    rows = EmailOptOut.objects.filter(rule__in=rule_ids, user__in=[one.pk for one in people])
    return frozenset((user_id, rule_id) for user_id, rule_id in rows.values_list("user_id", "rule_id") if rule_id)


def person_of(user: AbstractUser) -> Person:
    """Quiet hours and digest of a user who was read with their preference."""
    preference = getattr(user, "notification_preference", None)
    if preference is None:
        return Person(user.pk, time_zone_or_default(settings.TIME_ZONE))
    return Person(
        user.pk,
        time_zone_or_default(preference.time_zone),
        preference.quiet_from,
        preference.quiet_to,
        Digest(preference.digest_every_minutes, preference.digest_daily_at),
    )


def read_people(user_ids: Collection[int]) -> list[AbstractUser]:
    """The active users among these, with their preferences. One query."""
    users = get_user_model().objects.filter(pk__in=user_ids, is_active=True)
    return list(users.select_related("notification_preference").order_by("pk"))


def fleet_managers(fleet: Fleet) -> list[AbstractUser]:
    """The active managers of a fleet: the people to notify where there are no rules."""
    memberships = FleetMembership.objects.filter(fleet=fleet, role=FleetRole.MANAGER)
    return read_people(list(memberships.values_list("user_id", flat=True)))


def administrators() -> list[AbstractUser]:
    """Active superusers and staff, the people to notify of the system's own trouble."""
    users = get_user_model().objects.filter(Q(is_superuser=True) | Q(is_staff=True), is_active=True)
    return list(users.select_related("notification_preference").order_by("pk"))


def preferences_of(people: Iterable[AbstractUser]) -> Preferences:
    """The preferences of these people, who must have been read with them."""
    preferences: Preferences = {}
    for user in people:
        preference = getattr(user, "notification_preference", None)
        preferences[user.pk] = (
            (preference.language, preference.time_zone, preference.units) if preference else NO_PREFERENCE
        )
    return preferences


def recipient_of(preference: Preference, fallback_zone: str) -> Recipient:
    """The recipient of a preference; without one the system's language, without a zone `fallback_zone`.

    A zone that this system does not know (any more) never keeps a message, nor the positions it came with, from being
    written: then times are in the system's zone.
    """
    language, zone, units = preference
    wanted = zone or fallback_zone
    return Recipient(language or settings.LANGUAGE_CODE, wanted if _is_zone(wanted) else settings.TIME_ZONE, units)


def language_of(user: AbstractUser) -> str:
    """The language of a user who was read with their preference."""
    preference = getattr(user, "notification_preference", None)
    return preference.language if preference else settings.LANGUAGE_CODE


def time_zone_or_default(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this name, or the system's where there is no such zone (any more)."""
    return zoneinfo.ZoneInfo(name if _is_zone(name) else settings.TIME_ZONE)


def _is_zone(name: str) -> bool:
    try:
        return bool(zoneinfo.ZoneInfo(name).key)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
