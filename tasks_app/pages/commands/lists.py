"""The commands of all devices of a person, and how a row of a list shows one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from tasks_app.models import Command, CommandState
from tasks_app.models.commands import command_type_choices
from tasks_app.pages.lists import CursorField, TimeRangeForm, address_with, rows_behind
from tasks_app.queries.access import CANCEL_COMMANDS, VIEW_COMMANDS, visible_commands, visible_devices, visible_fleets
from tasks_app.queries.commands import reason_text
from tasks_app.queries.devices import devices_named
from tasks_app.web.commands import CANCELLABLE, ENDED, STATE_KINDS, parameters_text, socket_path


class CommandFilters(TimeRangeForm):
    """Device by text, type, state, and when it was asked for."""

    device = forms.CharField(label=gettext_lazy("Device"), required=False, max_length=100)
    type = forms.ChoiceField(label=gettext_lazy("Command"), required=False)
    state = forms.ChoiceField(
        label=gettext_lazy("State"), required=False, choices=[("", gettext_lazy("All")), *CommandState.choices]
    )
    before = CursorField("created_at")

    field_order = ("device", "type", "state")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.fields["type"].choices = [("", _("All")), *command_type_choices()]  # type: ignore[attr-defined]

    def rows(self) -> QuerySet[Command]:
        """Return the commands that the filters leave; none if one of them is wrong."""
        if not self.is_valid():
            return Command.objects.none()
        chosen = self.cleaned_data
        conditions = {
            "type": chosen["type"],
            "state": chosen["state"],
            "created_at__gte": chosen["start"],
            "created_at__lt": chosen["end"],
        }
        found = visible_commands(self.user).filter(
            chosen["before"], **{name: one for name, one in conditions.items() if one}
        )
        if chosen["device"]:
            devices = visible_devices(self.user, VIEW_COMMANDS)
            found = found.filter(device__in=devices_named(devices, chosen["device"]))
        return found


@login_required
@require_safe
def commands(request: HttpRequest) -> HttpResponse:
    filters = CommandFilters(request)
    found, cursor = rows_behind(filters.rows().select_related("device", "requested_by"), "created_at")
    may_cancel_in = set(visible_fleets(request.user, CANCEL_COMMANDS).values_list("pk", flat=True))
    context = {
        "title": _("Commands"),
        "filters": filters,
        "rows": [shown_row(one, may_cancel=one.device.fleet_id in may_cancel_in) for one in found],
        "older": address_with(request, before=cursor) if cursor else "",
        "newest": address_with(request, before=None) if request.GET.get("before") else "",
        "watched": urlencode([("command_id", one.pk) for one in found if one.state not in ENDED]),
        "socket": socket_path(),
    }
    return render(request, "tasks_app/pages/commands.html", context)


def shown_row(command: Command, *, may_cancel: bool) -> dict[str, Any]:
    """Return what a row of a list shows of a command."""
    return {
        "command": command,
        "parameters": parameters_text(command),
        "state_kind": STATE_KINDS[command.state],
        "why": reason_text(command.state_reason),
        "may_cancel": may_cancel and command.state in CANCELLABLE,
    }
