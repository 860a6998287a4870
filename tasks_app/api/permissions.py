"""Permissions of rows: a row the user may not see is 404, one the user may only see is 403 on writes."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tasks_app.models import Device, Fleet, FleetRole, Geofence
from tasks_app.queries.access import (
    VIEW_DEVICES,
    VIEW_FLEETS,
    VIEW_GEOFENCES,
    Right,
    has_everywhere,
    visible_devices,
    visible_fleets,
    visible_geofences,
)


class HasRight(BasePermission):
    """Require the view's right where no row decides: operations for staff only. An operation without a right is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        right: Right | None = view.right
        if request.method == "OPTIONS":
            return True
        if right is None:
            return not hasattr(view, str(request.method).lower())
        return right.role is not None or right.is_own or has_everywhere(request.user, right)


class RowDecides(HasRight):
    """Leave it to the handler, which finds the row first: an invisible row is a 404, not a 403."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class HasRightSomewhere(HasRight):
    """Like HasRight, with the role of members in any fleet: for operations that concern no single fleet."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        return (
            view.right is None
            or visible_fleets(request.user, view.right).exists()
            or (has_everywhere(request.user, view.right))
        )


def device_for(user: Any, device_id: int, right: Right) -> Device:
    """The device, for a user with this right in its fleet. Raises Http404 (not visible), PermissionDenied (no such right)."""
    return _row_for(visible_devices, user, device_id, right, VIEW_DEVICES)


def fleet_for(user: Any, fleet_id: int, right: Right) -> Fleet:
    """The fleet, likewise."""
    return _row_for(visible_fleets, user, fleet_id, right, VIEW_FLEETS)


def geofence_for(user: Any, geofence_id: int, right: Right) -> Geofence:
    """The geofence, likewise."""
    return _row_for(visible_geofences, user, geofence_id, right, VIEW_GEOFENCES)


def devices_for(user: Any, device_ids: list[int], right: Right) -> list[Device]:
    """All of the devices, or the same errors as soon as one of them is not for this user."""
    wanted = set(device_ids)
    found = list(visible_devices(user, right).filter(pk__in=wanted).select_related("fleet"))
    if len(found) == len(wanted):
        return found
    missing = wanted - {device.pk for device in found}
    if visible_devices(user).filter(pk__in=missing).count() != len(missing):
        raise Http404
    raise refusal(right)


def refusal(right: Right) -> PermissionDenied:
    """The 403 for a user who sees the row, but lacks the right."""
    return PermissionDenied(role_too_low(right.role) if right.role else None)


def role_too_low(at_least: FleetRole) -> str:
    """The sentence of a 403."""
    return _("This needs the role %(role)s in the fleet.") % {"role": at_least.label}


def _row_for(visible: Any, user: Any, row_id: int, right: Right, to_view: Right) -> Any:
    row = visible(user, right).filter(pk=row_id).first()
    if row is not None:
        return row
    if not visible(user, to_view).filter(pk=row_id).exists():
        raise Http404
    raise refusal(right)
