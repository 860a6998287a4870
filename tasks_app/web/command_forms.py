"""The form of a type of commands: its parameters with their bounds, and what goes with the request."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.ingest.trackers.command_types import CommandType, Parameter
from tasks_app.models import Command, CommandWay, Device, SavedCommand
from tasks_app.models.commands import MAX_REASON_CHARACTERS
from tasks_app.queries.access import OVERRIDE_COMMAND_SAFETY, AnyUser, has_right
from tasks_app.queries.commands import offered_types, types_of, ways_of
from tasks_app.services.commands import CommandRefused, GroupResult, has_safety_rules, request_command, request_commands
from tasks_app.web.date_inputs import DateTimeField

PREFIX = "parameter-"
# Nothing is chosen before a person does.
ON_OFF = [("", "–"), ("true", gettext_lazy("On")), ("false", gettext_lazy("Off"))]
MAX_NAME_CHARACTERS = 200


def parameter_fields(command_type: CommandType) -> dict[str, forms.Field]:
    """Return a field for each parameter, by its name in the form."""
    return {f"{PREFIX}{one.name}": _field_of(one) for one in command_type.parameters}


def _field_of(parameter: Parameter) -> forms.Field:
    options: dict[str, Any] = {
        "label": parameter.label,
        "required": parameter.is_required,
        "initial": parameter.default,
    }
    if parameter.kind == "boolean":
        return forms.TypedChoiceField(choices=ON_OFF, coerce=lambda text: text == "true", **options)
    if parameter.kind == "integer":
        return forms.IntegerField(min_value=parameter.minimum, max_value=parameter.maximum, **options)
    return forms.CharField(min_length=parameter.minimum, max_length=parameter.maximum, strip=True, **options)


def parameters_of(command_type: CommandType, cleaned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a form holds; those left empty are left to their defaults."""
    found = {one.name: cleaned.get(f"{PREFIX}{one.name}") for one in command_type.parameters}
    return {name: value for name, value in found.items() if value not in (None, "")}


class CommandForm(forms.Form):
    """The request for a command of a type. `name` is to be typed where the type is dangerous."""

    use_required_attribute = False

    expires_in_seconds = forms.IntegerField(
        label=gettext_lazy("Valid for (seconds)"),
        help_text=gettext_lazy("It is not sent any more after this time."),
    )
    way = forms.ChoiceField(label=gettext_lazy("Way"), required=False)
    not_before = DateTimeField(label=gettext_lazy("Not before"), required=False)
    priority = forms.IntegerField(
        label=gettext_lazy("Priority"),
        required=False,
        min_value=-100,
        max_value=100,
        help_text=gettext_lazy(
            "Of commands that wait for the same device, the one with the higher number is sent first."
        ),
    )
    is_override = forms.BooleanField(
        label=gettext_lazy("Send it against the rules of safety"),
        required=False,
        help_text=gettext_lazy("Even where the vehicle moves or its position is not fresh. Say why under Reason."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=MAX_REASON_CHARACTERS)
    typed_name = forms.CharField(max_length=MAX_NAME_CHARACTERS, required=False)
    # Sent twice, by a second click, it makes one command.
    idempotency_key = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    FURTHER = ("expires_in_seconds", "not_before", "way", "priority")

    def __init__(
        self,
        command_type: CommandType,
        *arguments: Any,
        ways: Collection[str],
        name: str = "",
        may_override: bool = False,
        saved: SavedCommand | None = None,
        **options: Any,
    ) -> None:
        initial = {f"{PREFIX}{key}": _initial(value) for key, value in saved.parameters.items()} if saved else {}
        super().__init__(*arguments, **{"label_suffix": "", "initial": initial, **options})
        self.command_type, self.saved = command_type, saved
        self._arrange(ways, name, may_override)

    def _arrange(self, ways: Collection[str], name: str, may_override: bool) -> None:
        own = self.fields
        self.fields = {**parameter_fields(self.command_type), **own}
        expiry = self.fields["expires_in_seconds"] = forms.IntegerField(
            label=own["expires_in_seconds"].label,
            min_value=self.command_type.min_expiry_seconds,
            max_value=self.command_type.max_expiry_seconds,
            help_text=own["expires_in_seconds"].help_text,
        )
        expiry.initial = self.command_type.expiry_seconds
        self.fields["way"].choices = [("", _("As set for the device")), *_labels(ways)]  # type: ignore[attr-defined]
        if len(ways) < 2:
            del self.fields["way"]
        if not may_override:
            del self.fields["is_override"]
        if not name:
            del self.fields["typed_name"]
        else:
            self.fields["typed_name"].label = _("Type %(name)s to confirm") % {"name": name}
        self.fields["idempotency_key"].initial = uuid4

    def asked(self) -> dict[str, Any]:
        """Return the arguments of the request, once the form is valid."""
        values = {name: self.cleaned_data[name] for name in self._asked_names()}
        values["priority"] = values.get("priority") or 0
        parameters = parameters_of(self.command_type, self.cleaned_data)
        return {
            "type": self.command_type.name,
            "parameters": parameters,
            "is_template": self.saved is not None,
            **values,
        }

    def _asked_names(self) -> list[str]:
        return [name for name in self.fields if not name.startswith(PREFIX)]

    def refuse(self, sentence: Any, errors: Mapping[str, Any]) -> None:
        """Show why the request was refused, beside the fields that it names."""
        unnamed = {}
        for name, error in errors.items():
            if (field := self._field_called(name)) is None:
                unnamed[name] = error
            else:
                self.add_error(field, error)
        if unnamed or not errors:
            self.add_error(
                None, [str(sentence), *(str(error) for error in unnamed.values() if str(error) != str(sentence))]
            )

    def _field_called(self, name: str) -> str | None:
        candidates = (name, f"{PREFIX}{name.removeprefix('parameters.')}")
        return next((one for one in candidates if one in self.fields), None)

    @property
    def has_further_errors(self) -> bool:
        """Whether something is wrong with a field that is folded away."""
        return any(name in self.errors for name in self.FURTHER)

    @property
    def field_to_begin_with(self) -> str:
        """The name of the first wrong field, else of the first one that is no box: a stray key would tick that."""
        fields = [field for field in self.visible_fields() if field.errors] or self.first_fields()
        return next((field.name for field in fields if field.errors or field.widget_type != "checkbox"), "")

    def first_fields(self) -> list[forms.BoundField]:
        """The fields that are always looked at."""
        return [field for field in self.visible_fields() if field.name not in self.FURTHER]

    def further_fields(self) -> list[forms.BoundField]:
        """Those that have a good value already, folded away."""
        return [field for field in self.visible_fields() if field.name in self.FURTHER]


def _labels(ways: Collection[str]) -> list[tuple[str, Any]]:
    return [(way, CommandWay(way).label) for way in ways]


def posted(request: HttpRequest) -> Any:
    """Return what was sent, None before anything was: a form without fields is sent too."""
    return request.POST if request.method == "POST" else None


def kind_offered(device: Device, user: AnyUser, name: str) -> CommandType | None:
    """Return the type of this name if the user may send it to the device, else None."""
    return next((kind for kind in offered_types(device, user) if kind.name == name), None)


def form_for(
    device: Device, kind: CommandType, user: AnyUser, data: Any = None, *, saved: SavedCommand | None = None
) -> CommandForm:
    """Return the form that sends a command of this type to one device; with a saved command, filled in with it."""
    return _form([device], kind, user, data, device.name, saved)


def form_for_many(
    devices: Sequence[Device], kind: CommandType, user: AnyUser, data: Any = None, *, saved: SavedCommand | None = None
) -> CommandForm:
    """Return the form that sends one to each of many devices, whose number is typed to confirm a dangerous one."""
    return _form(devices, kind, user, data, str(len(devices)), saved)


def _form(
    devices: Sequence[Device], kind: CommandType, user: AnyUser, data: Any, name: str, saved: SavedCommand | None
) -> CommandForm:
    ways = {way for device in devices for way in ways_of(device) if kind.name in types_of(device, way)}
    may_override = has_safety_rules(kind.name) and all(
        has_right(user, fleet, OVERRIDE_COMMAND_SAFETY) for fleet in {device.fleet for device in devices}
    )
    return CommandForm(
        kind,
        data,
        ways=[way for way in CommandWay.values if way in ways],
        name=name if needs_typing(kind) else "",
        may_override=may_override,
        saved=saved,
    )


def needs_typing(kind: CommandType) -> bool:
    """Whether the sender confirms this type by typing; where a second person does, there is nothing to type."""
    return kind.is_dangerous and not settings.COMMANDS["NEED_SECOND_PERSON"]


def send(form: CommandForm, device: Device, user: AnyUser) -> Command | None:
    """Ask for the command of a valid form; None where it was refused, which the form then says."""
    try:
        return request_command(device=device, user=user, **form.asked())
    except CommandRefused as error:
        form.refuse(error.sentence, error.errors)
        return None


def send_to_many(form: CommandForm, devices: Sequence[Device], user: AnyUser, *, dry_run: bool) -> GroupResult | None:
    """Ask for a command to each device, or for what would become of them; None where it was refused as a whole."""
    try:
        return request_commands(devices, user=user, dry_run=dry_run, **form.asked())
    except CommandRefused as error:
        form.refuse(error.sentence, error.errors)
        return None


def _initial(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
