"""Cancelling a command, with the reason, and confirming one of another person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from tasks_app.models import Command
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.pages.commands.finding import find_command
from tasks_app.pages.device import frame
from tasks_app.queries.access import CANCEL_COMMANDS, CONFIRM_COMMANDS, Right, has_right
from tasks_app.services.commands import CommandRefused, cancel_command, confirm_command
from tasks_app.web.command_forms import posted
from tasks_app.web.commands import facts_of


class CancelForm(forms.Form):
    """The reason, kept in the history."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=MAX_REASON_CHARACTERS)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def command_cancel(request: HttpRequest, command_id: int) -> HttpResponse:
    """Ask for the reason, then cancel the command. Raises PermissionDenied."""

    def act(command: Command, form: forms.Form) -> str:
        cancel_command(command, request.user, form.cleaned_data["reason"])
        return _("The command was cancelled: it will not be sent.")

    form = CancelForm(posted(request), label_suffix="")
    texts = {"title": _("Cancel this command?"), "button": _("Cancel the command")}
    return _step(request, command_id, CANCEL_COMMANDS, form, act, texts)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def command_confirm(request: HttpRequest, command_id: int) -> HttpResponse:
    """Ask, then confirm another person's command. Raises PermissionDenied."""

    def act(command: Command, form: forms.Form) -> str:
        confirm_command(command, request.user)
        return _("The command was confirmed and is queued.")

    texts = {"title": _("Confirm this command?"), "button": _("Confirm and send")}
    return _step(request, command_id, CONFIRM_COMMANDS, forms.Form(posted(request)), act, texts)


def _step(
    request: HttpRequest,
    command_id: int,
    right: Right,
    form: forms.Form,
    act: Callable[[Command, forms.Form], str],
    texts: dict[str, Any],
) -> HttpResponse:
    command = find_command(request, command_id)
    if not has_right(request.user, command.device.fleet, right):
        raise PermissionDenied
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, act(command, form))
            return redirect("pages:command", command.pk)
        except CommandRefused as error:
            form.add_error(None, error.sentence)
    context = {
        **frame(request, command.device, "commands"),
        **texts,
        "facts": [(_("Command"), command.get_type_display()), *facts_of(command)],
        "form": form,
        "back_url": reverse("pages:command", args=[command.pk]),
    }
    return render(request, "tasks_app/pages/device/command_step.html", context)
