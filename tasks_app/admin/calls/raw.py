"""The arguments of a schedule as the text that its row has: for those who write JSON, and for calls without a form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django_q.models import Schedule
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from tasks_app.services.schedules import InvalidSchedule, parse_args, parse_kwargs

_MAX_CHARACTERS = 65_536


class RawCallForm(forms.Form):
    """With `is_used` its texts take the place of the typed fields."""

    is_used = forms.BooleanField(
        label=_("Write the arguments as JSON"), required=False, widget=UnfoldBooleanSwitchWidget,
        help_text=_("Instead of the fields above."),
    )  # fmt: skip
    args = forms.CharField(
        label=_("Positional arguments"), required=False, max_length=_MAX_CHARACTERS,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
        help_text=_('Separated by commas: 7, "route"'),
    )  # fmt: skip
    kwargs = forms.CharField(
        label=_("Keyword arguments"), required=False, max_length=_MAX_CHARACTERS,
        widget=UnfoldAdminTextareaWidget({"rows": 4, "spellcheck": "false"}),
        help_text=_('{"days_to_keep": 30} or days_to_keep=30'),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, schedule: Schedule, is_used: bool) -> None:
        super().__init__(data, prefix="raw")
        self.label_suffix = ""
        self.initial = {"is_used": is_used, "args": schedule.args, "kwargs": schedule.kwargs}

    def clean_args(self) -> str:
        return self._readable("args", parse_args)

    def clean_kwargs(self) -> str:
        return self._readable("kwargs", parse_kwargs)

    def _readable(self, name: str, parse: Any) -> str:
        try:
            parse(self.cleaned_data[name])
        except InvalidSchedule as error:
            raise forms.ValidationError(str(error)) from error
        return str(self.cleaned_data[name])

    def write(self, schedule: Schedule) -> None:
        """Write the texts into the row."""
        schedule.args, schedule.kwargs = self.cleaned_data["args"], self.cleaned_data["kwargs"]

    def show_refusal(self, name: str, text: str) -> None:
        """Show why the row was refused for its `args` or `kwargs`."""
        self.add_error(name, text)
