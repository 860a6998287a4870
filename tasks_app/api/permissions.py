"""Who may do what: rows that a user may not see do not exist for him (404), rows he may only look at are 403 on writes."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tasks_app.models import Device, Fleet, FleetRole, Geofence
from tasks_app.queries.access import may_manage, visible_devices, visible_fleets, visible_geofences


class IsStaff(BasePermission):
    """Staff only."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated and request.user.is_staff)


class StaffWithPermission(IsStaff):
    """Staff that hold the model permission the view names in `required_permission`; None asks for a superuser."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        wanted: str | None = view.required_permission
        return request.user.has_perm(wanted) if wanted else request.user.is_superuser


def check_manages(user: Any, fleet: Fleet, permission: str) -> None:
    """Raise PermissionDenied unless `user` manages the fleet, or is staff that holds the model permission."""
    if not may_manage(user, fleet, permission):
        raise PermissionDenied(role_too_low(FleetRole.MANAGER))


def device_for(user: Any, device_id: int, at_least: FleetRole = FleetRole.OPERATOR) -> Device:
    """The device, for a user with this role in its fleet. Raises Http404 (not visible), PermissionDenied (role too low)."""
    return _row_for(visible_devices, user, device_id, at_least)


def fleet_for(user: Any, fleet_id: int, at_least: FleetRole = FleetRole.OPERATOR) -> Fleet:
    """The fleet, likewise."""
    return _row_for(visible_fleets, user, fleet_id, at_least)


def geofence_for(user: Any, geofence_id: int, at_least: FleetRole = FleetRole.OPERATOR) -> Geofence:
    """The geofence, likewise."""
    return _row_for(visible_geofences, user, geofence_id, at_least)


def devices_for(user: Any, device_ids: list[int], at_least: FleetRole = FleetRole.OPERATOR) -> list[Device]:
    """All of the devices, or the same errors as soon as one of them is not for this user."""
    wanted = set(device_ids)
    if visible_devices(user).filter(pk__in=wanted).count() != len(wanted):
        raise Http404
    found = list(visible_devices(user, at_least).filter(pk__in=wanted).select_related("fleet"))
    if len(found) != len(wanted):
        raise PermissionDenied(role_too_low(at_least))
    return found


def role_too_low(at_least: FleetRole) -> str:
    """The sentence of a 403."""
    return _("This needs the role %(role)s in the fleet.") % {"role": at_least.label}


def _row_for(visible: Any, user: Any, row_id: int, at_least: FleetRole) -> Any:
    row = visible(user).filter(pk=row_id).first()
    if row is None:
        raise Http404
    if not visible(user, at_least).filter(pk=row_id).exists():
        raise PermissionDenied(role_too_low(at_least))
    return row
