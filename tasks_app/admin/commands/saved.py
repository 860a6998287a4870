"""Saved commands: a name, a type, and a form of its parameters."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from tasks_app.admin.commands.forms import themed
from tasks_app.admin.common import MISSING
from tasks_app.admin.model_admin import ModelAdmin
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES, CommandType
from tasks_app.models import SavedCommand
from tasks_app.queries.commands import may_save
from tasks_app.web.command_forms import PREFIX, parameter_fields, parameters_of
from tasks_app.web.commands import parameters_text, shown_type
from tasks_app.web.versions import UnchangedMeanwhile


class SavedCommandForm(UnchangedMeanwhile):
    """The name and fleet of a saved command; `saved_form_of` adds the parameters of its type."""

    kind: CommandType
    user: Any
    versioned_besides = ("parameters",)

    class Meta:
        model = SavedCommand
        fields = ("name", "fleet")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.instance.type = self.kind.name
        for name, value in self.instance.parameters.items():
            self.initial[f"{PREFIX}{name}"] = str(value).lower() if isinstance(value, bool) else value
        parameters = forms.Form()
        parameters.fields = {name: field for name, field in self.fields.items() if name.startswith(PREFIX)}
        themed(parameters)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        self.instance.parameters = parameters_of(self.kind, data)
        if not may_save(self.user, data.get("fleet"), self.kind.name):
            self.add_error("fleet", _("You may not send this command to its devices, and so not save it."))
        return data

    def _differs(self, name: str) -> bool:
        if name == "parameters":
            return parameters_of(self.kind, self.cleaned_data) != self.instance.parameters
        return super()._differs(name)

    def _update_errors(self, errors: Any) -> None:
        """Leave the model's errors of parameters aside where each parameter has its own already."""
        if hasattr(errors, "error_dict"):
            found = errors.error_dict.pop("parameters", None)
            if found and not any(name.startswith(PREFIX) for name in self.errors):
                errors.error_dict.setdefault("__all__", []).extend(found)
        super()._update_errors(errors)  # type: ignore[misc]


def saved_form_of(kind: CommandType, user: Any) -> type[SavedCommandForm]:
    """Return the form of saved commands of this type for this user."""
    return type("SavedCommandFormOfType", (SavedCommandForm,), {**parameter_fields(kind), "kind": kind, "user": user})


@admin.register(SavedCommand)
class SavedCommandAdmin(ModelAdmin):
    list_display = ("name", "type", "shown_parameters", "fleet_name")
    list_filter = ("type", "fleet")
    list_filter_sheet = False
    list_select_related = ("fleet",)
    search_fields = ("name",)
    autocomplete_fields = ("fleet",)
    readonly_fields = ("shown_type", "shown_parameters")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the type first: its parameters are the form."""
        if self._kind(request, None) is None:
            return self._choose_view(request)
        return super().add_view(request, form_url, extra_context)

    def _choose_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        address = reverse("admin:tasks_app_savedcommand_add")
        shown = sorted((shown_type(kind) for kind in COMMAND_TYPES.values()), key=lambda one: one.is_dangerous)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Save a command"),
            "types": [{"url": f"{address}?type={one.name}", "type": one} for one in shown],
        }
        return TemplateResponse(request, "tasks_app/admin/command_types.html", context)

    def get_fields(self, request: HttpRequest, obj: SavedCommand | None = None) -> Any:
        kind = self._kind(request, obj)
        may_change = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if kind is None or not may_change:
            return ("name", "fleet", "shown_type", "shown_parameters")
        return ("name", "fleet", "shown_type", *parameter_fields(kind))

    def get_form(
        self, request: HttpRequest, obj: SavedCommand | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kind = self._kind(request, obj)
        if kind is not None:
            kwargs["form"] = saved_form_of(kind, request.user)
        return super().get_form(request, obj, change, **kwargs)

    def _kind(self, request: HttpRequest, obj: SavedCommand | None) -> CommandType | None:
        return COMMAND_TYPES.get(obj.type if obj else request.GET.get("type", ""))

    @display(description=gettext_lazy("type"))
    def shown_type(self, saved: SavedCommand) -> str:
        return saved.get_type_display() or MISSING

    @display(description=gettext_lazy("parameters"))
    def shown_parameters(self, saved: SavedCommand) -> str:
        return parameters_text(saved) or MISSING

    @display(description=gettext_lazy("fleet"), ordering="fleet__name")
    def fleet_name(self, saved: SavedCommand) -> Any:
        return saved.fleet or _("All fleets")
