"""The list of commands, and one command with its attempts, to cancel or to confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from tasks_app.admin.commands.batches import BatchFilter, batch_of, batch_of_list
from tasks_app.admin.commands.forms import CancelForm, ConfirmForm
from tasks_app.admin.commands.sending import SendViews
from tasks_app.admin.common import MISSING, badge, format_time
from tasks_app.admin.long_lists import LongListAdmin
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.models import Command
from tasks_app.queries.commands import reason_text
from tasks_app.services.commands import CommandRefused, cancel_command, confirm_command
from tasks_app.web.command_forms import posted
from tasks_app.web.commands import STATE_KINDS, command_context, facts_of, parameters_text


@admin.register(Command)
class CommandAdmin(LongListAdmin, SendViews, ModelAdmin):
    """To see needs view_command, to send add_command and for dangerous types another permission (`queries.access`)."""

    list_display = ("asked_at", "device", "what", "state_badge", "why", "asked_by", "answer_text")
    list_filter = (BatchFilter, "state", "type", "way", "device__fleet")
    linked_lookups = ("device__id__exact",)
    list_filter_sheet = False
    list_select_related = ("device", "requested_by")
    search_fields = ("device__name", "device__unique_id", "requested_by__username")
    search_help_text = gettext_lazy("Device or person")
    date_hierarchy = "created_at"
    list_before_template = "tasks_app/admin/parts/command_batch.html"
    goes_with_its_subject = True

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("send/", view(self.choose_view), name="tasks_app_command_send"),
            path("send/<slug:type_name>/", view(self.send_view), name="tasks_app_command_send_type"),
            path("<int:command_id>/cancel/", view(self.cancel_view), name="tasks_app_command_cancel"),
            path("<int:command_id>/confirm/", view(self.confirm_view), name="tasks_app_command_confirm"),
            *super().get_urls(),
        ]

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.cancel_command"))

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tasks_app.confirm_command"))

    # --- The list ---

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        batch = batch_of_list(request.GET.get(BatchFilter.parameter_name, ""))
        return super().changelist_view(request, {**(extra_context or {}), "batch": batch})

    @display(description=gettext_lazy("asked for"), ordering="created_at")
    def asked_at(self, command: Command) -> Any:
        return format_time(command.created_at)

    @display(description=gettext_lazy("command"), ordering="type")
    def what(self, command: Command) -> str:
        return " · ".join(part for part in (command.get_type_display(), parameters_text(command)) if part)

    @display(description=gettext_lazy("state"), ordering="state")
    def state_badge(self, command: Command) -> SafeString:
        return badge(STATE_KINDS[command.state], command.get_state_display())

    @display(description=gettext_lazy("why"))
    def why(self, command: Command) -> str:
        return reason_text(command.state_reason) or MISSING

    @display(description=gettext_lazy("by"), ordering="requested_by__username")
    def asked_by(self, command: Command) -> str:
        return str(command.requested_by or _("the system"))

    @display(description=gettext_lazy("answer"))
    def answer_text(self, command: Command) -> str:
        return command.answer[:60] or MISSING

    # --- One command ---

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        command = self._command(request, object_id)
        context = {
            **command_context(command, request.user),
            "title": str(command),
            "crumbs": [(command.get_type_display(), request.get_full_path())],
            "device_url": reverse("admin:tasks_app_device_change", args=[command.device_id]),
            "batch": batch_of(command),
        }
        return self._page(request, "tasks_app/admin/command.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return redirect("admin:tasks_app_command_change", object_id)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        self._require(self.has_add_permission(request))
        return redirect("admin:tasks_app_command_send")

    def cancel_view(self, request: HttpRequest, command_id: int) -> HttpResponse:
        """Ask for the reason on GET, cancel on POST."""
        self._require(self.has_cancel_permission(request))

        def act(command: Command, form: forms.Form) -> str:
            cancel_command(command, request.user, form.cleaned_data["reason"])
            return _("The command was cancelled: it will not be sent.")

        texts = {"title": _("Cancel this command?"), "button": _("Cancel the command"), "variant": "danger"}
        return self._step(request, command_id, CancelForm(posted(request)), act, texts)

    def confirm_view(self, request: HttpRequest, command_id: int) -> HttpResponse:
        """Ask on GET, confirm on POST."""
        self._require(self.has_confirm_permission(request))

        def act(command: Command, form: forms.Form) -> str:
            confirm_command(command, request.user)
            return _("The command was confirmed and is queued.")

        texts = {"title": _("Confirm this command?"), "button": _("Confirm and send"), "variant": "danger"}
        return self._step(request, command_id, ConfirmForm(posted(request)), act, texts)

    def _step(
        self,
        request: HttpRequest,
        command_id: int,
        form: forms.Form,
        act: Callable[[Command, forms.Form], str],
        texts: dict[str, Any],
    ) -> HttpResponse:
        command = self._command(request, str(command_id))
        address = reverse("admin:tasks_app_command_change", args=[command.pk])
        refusal = ""
        if request.method == "POST" and form.is_valid():
            try:
                messages.success(request, act(command, form))
                return redirect(address)
            except CommandRefused as error:
                refusal = error.sentence
        facts = [(_("Command"), command.get_type_display()), *facts_of(command)]
        context = {**texts, "form": form, "facts": facts, "refusal": refusal, "back_url": address}
        return self._page(request, "tasks_app/admin/confirm.html", context)

    # --- Helpers ---

    def _require(self, is_allowed: bool) -> None:
        if not is_allowed:
            raise PermissionDenied

    def _command(self, request: HttpRequest, number: str) -> Command:
        """Return the command. Raises PermissionDenied, and Http404 for no command and no number."""
        self._require(self.has_view_permission(request))
        rows: QuerySet[Command] = Command.objects.select_related("device__fleet", "requested_by", "confirmed_by")
        is_number = number.isascii() and number.isdecimal() and len(number) < 19
        found = rows.prefetch_related("attempts").filter(pk=int(number)).first() if is_number else None
        if found is None:
            raise Http404(_("There is no such command."))
        return found

    def _page(
        self, request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        # For the header, which the theme renders with the request alone.
        request.crumbs = context.get("crumbs", ())  # type: ignore[attr-defined]
        whole = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, whole, status=status)
