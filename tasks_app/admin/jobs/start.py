"""The form of a task, built from its signature: a field per parameter, checked by the task's own rules."""

from __future__ import annotations

import inspect
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminNullBooleanSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from tasks_app.admin.common import format_seconds
from tasks_app.admin.fields import StrictJSONField
from tasks_app.engine import InvalidArguments, Task

MAX_COUNTDOWN_SECONDS = 30 * 24 * 3600
NO_DEFAULT = inspect.Parameter.empty
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True)
class TaskFacts:
    """A task as the pages show it. Never the Task itself: a template would call it, and so run it."""

    name: str
    queue: str
    summary: str
    limit: str


def task_facts(task: Task[Any, Any]) -> TaskFacts:
    summary = gettext(task.summary) if task.summary else ""
    return TaskFacts(task.name, task.queue, summary, format_seconds(task.timeout_seconds))


class StartTaskForm(forms.Form):
    """`arguments()` returns the input as (args, kwargs), already accepted by the task's ArgumentChecker."""

    def __init__(self, task: Task[Any, Any], data: Any = None) -> None:
        super().__init__(data, prefix="arg")
        self.label_suffix = ""
        self.task = task
        hints = typing.get_type_hints(task.function)
        for name, parameter in task.arguments.signature.parameters.items():
            if parameter.kind not in _VARIADIC:
                self.fields[name] = parameter_field(parameter, hints.get(name, Any))

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                self.task.arguments.check(*self.arguments())
            except InvalidArguments as error:
                self.add_refusal(error)
        return self.cleaned_data

    def add_refusal(self, error: Exception) -> None:
        """Show why the engine refused, at the field it names where it names one."""
        name, separator, reason = str(error).partition(": ")
        if separator and name in self.fields:
            self.add_error(name, reason)
        else:
            self.add_error(None, str(error))

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The call as it was filled in; an empty optional field leaves its parameter to the default."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name, parameter in self.task.arguments.signature.parameters.items():
            if parameter.kind in _VARIADIC or self._is_left_out(name, parameter):
                continue
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                args.append(self.cleaned_data[name])
            else:
                kwargs[name] = self.cleaned_data[name]
        return args, kwargs

    def _is_left_out(self, name: str, parameter: inspect.Parameter) -> bool:
        value = self.cleaned_data.get(name)
        return parameter.default is not NO_DEFAULT and (value is None or value == "")


class StartOptionsForm(forms.Form):
    """When the job starts."""

    countdown_seconds = forms.IntegerField(
        label=_("Start in (seconds)"),
        required=False,
        min_value=0,
        max_value=MAX_COUNTDOWN_SECONDS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Empty: at once."),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="option")
        self.label_suffix = ""


def parameter_field(parameter: inspect.Parameter, hint: Any) -> forms.Field:
    """The form field of one parameter; types no simple field covers are written as JSON."""
    kinds = _without_none(hint)
    options: dict[str, Any] = {
        "label": parameter.name,
        "required": parameter.default is NO_DEFAULT and len(kinds) == len(_members(hint)),
        "initial": None if parameter.default is NO_DEFAULT else parameter.default,
    }
    return _field_of_kind(
        kinds[0] if len(kinds) == 1 else Any, nullable=len(kinds) < len(_members(hint)), options=options
    )


def _field_of_kind(kind: Any, *, nullable: bool, options: dict[str, Any]) -> forms.Field:
    if kind is bool and nullable:
        return forms.NullBooleanField(widget=UnfoldAdminNullBooleanSelectWidget, **options)
    if kind is bool:
        return forms.BooleanField(widget=UnfoldBooleanSwitchWidget, **{**options, "required": False})
    if kind is int:
        return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget, **options)
    if kind is float:
        return forms.FloatField(widget=UnfoldAdminTextInputWidget, **options)
    if kind is str:
        return forms.CharField(widget=UnfoldAdminTextInputWidget, strip=False, **options)
    if typing.get_origin(kind) is Literal and all(isinstance(value, str) for value in typing.get_args(kind)):
        choices = [(value, value) for value in typing.get_args(kind)]
        if not options["required"] and options["initial"] is None:
            choices.insert(0, ("", "–"))
        return forms.ChoiceField(widget=UnfoldAdminSelectWidget, choices=choices, **options)
    return StrictJSONField(help_text=_("JSON"), **options)


def _members(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _without_none(hint: Any) -> tuple[Any, ...]:
    return tuple(kind for kind in _members(hint) if kind is not type(None))
