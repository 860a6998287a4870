"""From the address of the jobs page to the filters of the query behind it, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tasks_app.engine import JobState, registered_tasks
from tasks_app.models.jobs import STATE_LABELS
from tasks_app.queries.job_search import read_search
from tasks_app.queries.jobs import BoundedCount, InvalidSearch, JobFilters, search_of
from tasks_app.utils.search_language import quoted

TAB_STATES = (None, *JobState)
# Fields that say what a term of the search says, too.
TERM_FIELDS = ("by", "worker", "after", "before", "longer")


class JobFilterForm(forms.Form):
    """Every field may be empty; an invalid value is reported beside it and ignored."""

    state = forms.ChoiceField(required=False, widget=forms.HiddenInput)
    parent_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    search = forms.CharField(label=_("search"), required=False, widget=UnfoldAdminTextInputWidget)
    queue = forms.ChoiceField(label=_("queue"), required=False, widget=UnfoldAdminSelectWidget)
    task = forms.ChoiceField(label=_("task"), required=False, widget=UnfoldAdminSelectWidget)
    by = forms.CharField(label=_("requested by"), required=False, widget=UnfoldAdminTextInputWidget)
    worker = forms.CharField(label=_("worker"), required=False, widget=UnfoldAdminTextInputWidget)
    after = forms.CharField(label=_("from"), required=False, widget=UnfoldAdminTextInputWidget)
    before = forms.CharField(label=_("until"), required=False, widget=UnfoldAdminTextInputWidget)
    longer = forms.CharField(label=_("ran at least"), required=False, widget=UnfoldAdminTextInputWidget)

    def __init__(self, data: QueryDict, user: Any) -> None:
        super().__init__(data)
        self.user = user
        self.label_suffix = ""
        self._offer("state", [(str(state), state) for state in JobState], "")
        self._offer("queue", [(name, name) for name in settings.QUEUES], _("All queues"))
        self._offer("task", [(task.name, task.name) for task in registered_tasks()], _("All tasks"))
        examples = {
            "search": _("Words, or state:failed error:timeout"),
            "by": _("name, me, schedule"),
            "worker": _("host or host:pid"),
            "after": _("yesterday, 2h, 2026-11-28"),
            "before": _("today, 30m, 2026-11-29"),
            "longer": _("30s, 5m, 1h"),
        }
        for name, example in examples.items():
            self.fields[name].widget.attrs |= {"placeholder": example, "autocomplete": "off"}
        self.fields["search"].widget.attrs["data-key"] = "/"
        # The theme's bound of its width is an important one in a layer, which no other style can take back.
        classes = self.fields["search"].widget.attrs
        classes["class"] = classes["class"].replace("max-w-2xl", "")

    def _offer(self, name: str, choices: list[tuple[str, Any]], all_label: Any) -> None:
        field = self.fields[name]
        field.choices = [("", all_label), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Read the search and each term by itself, then all of them together."""
        values = self.cleaned_data
        for name in ("search", *TERM_FIELDS):
            if value := values.get(name):
                self._try(name, value if name == "search" else f"{name}:{quoted(value)}")
        if not self.errors:
            try:
                search_of(self.user, _filters_of(values))
            except InvalidSearch as error:
                self.add_error("search", str(error))
        return values

    def _try(self, name: str, text: str) -> None:
        try:
            read_search(text, self.user)
        except InvalidSearch as error:
            self.add_error(name, str(error))

    def filters(self) -> JobFilters:
        """The valid filters."""
        self.is_valid()
        return _filters_of(self.cleaned_data)

    def chosen(self) -> dict[str, str]:
        """The valid values that are given, by field."""
        self.is_valid()
        return {name: str(value) for name, value in self.cleaned_data.items() if value}

    @property
    def more_fields(self) -> list[forms.BoundField]:
        """Fields that stand folded under the search."""
        return [self[name] for name in ("queue", "task", *TERM_FIELDS)]

    @property
    def is_unfolded(self) -> bool:
        return any(field.errors or field.data for field in self.more_fields)


def _filters_of(values: dict[str, Any]) -> JobFilters:
    terms = [f"{name}:{quoted(values[name])}" for name in TERM_FIELDS if values.get(name)]
    parent = values.get("parent_id")
    return JobFilters(
        state=JobState(values["state"]) if values.get("state") else None,
        queue=values.get("queue") or None,
        task=values.get("task") or None,
        search=" ".join(filter(None, [values.get("search"), *terms])) or None,
        parent_id=parent if isinstance(parent, UUID) else None,
    )


@dataclass(frozen=True)
class Tab:
    label: Any
    url: str
    # Empty for the tab of all.
    count: str
    is_active: bool
    title: Any


def state_tabs(form: JobFilterForm, counts: dict[JobState, BoundedCount]) -> list[Tab]:
    """One tab per state with the number of jobs that match the other filters."""
    chosen = form.chosen()
    others = {key: value for key, value in chosen.items() if key != "state"}
    return [
        Tab(
            label=STATE_LABELS[state] if state else _("All"),
            url=f"?{urlencode({**others, **({'state': state} if state else {})})}",
            count=count_text(counts[state]) if state else "",
            is_active=chosen.get("state", "") == (state or ""),
            title=_("At least so many: not all were looked at.") if state and counts[state].is_more else "",
        )
        for state in TAB_STATES
    ]


def count_text(count: BoundedCount) -> str:
    return f"{number_format(count.number, force_grouping=True)}{'+' if count.is_more else ''}"
