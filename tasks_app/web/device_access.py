"""Fields of how a device is reached: the ways of its commands in their order, and networks, one on a line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from tasks_app.models import DeviceAccess
from tasks_app.models.commands import chain_choices
from tasks_app.models.device_access import MAX_PASSWORD_CHARACTERS, MIN_PASSWORD_CHARACTERS, validate_password
from tasks_app.web.versions import UnchangedMeanwhile

MAX_LINES_CHARACTERS = 5000


class ChainWidget(forms.MultiWidget):
    """A choice for each place of the chain."""

    use_fieldset = True

    def __init__(self, labels: Iterable[Any], **options: Any) -> None:
        choices = [("", "–"), *chain_choices()]
        super().__init__([forms.Select({"aria-label": label}, choices) for label in labels], **options)

    def decompress(self, value: list[str] | None) -> list[str]:
        """Return the ways by place."""
        found = list(value or [])[: len(self.widgets)]
        return [*found, *[""] * (len(self.widgets) - len(found))]


class ChainField(forms.MultiValueField):
    """Ways in the order in which they are tried; empty for those that the device has."""

    def __init__(self, **options: Any) -> None:
        labels = [_("First way"), _("Second way"), _("Third way"), _("Fourth way"), _("Fifth way")]
        fields = [forms.ChoiceField(choices=[("", "–"), *chain_choices()], required=False) for _label in labels]
        options = {"required": False, "require_all_fields": False, "widget": ChainWidget(labels), **options}
        super().__init__(fields, **options)

    def compress(self, data_list: list[str]) -> list[str]:
        return [way for way in data_list if way]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != [way for way in data or [] if way]


class LinesField(forms.CharField):
    """Short texts, one on a line."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "max_length": MAX_LINES_CHARACTERS, **options})
        self.widget.attrs.update({"rows": 3, "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        """Return the lines that hold something."""
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) or value is None else "\n".join(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != [line.strip() for line in str(data or "").splitlines() if line.strip()]


class DeviceAccessForm(UnchangedMeanwhile):
    """How a device is reached."""

    ways = ChainField(
        label=_("Ways of commands"),
        help_text=_("In the order in which they are tried; none for the ways that the device has."),
    )
    allowed_networks = LinesField(label=_("Allowed networks"))
    new_password = forms.CharField(
        label=_("Tracker's password"),
        required=False,
        min_length=MIN_PASSWORD_CHARACTERS,
        max_length=MAX_PASSWORD_CHARACTERS,
        validators=[validate_password],
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    forget_password = forms.BooleanField(
        label=_("Forget the tracker's password"),
        required=False,
        help_text=_("Then that of the settings or of the factory is used."),
    )

    class Meta:
        model = DeviceAccess
        fields = ("protocol", "relay_variant", "ways", "phone_number", "zone_minutes", "allowed_networks")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        networks = DeviceAccess._meta.get_field("allowed_networks")
        if "allowed_networks" in self.fields:
            self.fields["allowed_networks"].help_text = _("%(text)s One on a line.") % {"text": networks.help_text}
        if "new_password" in self.fields:
            self.fields["new_password"].help_text = (
                _("One is stored, encrypted. Leave this empty to keep it.")
                if self.instance.has_password
                else _("In commands, of a Teltonika its login and password; stored encrypted and not shown again.")
            )
        if "forget_password" in self.fields:
            self.fields["forget_password"].disabled = not self.instance.has_password

    def clean(self) -> dict[str, Any] | None:
        """Set the password, or forget it, as far as these say so."""
        cleaned = super().clean() or self.cleaned_data
        if password := cleaned.get("new_password"):
            self.instance.password = password
        elif cleaned.get("forget_password"):
            self.instance.password = ""
        return cleaned
