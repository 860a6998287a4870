"""Forms of commands, as the theme has inputs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    CHECKBOX_CLASSES,
    INPUT_CLASSES,
    SELECT_CLASSES,
    TEXTAREA_CLASSES,
    UnfoldAdminTextInputWidget,
)

from tasks_app.admin.calls import AdminPickManyWidget
from tasks_app.models import Device
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.queries.access import SEND_COMMANDS, visible_devices
from tasks_app.web.pickers import PickRowsField

_CLASSES: list[tuple[type[forms.Widget], list[str]]] = [
    (forms.CheckboxInput, CHECKBOX_CLASSES),
    (forms.Select, SELECT_CLASSES),
    (forms.Textarea, TEXTAREA_CLASSES),
    (forms.widgets.Input, INPUT_CLASSES),
]


def themed(form: forms.Form, *, focus: str = "") -> forms.Form:
    """Give the inputs of a form the theme's look; the page opens with the keyboard in the field called `focus`."""
    if focus:
        form.fields[focus].widget.attrs["autofocus"] = True
    for field in form.fields.values():
        found = next((classes for kind, classes in _CLASSES if isinstance(field.widget, kind)), [])
        field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {' '.join(found)}".strip()
    return form


class AdminPickRowsField(PickRowsField):
    widget_class = AdminPickManyWidget


class DevicesForm(forms.Form):
    """The devices to send a command to."""

    def __init__(self, user: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"label_suffix": "", **options})
        devices = visible_devices(user, SEND_COMMANDS).select_related("fleet", "access")
        self.fields["devices"] = AdminPickRowsField(
            "device", user, devices, label=_("Devices"), help_text=_("Type a part of a name.")
        )

    @property
    def chosen(self) -> list[Device]:
        """The devices, of a valid form."""
        found: list[Device] = self.cleaned_data["devices"]
        return found


class CancelForm(forms.Form):
    """The reason of cancelling."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=MAX_REASON_CHARACTERS,
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
        help_text=_("Kept with your name in the history."),
    )


class ConfirmForm(forms.Form):
    """Nothing is to be filled in."""
