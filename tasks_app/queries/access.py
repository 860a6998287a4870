"""Who may see what. Every queryset of a user starts here; staff see everything."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from tasks_app.models import Device, Event, Fleet, FleetRole, Geofence

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


def visible_devices(user: AnyUser, at_least: FleetRole = FleetRole.VIEWER) -> QuerySet[Device]:
    """Devices of those fleets."""
    return Device.objects.filter(fleet__in=visible_fleets(user, at_least))


def visible_geofences(user: AnyUser, at_least: FleetRole = FleetRole.VIEWER) -> QuerySet[Geofence]:
    """Geofences of those fleets."""
    return Geofence.objects.filter(fleet__in=visible_fleets(user, at_least))


def visible_events(user: AnyUser) -> QuerySet[Event]:
    """Events of the devices `user` sees."""
    return Event.objects.filter(device__fleet__in=visible_fleets(user))
