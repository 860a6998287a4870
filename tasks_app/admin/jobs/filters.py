"""From the address of the jobs page to the filters of the query behind it, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tasks_app.engine import FINAL_STATES, JobState, registered_tasks
from tasks_app.models.jobs import STATE_LABELS
from tasks_app.queries.jobs import JobFilters, QueueStats

TAB_STATES = (None, *JobState)
HOURS_COUNTED = 24


class JobFilterForm(forms.Form):
    """Every field may be empty; an invalid value is reported and ignored."""

    state = forms.ChoiceField(required=False, widget=forms.HiddenInput)
    parent_id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    queue = forms.ChoiceField(label=_("queue"), required=False, widget=UnfoldAdminSelectWidget)
    task = forms.ChoiceField(label=_("task"), required=False, widget=UnfoldAdminSelectWidget)
    search = forms.CharField(label=_("search"), required=False, widget=UnfoldAdminTextInputWidget)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self.label_suffix = ""
        self._offer("state", [(str(state), state) for state in JobState], "")
        self._offer("queue", [(name, name) for name in settings.QUEUES], _("All queues"))
        self._offer("task", [(task.name, task.name) for task in registered_tasks()], _("All tasks"))
        self.fields["search"].widget.attrs["placeholder"] = _("Job id, task, arguments or error")

    def _offer(self, name: str, choices: list[tuple[str, Any]], all_label: Any) -> None:
        field = self.fields[name]
        field.choices = [("", all_label), *choices]  # type: ignore[attr-defined]

    def filters(self) -> JobFilters:
        """The valid filters."""
        chosen = self.chosen()
        return JobFilters(
            state=JobState(chosen["state"]) if "state" in chosen else None,
            queue=chosen.get("queue"),
            task=chosen.get("task"),
            search=chosen.get("search"),
            parent_id=UUID(chosen["parent_id"]) if "parent_id" in chosen else None,
        )

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


@dataclass(frozen=True)
class Tab:
    label: Any
    url: str
    count: int | None
    is_active: bool
    title: Any


def state_tabs(form: JobFilterForm, queues: list[QueueStats], finished: dict[str, int]) -> list[Tab]:
    """One tab per state with its count: live states now, final states over the last 24 hours."""
    chosen = form.chosen()
    counts = _counts(queues, finished)
    tabs = []
    for state in TAB_STATES:
        query = {
            **{key: value for key, value in chosen.items() if key != "state"},
            **({"state": state} if state else {}),
        }
        tabs.append(
            Tab(
                label=STATE_LABELS[state] if state else _("All"),
                url=f"?{urlencode(query)}",
                count=counts.get(state) if state else None,
                is_active=chosen.get("state", "") == (state or ""),
                title=_("in the last 24 hours") if state in FINAL_STATES else "",
            )
        )
    return tabs


def _counts(queues: list[QueueStats], finished: dict[str, int]) -> dict[str, int]:
    return {
        JobState.SCHEDULED: sum(queue.scheduled for queue in queues),
        JobState.QUEUED: sum(queue.depth for queue in queues),
        JobState.RUNNING: sum(queue.running + queue.groups for queue in queues),
        JobState.RETRYING: sum(queue.retrying for queue in queues),
        **{state: finished.get(state, 0) for state in FINAL_STATES},
    }
