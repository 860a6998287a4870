"""The commands of a device, one command, and the form that sends one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tasks_app.models import Command, Device, DeviceStatus, SavedCommand
from tasks_app.models.commands import protocol_choices
from tasks_app.pages.commands.finding import find_command
from tasks_app.pages.commands.lists import shown_row
from tasks_app.pages.device import find_device, frame
from tasks_app.pages.lists import CursorField, FilterForm, address_with, rows_behind
from tasks_app.queries.access import CANCEL_COMMANDS, SEND_COMMANDS, VIEW_COMMANDS, has_right
from tasks_app.queries.commands import access_of, visible_saved_commands, ways_of
from tasks_app.services.commands import fitting
from tasks_app.web.command_forms import form_for, kind_offered, needs_typing, posted, send
from tasks_app.web.commands import (
    command_context,
    parameters_text,
    shown_types,
    socket_path,
    vehicle_text,
    way_label,
)
from tasks_app.web.quantities import units_of


class CommandsQuery(FilterForm):
    """Where the list begins."""

    before = CursorField("created_at")


@login_required
@require_safe
def device_commands(request: HttpRequest, device_id: int) -> HttpResponse:
    """Show what was asked of a device, and what it can be sent."""
    device = find_device(request, device_id, VIEW_COMMANDS)
    query = CommandsQuery(request)
    before = query.cleaned_data["before"] if query.is_valid() else None
    rows = Command.objects.filter(device=device).select_related("requested_by")
    found, cursor = rows_behind(rows.filter(before) if before is not None else rows.none(), "created_at")
    may_send = has_right(request.user, device.fleet, SEND_COMMANDS)
    types = shown_types(device, request.user) if may_send else []
    may_cancel = has_right(request.user, device.fleet, CANCEL_COMMANDS)
    context = {
        **frame(request, device, "commands"),
        "rows": [shown_row(one, may_cancel=may_cancel) for one in found],
        "filters": query,
        "older": address_with(request, before=cursor) if cursor else "",
        "newest": address_with(request, before=None) if request.GET.get("before") else "",
        "may_send": may_send,
        "types": types,
        "saved": _saved(request, device, {one.name for one in types}),
        "reach": _reach(device),
        "socket": socket_path(),
    }
    return render(request, "tasks_app/pages/device/commands.html", context)


def _saved(request: HttpRequest, device: Device, types: set[str]) -> list[dict[str, Any]]:
    rows = visible_saved_commands(request.user).filter(type__in=types).order_by("name", "pk") if types else []
    of_fleet = [one for one in rows if one.fleet_id in (None, device.fleet_id)]
    fits = fitting(of_fleet, device, now=timezone.now())
    return [{"saved": one, "parameters": parameters_text(one)} for one in fits]


def _reach(device: Device) -> list[tuple[str, Any]]:
    """Return how commands reach the device, as pairs of a name and a text."""
    access = access_of(device)
    ways = ", ".join(way_label(way) for way in ways_of(device))
    state = getattr(device, "state", None)
    return [
        (_("Status"), DeviceStatus(state.status).label if state else DeviceStatus.UNKNOWN.label),
        (_("Protocol"), dict(protocol_choices()).get(access.protocol, access.protocol) or _("not known yet")),
        (_("Ways of commands"), ways or _("none")),
    ]


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def device_command_send(request: HttpRequest, device_id: int, type_name: str) -> HttpResponse:
    """Show the form of a type, and send it. Raises PermissionDenied for users who see the device, but send it nothing."""
    device = find_device(request, device_id, VIEW_COMMANDS)
    if not has_right(request.user, device.fleet, SEND_COMMANDS):
        raise PermissionDenied(_("This needs the role Operator in the fleet."))
    kind = kind_offered(device, request.user, type_name)
    if kind is None:
        raise Http404
    form = form_for(device, kind, request.user, posted(request), saved=_saved_named(request, device))
    if request.method == "POST" and form.is_valid():
        command = send(form, device, request.user)
        if command is not None:
            messages.success(request, _("The command was asked for. Its state says what becomes of it."))
            return redirect("pages:command", command.pk)
    context = {
        **frame(request, device, "commands"),
        "heading": kind.label,
        "kind": kind,
        "form": form,
        "vehicle": vehicle_text(device, kind, units_of(request)),
        "awaits_person": kind.is_dangerous and not needs_typing(kind),
        "back_url": reverse("pages:device_commands", args=[device.pk]),
    }
    return render(request, "tasks_app/pages/device/command_send.html", context)


def _saved_named(request: HttpRequest, device: Device) -> SavedCommand | None:
    number = request.GET.get("saved", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    found = visible_saved_commands(request.user).filter(pk=int(number)).first()
    return found if found and found.fleet_id in (None, device.fleet_id) else None


@login_required
@require_safe
def command(request: HttpRequest, command_id: int) -> HttpResponse:
    """Show a command with its attempts."""
    found = find_command(request, command_id)
    context = {
        **frame(request, found.device, "commands"),
        **command_context(found, request.user),
        "title": str(found),
    }
    return render(request, "tasks_app/pages/device/command.html", context)
