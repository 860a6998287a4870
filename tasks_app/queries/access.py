"""Who may see what. Every queryset of a user starts here; staff see everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from tasks_app.models import Device, Event, Fleet, FleetMembership, FleetRole, Geofence

# A User or an AnonymousUser, whatever the project's user model is.
AnyUser = Any


class ShellOperator:
    """Whoever operates the machine, acting from its shell: sees everything, and is no row of the user table."""

    pk = None
    is_staff = is_superuser = is_active = is_authenticated = True

    def __str__(self) -> str:
        return "shell"

    def has_perm(self, permission: str) -> bool:
        return True


SHELL = ShellOperator()

_RANK = {FleetRole.VIEWER: 0, FleetRole.OPERATOR: 1, FleetRole.MANAGER: 2}


def visible_fleets(user: AnyUser, at_least: FleetRole = FleetRole.VIEWER) -> QuerySet[Fleet]:
    """Fleets in which `user` has at least this role."""
    if not user.is_authenticated or not user.is_active:
        return Fleet.objects.none()
    if user.is_staff:
        return Fleet.objects.all()
    roles = [role for role, rank in _RANK.items() if rank >= _RANK[at_least]]
    return Fleet.objects.filter(memberships__user=user, memberships__role__in=roles)


def may_manage(user: AnyUser, fleet: Fleet, permission: str) -> bool:
    """Whether `user` is a manager of the fleet, or staff that holds the model permission."""
    if user.is_staff and user.has_perm(permission):
        return True
    return fleet.memberships.filter(user=user, role=FleetRole.MANAGER).exists()


def visible_fleets_of(users: Iterable[AnyUser]) -> dict[Any, dict[int, str]]:
    """What `visible_fleets` says of each of these users, by primary key: fleet names by id. Two queries for all."""
    active = [user for user in users if user.is_authenticated and user.is_active]
    found: dict[Any, dict[int, str]] = {user.pk: {} for user in active}
    every = dict(Fleet.objects.values_list("id", "name")) if any(user.is_staff for user in active) else {}
    found |= {user.pk: every for user in active if user.is_staff}
    members = [user.pk for user in active if not user.is_staff]
    rows = FleetMembership.objects.filter(user__in=members).values_list("user_id", "fleet_id", "fleet__name")
    for user_id, fleet_id, name in rows:
        found[user_id][fleet_id] = name
    return found


def visible_devices(user: AnyUser, at_least: FleetRole = FleetRole.VIEWER) -> QuerySet[Device]:
    """Devices of those fleets."""
    return Device.objects.filter(fleet__in=visible_fleets(user, at_least))


def visible_geofences(user: AnyUser, at_least: FleetRole = FleetRole.VIEWER) -> QuerySet[Geofence]:
    """Geofences of those fleets."""
    return Geofence.objects.filter(fleet__in=visible_fleets(user, at_least))


def visible_events(user: AnyUser) -> QuerySet[Event]:
    """Events of the devices `user` sees."""
    return Event.objects.filter(device__fleet__in=visible_fleets(user))
