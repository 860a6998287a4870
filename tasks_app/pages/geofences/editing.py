"""The form on which managers draw a geofence."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from tasks_app.models import FleetRole, Geofence
from tasks_app.pages.geofences.forms import GeofenceForm
from tasks_app.queries.access import Right, has_right, visible_devices, visible_fleets, visible_geofences
from tasks_app.queries.geofences import devices_inside
from tasks_app.services.geofences import delete_geofence, record_change, snapshot
from tasks_app.services.rows import RowInUse
from tasks_app.web.geofence_changes import changes_of

ADD = Right(FleetRole.MANAGER, "tasks_app.add_geofence")
EDIT = Right(FleetRole.MANAGER, "tasks_app.change_geofence")
DELETE = Right(FleetRole.MANAGER, "tasks_app.delete_geofence")
LISTED_INSIDE = 50
LISTED_CHANGES = 20


@login_required
@require_http_methods(["GET", "POST"])
def geofence_add(request: HttpRequest) -> HttpResponse:
    """Show the form of a new geofence; make it."""
    if not visible_fleets(request.user, ADD).exists():
        raise PermissionDenied
    return _form(request, Geofence(), ADD, _("New geofence"))


@login_required
@require_http_methods(["GET", "POST"])
def geofence_edit(request: HttpRequest, geofence_id: int) -> HttpResponse:
    """Show the form of a geofence with the devices inside and its former changes; change it."""
    geofence = _geofence_for(request, geofence_id, EDIT)
    return _form(request, geofence, EDIT, geofence.name)


@require_POST
@login_required
def geofence_delete(request: HttpRequest, geofence_id: int) -> HttpResponse:
    """Delete a geofence."""
    geofence = _geofence_for(request, geofence_id, DELETE)
    try:
        delete_geofence(geofence, user=request.user)
    except RowInUse:
        messages.error(request, _("Something else belongs to it; delete or move that first."))
        return redirect("pages:geofence_edit", geofence_id)
    messages.success(request, _("%(name)s was deleted.") % {"name": geofence.name})
    return redirect("pages:geofences")


def _geofence_for(request: HttpRequest, geofence_id: int, right: Right) -> Geofence:
    geofence: Geofence = get_object_or_404(visible_geofences(request.user).select_related("fleet"), pk=geofence_id)
    if not has_right(request.user, geofence.fleet, right):
        raise PermissionDenied
    return geofence


def _form(request: HttpRequest, geofence: Geofence, right: Right, title: str) -> HttpResponse:
    is_new = geofence.pk is None
    # One transaction for the check of the version, which locks the row, and the change.
    with transaction.atomic():
        before = snapshot(geofence.pk) if request.method == "POST" else None
        if request.method == "POST" and not is_new and before is None:
            # Deleted since it was read: Django would insert it again.
            raise Http404
        form = GeofenceForm(request.POST or None, instance=geofence, user=request.user, right=right)
        if request.method == "POST" and form.is_valid():
            saved = form.save()
            record_change(saved, before, user=request.user)
            messages.success(request, _("%(name)s was saved.") % {"name": saved.name})
            return redirect("pages:geofence_edit", saved.pk)
    context = {"title": title, "form": form, **({} if is_new else _about(request, geofence))}
    return render(request, "tasks_app/pages/geofence_edit.html", context)


def _about(request: HttpRequest, geofence: Geofence) -> dict[str, Any]:
    """Return the devices inside and the latest changes."""
    inside = devices_inside(geofence).filter(pk__in=visible_devices(request.user)).order_by("name", "id")
    return {
        "geofence": geofence,
        "inside": inside[:LISTED_INSIDE],
        "changes": changes_of(geofence, LISTED_CHANGES),
        "may_delete": has_right(request.user, geofence.fleet, DELETE),
    }
