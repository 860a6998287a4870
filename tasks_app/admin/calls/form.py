"""The form of a call of a task: a field for each parameter, checked as a run of it would be."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_q.models import Schedule
from unfold.widgets import UnfoldAdminSelectWidget

from tasks_app.admin.calls.catalog import deletes_data
from tasks_app.admin.calls.fields import NO_DEFAULT, is_rare, parameter_field
from tasks_app.admin.calls.labels import RANGES
from tasks_app.engine import InvalidArguments, Task
from tasks_app.geo.relative_times import OFFERED, relative_words
from tasks_app.services.arguments import LocalDay, RangeTime, call_problems, named_problem, rule_of
from tasks_app.services.schedules import format_args, format_kwargs
from tasks_app.utils.clock import zone_offset

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
# The field beside times that takes the words of a relative range. No parameter can be called so.
WORDS = "in-words"


class CallForm(forms.Form):
    """`arguments()` returns the input as (args, kwargs), with relative times as words.

    `stored` are arguments by name to begin with. The call is checked as one that runs at `at` in `zone`.
    """

    def __init__(
        self,
        task: Task[Any, Any],
        data: Any = None,
        *,
        user: Any,
        stored: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        super().__init__(data, prefix="arg")
        self.label_suffix = ""
        self.task = task
        self.at, self.zone = at or timezone.now(), zone or timezone.get_current_timezone()
        for name, parameter in task.arguments.signature.parameters.items():
            if parameter.kind not in _VARIADIC:
                self.fields[name] = parameter_field(task, parameter, user)
        self.initial = dict(stored or {})
        if deletes_data(task):
            self._begin_with_a_dry_run(is_new=stored is None)
        self._times = [name for name in self.fields if rule_of(task, name, RangeTime) or rule_of(task, name, LocalDay)]
        if self._times:
            self._add_words()

    def _begin_with_a_dry_run(self, *, is_new: bool) -> None:
        self.order_fields(["dry_run"])
        if is_new:
            self.initial["dry_run"] = True

    def _add_words(self) -> None:
        """Add the choice of a relative range in front of the times it stands for, which may be empty then."""
        is_day = rule_of(self.task, self._times[0], LocalDay) is not None
        offered = ("yesterday", "today") if is_day else OFFERED
        own = _("Another day") if is_day else _("Times of my choice")
        stored = {self.initial.get(name) for name in self._times}
        words = relative_words(str(stored.pop())) if len(stored) == 1 else None
        if words and words not in offered:
            offered = (*offered, words)
        choices = [("", own), *((one, RANGES.get(one, one)) for one in offered)]
        label = gettext_lazy("Day in words") if is_day else gettext_lazy("Time range")
        help_text = _("Each run is about the range that this means when it is due.")
        self.fields[WORDS] = forms.ChoiceField(
            label=label, required=False, choices=choices, widget=UnfoldAdminSelectWidget, help_text=help_text
        )
        self.fields[WORDS].widget.attrs["data-instead-of"] = " ".join(self.add_prefix(name) for name in self._times)
        self.initial[WORDS] = words or ""
        for name in self._times:
            self.fields[name].help_text = _("Your time zone, %(zone)s.") % {"zone": zone_offset()}
            if words:
                self.initial[name] = ""
        if self.is_bound and self.data.get(self.add_prefix(WORDS)):
            for name in self._times:
                self.fields[name].required = False
        names = [name for name in self.fields if name != WORDS]
        names.insert(names.index(self._times[0]), WORDS)
        self.order_fields(names)

    @property
    def common_fields(self) -> list[forms.BoundField]:
        """Return the fields that a call usually needs."""
        return [self[name] for name, field in self.fields.items() if not is_rare(name, field)]

    @property
    def rare_fields(self) -> list[forms.BoundField]:
        """Return the fields that are folded away."""
        return [self[name] for name, field in self.fields.items() if is_rare(name, field)]

    @property
    def rare_is_open(self) -> bool:
        """Return whether a folded field has something to show."""
        return any(field.errors or field.value() not in (None, "", []) for field in self.rare_fields)

    def clean(self) -> dict[str, Any]:
        if words := self.cleaned_data.pop(WORDS, None):
            for name in self._times:
                self.cleaned_data[name] = words
                self.errors.pop(name, None)
        if not self.errors:
            args, kwargs = self.arguments()
            self._add(call_problems(self.task, args, kwargs, at=self.at, zone=self.zone))
        return self.cleaned_data

    def write(self, schedule: Schedule) -> None:
        """Write the call into the row."""
        args, kwargs = self.arguments()
        schedule.args, schedule.kwargs = format_args(args), format_kwargs(kwargs)

    def show_refusal(self, name: str, text: str) -> None:
        """Show why the row was refused for its `args` or `kwargs`."""
        self.add_refusal(InvalidArguments(text))

    def add_refusal(self, error: Exception) -> None:
        """Show why the engine refused, at the field it names where it names one."""
        self._add(named_problem(self.task, error))

    def _add(self, problems: Mapping[str, str]) -> None:
        for name, sentence in problems.items():
            self.add_error(name if name in self.fields else None, sentence)

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the call as it was filled in; an empty optional field leaves its parameter to the default."""
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
