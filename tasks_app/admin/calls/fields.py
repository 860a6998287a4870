"""The form field of a parameter, by its annotation: type, bounds and rule."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any, Literal

from django import forms
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from msgspec import Meta
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminNullBooleanSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tasks_app.admin.calls.labels import ARGUMENTS, HELP, VALUES
from tasks_app.admin.calls.pickers import AdminPickField, AdminPickManyField
from tasks_app.admin.calls.times import LocalDayField, RangeTimeField
from tasks_app.admin.fields import StrictJSONField
from tasks_app.engine import Task
from tasks_app.services.arguments import LocalDay, OneOf, RangeTime, Reference, rule_of

NO_DEFAULT = inspect.Parameter.empty
# Texts of these names are written over several lines.
_LONG_TEXTS = {"message"}
# Beside these names a value that may be left out is for rare cases: the form folds it away.
_RARE = {"max_seconds", "position_data", "report_id"}


def parameter_field(task: Task[Any, Any], parameter: inspect.Parameter, user: Any) -> forms.Field:
    """Return the field; types no simple field covers are written as JSON."""
    hint = typing.get_type_hints(task.function, include_extras=True).get(parameter.name, Any)
    kinds = [kind for kind in _members(hint) if kind is not type(None)]
    nullable = len(kinds) < len(_members(hint))
    options: dict[str, Any] = {
        "label": ARGUMENTS.get(parameter.name, parameter.name),
        "required": parameter.default is NO_DEFAULT and not nullable,
        "initial": None if parameter.default is NO_DEFAULT else parameter.default,
        "help_text": HELP.get(parameter.name, ""),
    }
    by_rule = _field_of_rule(task, parameter.name, kinds[0], user, options)
    if by_rule is not None:
        return by_rule
    return _field_of_kind(kinds[0] if len(kinds) == 1 else Any, parameter.name, nullable, options)


def is_rare(name: str, field: forms.Field) -> bool:
    """Return whether the form folds this field away."""
    return name in _RARE and not field.required


def _field_of_rule(
    task: Task[Any, Any], name: str, kind: Any, user: Any, options: dict[str, Any]
) -> forms.Field | None:
    if reference := rule_of(task, name, Reference):
        is_list = typing.get_origin(_plain(kind)) is list
        return (AdminPickManyField if is_list else AdminPickField)(reference.source, user, **options)
    if rule_of(task, name, RangeTime):
        return RangeTimeField(**options)
    if rule_of(task, name, LocalDay):
        return LocalDayField(**options)
    if one_of := rule_of(task, name, OneOf):
        return _choice(list(one_of.choices()), options)
    return None


def _field_of_kind(kind: Any, name: str, nullable: bool, options: dict[str, Any]) -> forms.Field:
    plain, bounds = _plain(kind), _bounds(kind)
    if plain is bool and nullable:
        return forms.NullBooleanField(widget=UnfoldAdminNullBooleanSelectWidget, **options)
    if plain is bool:
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget, **{**options, "required": False})
    if plain is int:
        return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **_with_range(bounds, options))
    if plain is float:
        widget = UnfoldAdminIntegerFieldWidget({"step": "any"})
        return forms.FloatField(widget=widget, **_with_range(bounds, options))
    if plain is str:
        text = UnfoldAdminTextareaWidget({"rows": 4}) if name in _LONG_TEXTS else UnfoldAdminTextInputWidget()
        return forms.CharField(widget=text, strip=False, max_length=bounds.get("max_length"), **options)
    if typing.get_origin(plain) is Literal and all(isinstance(value, str) for value in typing.get_args(plain)):
        return _choice([(value, VALUES.get(value, value)) for value in typing.get_args(plain)], options)
    options["help_text"] = options["help_text"] or _("JSON")
    return StrictJSONField(**options)


def _choice(choices: list[Any], options: dict[str, Any]) -> forms.Field:
    if options["initial"] is None:
        choices.insert(0, ("", "–"))
    return forms.ChoiceField(widget=UnfoldAdminSelectWidget, choices=choices, **options)


def _with_range(bounds: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Add bounds that the field checks and says; an id's upper one says nothing to people."""
    low, high = bounds.get("ge"), bounds.get("le")
    sentence = ""
    if low is not None and high is not None and high < 2**53:
        sentence = _("%(low)s to %(high)s.") % {"low": low, "high": number_format(high, force_grouping=True)}
    help_text = " ".join(str(part) for part in (options["help_text"], sentence) if part)
    return {**options, "min_value": low, "max_value": high, "help_text": help_text}


def _bounds(kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for extra in getattr(kind, "__metadata__", ()):
        if isinstance(extra, Meta):
            known = {name: getattr(extra, name) for name in ("ge", "le", "max_length")}
            found |= {name: value for name, value in known.items() if value is not None}
    return found


def _plain(kind: Any) -> Any:
    return kind.__origin__ if typing.get_origin(kind) is typing.Annotated else kind


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
