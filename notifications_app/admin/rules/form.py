"""The form of a rule."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from notifications_app.models import Rule
from notifications_app.models.kinds import channel_choices, rule_kind_choices
from notifications_app.services.rules import check_command, permitted_people
from tasks_app.admin.windows import WindowsField
from tasks_app.models import FleetRole, SavedCommand
from tasks_app.queries.commands import visible_saved_commands


class RuleForm(forms.ModelForm):
    event_kinds = forms.MultipleChoiceField(
        label=_("Event kinds"), choices=rule_kind_choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"), choices=channel_choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    roles = forms.MultipleChoiceField(
        label=_("Roles"),
        choices=FleetRole.choices,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    alarms = SimpleArrayField(
        forms.CharField(max_length=40),
        label=_("Alarms"),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Only these alarms, as the devices call them, with commas between them. Empty: all."),
        error_messages={"item_invalid": _("Alarm %(nth)s:")},
    )
    windows = WindowsField(
        label=_("Only at these times"),
        required=False,
        help_text=_(
            "In the fleet's time zone; none: always. A window that ends before it begins ends on the next day."
        ),
    )

    # Of the request: set by the admin.
    user: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(field := self.fields.get("command"), forms.ModelChoiceField):
            seen = visible_saved_commands(self.user) if self.user else SavedCommand.objects.none()
            field.queryset = seen | SavedCommand.objects.filter(pk=self.instance.command_id)

    class Meta:
        model = Rule
        fields = "__all__"  # noqa: DJ007 - every column of a rule is for staff to edit

    def clean(self) -> dict[str, Any] | None:
        """Check that devices and geofences belong to the rule's fleet and that its people may see it."""
        cleaned = super().clean() or self.cleaned_data
        fleet, users = cleaned.get("fleet"), cleaned.get("users")
        for name in ("devices", "geofences", "within_geofences"):
            chosen = cleaned.get(name)
            if fleet and chosen is not None and chosen.exclude(fleet=fleet).exists():
                self.add_error(name, _("Choose only from the rule's fleet."))
        if users is not None and users.exclude(pk__in=permitted_people(fleet).values("pk")).exists():
            self.add_error("users", _("Choose only people who may see the fleet."))
        if not users and not cleaned.get("roles"):
            self.add_error("users", forms.ValidationError(_("Name at least one person or role."), code="missing"))
        return cleaned

    def _post_clean(self) -> None:
        """Check the command against the rule as it would be saved."""
        super()._post_clean()  # type: ignore[misc]
        if "command" in self.cleaned_data:
            try:
                check_command(self.instance, self.user, is_new="command" in self.changed_data)
            except forms.ValidationError as error:
                self.add_error(None, error)


class NotSaved:
    """A mixin of forms that are checked and shown again, whatever is in them: the admin saves valid ones."""

    def is_valid(self) -> bool:
        super().is_valid()  # type: ignore[misc]
        return False
