"""Sending a command to one device or to many: the devices, the type, then its form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from tasks_app.admin.commands.forms import DevicesForm, themed
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, CommandType
from tasks_app.models import Device, SavedCommand
from tasks_app.queries.access import AnyUser
from tasks_app.queries.commands import offered_types, visible_saved_commands
from tasks_app.services.commands import GroupResult, fitting
from tasks_app.web.command_forms import CommandForm, form_for, form_for_many, needs_typing, posted, send, send_to_many
from tasks_app.web.commands import parameters_text, shown_type, vehicle_text
from tasks_app.web.quantities import units_of

NAMED_REFUSED = 20


class SendViews:
    """Views of CommandAdmin."""

    def choose_view(self: Any, request: HttpRequest) -> HttpResponse:
        """Ask for the devices, then for what they are to be sent."""
        self._require(self.has_add_permission(request))
        form = DevicesForm(request.user, request.GET if "devices" in request.GET else None)
        devices = form.chosen if form.is_valid() else []
        types = _types_for(devices, request.user)
        context = {
            "title": _("Send a command"),
            "crumbs": [(_("Send a command"), request.get_full_path())],
            "form": themed(form, focus="" if devices else "devices"),
            "asked": bool(devices),
            "types": types,
            "saved": _saved_for(devices, {one["name"] for one in types}, request.user),
        }
        return self._page(request, "tasks_app/admin/command_choose.html", context)

    def send_view(self: Any, request: HttpRequest, type_name: str) -> HttpResponse:
        """Show the form of a type, and send it; to many devices what would become of each is said first."""
        self._require(self.has_add_permission(request))
        chosen = DevicesForm(request.user, request.GET)
        if not chosen.is_valid():
            return redirect("admin:tasks_app_command_send")
        devices = chosen.chosen
        kind = COMMAND_TYPES.get(type_name)
        if kind is None or not any(kind in offered_types(device, request.user) for device in devices):
            raise Http404(_("These devices are not offered commands of this type."))
        saved = _saved_named(request)
        if len(devices) == 1:
            return self._send_to_one(request, devices[0], kind, saved)
        return self._send_to_many(request, devices, kind, saved)

    def _send_to_one(
        self: Any, request: HttpRequest, device: Device, kind: CommandType, saved: SavedCommand | None
    ) -> HttpResponse:
        form = form_for(device, kind, request.user, posted(request), saved=saved)
        if request.method == "POST" and form.is_valid():
            command = send(form, device, request.user)
            if command is not None:
                messages.success(request, _("The command was asked for. Its state says what becomes of it."))
                return redirect("admin:tasks_app_command_change", command.pk)
        about = f"{device.name} · {device.unique_id} · {device.fleet}"
        vehicle = vehicle_text(device, kind, units_of(request))
        return self._form_page(request, form, kind, [device], about=about, vehicle=vehicle, send_label=_("Send"))

    def _send_to_many(
        self: Any, request: HttpRequest, devices: list[Device], kind: CommandType, saved: SavedCommand | None
    ) -> HttpResponse:
        form = form_for_many(devices, kind, request.user, posted(request), saved=saved)
        checked: dict[str, Any] = {}
        count = 0
        if request.method == "POST" and form.is_valid():
            is_check = request.POST.get("step") != "send"
            outcome = send_to_many(form, devices, request.user, dry_run=is_check)
            if outcome is not None and not is_check:
                messages.success(request, _sent_text(outcome))
                return redirect(f"{reverse('admin:tasks_app_command_changelist')}?batch={outcome.batch}")
            if outcome is not None:
                checked, count = _checked(outcome), outcome.accepted
        about = ngettext("To %d device.", "To %d devices.", len(devices)) % len(devices)
        label = ngettext("Send to %d device", "Send to %d devices", count) % count if count else ""
        return self._form_page(request, form, kind, devices, about=about, send_label=label, dry_run=checked)

    def _form_page(
        self: Any,
        request: HttpRequest,
        form: CommandForm,
        kind: CommandType,
        devices: Sequence[Device],
        **more: Any,
    ) -> HttpResponse:
        back_url = f"{reverse('admin:tasks_app_command_send')}?{_query(devices)}"
        context = {
            "title": _("Send a command"),
            "crumbs": [(_("Send a command"), back_url), (str(kind.label), request.get_full_path())],
            "heading": kind.label,
            "is_dangerous": kind.is_dangerous,
            "awaits_person": kind.is_dangerous and not needs_typing(kind),
            "is_group": len(devices) > 1,
            "form": themed(form, focus="" if more.get("dry_run") else form.field_to_begin_with),
            "back_url": back_url,
            **more,
        }
        return self._page(request, "tasks_app/admin/command_send.html", context)


def _query(devices: Sequence[Device]) -> str:
    return urlencode([("devices", device.pk) for device in devices])


def _types_for(devices: list[Device], user: AnyUser) -> list[dict[str, Any]]:
    """Return the types that some of the devices can be sent, harmless ones first."""
    counts = Counter(kind.name for device in devices for kind in offered_types(device, user))
    found = []
    for kind in sorted(
        (COMMAND_TYPES[name] for name in COMMAND_TYPES if counts[name]), key=lambda one: one.is_dangerous
    ):
        shown = shown_type(kind)
        found.append(
            {
                "name": kind.name,
                "label": shown.label,
                "bounds": shown.bounds,
                "is_dangerous": kind.is_dangerous,
                "url": f"{reverse('admin:tasks_app_command_send_type', args=[kind.name])}?{_query(devices)}",
                "note": _count_text(counts[kind.name], len(devices)),
            }
        )
    return found


def _count_text(count: int, all_of_them: int) -> str:
    if count == all_of_them:
        return ""
    return _("%(count)d of the %(all)d devices") % {"count": count, "all": all_of_them}


def _saved_for(devices: list[Device], types: set[str], user: AnyUser) -> list[dict[str, Any]]:
    """Return the saved commands that may be sent to all of the devices: of their fleet, or of all fleets."""
    fleets = {device.fleet_id for device in devices}
    found = visible_saved_commands(user).filter(type__in=types) if devices else SavedCommand.objects.none()
    rows = [one for one in found.order_by("name", "pk") if one.fleet_id is None or fleets == {one.fleet_id}]
    # Of many devices the dry run says which of them cannot take it.
    offered = fitting(rows, devices[0], now=timezone.now()) if len(devices) == 1 else rows
    return [
        {
            "name": one.name,
            "label": one.get_type_display(),
            "parameters": parameters_text(one),
            "url": f"{reverse('admin:tasks_app_command_send_type', args=[one.type])}?{_query(devices)}&saved={one.pk}",
        }
        for one in offered
    ]


def _saved_named(request: HttpRequest) -> SavedCommand | None:
    number = request.GET.get("saved", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    return visible_saved_commands(request.user).filter(pk=int(number)).first()


def _checked(outcome: GroupResult) -> dict[str, Any]:
    """Return what the page says of a dry run: how many, and of those left out why, with some of their names."""
    texts: dict[str, list[str]] = {}
    for row in outcome.rows:
        if row.refusal is not None:
            texts.setdefault(row.refusal.sentence, []).append(row.device.name)
    refused = [
        (f"{text} ({len(names)})", ", ".join(names[:NAMED_REFUSED]) + (" …" if len(names) > NAMED_REFUSED else ""))
        for text, names in texts.items()
    ]
    return {"summary": _sent_text(outcome, is_done=False), "refused": refused}


def _sent_text(outcome: GroupResult, *, is_done: bool = True) -> str:
    accepted, refused = outcome.accepted, len(outcome.rows) - outcome.accepted
    if is_done:
        text = ngettext("A command to %d device was asked for.", "Commands to %d devices were asked for.", accepted)
    else:
        text = ngettext("A command to %d device would be sent.", "Commands to %d devices would be sent.", accepted)
    left = ngettext("%d device is left out.", "%d devices are left out.", refused) % refused if refused else ""
    return f"{text % accepted} {left}".strip()
