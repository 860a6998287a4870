"""Texts about a schedule: its name, when it runs, how the last runs ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django_q.models import Schedule

from tasks_app.admin.calls import recurrence_words
from tasks_app.admin.common import badge
from tasks_app.admin.jobs import job_url
from tasks_app.engine import JobState, UnknownTask, get_task
from tasks_app.models import ScheduleState
from tasks_app.models.jobs import STATE_LABELS
from tasks_app.queries.schedule_runs import Run
from tasks_app.services.schedules import InvalidSchedule, schedule_zone, upcoming_runs
from tasks_app.utils.clock import exact_time, exact_time_in

MARKS = {JobState.SUCCEEDED: ("✓", "success"), JobState.FAILED: ("✗", "danger"), JobState.CANCELLED: ("–", "warning")}


@dataclass(frozen=True)
class Mark:
    """One run in the strip of the last ones: a sign, and the words for it."""

    sign: str
    kind: str
    text: str
    url: str


def schedule_name(schedule: Schedule) -> str:
    """Return the text a schedule is called by."""
    return str(schedule.name or registered_name(schedule.func or ""))


def registered_name(name: str) -> str:
    """Return the short name of a task: a row written as a dotted path names the same one."""
    try:
        return get_task(name).name
    except UnknownTask:
        return name


def state_of(schedule: Schedule) -> ScheduleState | None:
    """Return the scheduler's state of the row; None before it was ever saved or run."""
    return getattr(schedule, "state", None)


def time_zone_of(schedule: Schedule) -> str:
    """Return the name of the zone that the row has, empty for the server's."""
    state = state_of(schedule)
    return state.time_zone if state else ""


def when_words(schedule: Schedule) -> str:
    """Return the recurrence in words, with the zone where it is its own."""
    return " · ".join(text for text in (recurrence_words(schedule), time_zone_of(schedule)) if text)


def enabled_badge(schedule: Schedule) -> SafeString:
    """Return the state as a label."""
    state = state_of(schedule)
    if state is None or state.is_enabled:
        return badge("success", _("Enabled"))
    return badge("danger", _("Stopped by an error")) if state.last_error else badge("", _("Disabled"))


def next_runs(schedule: Schedule) -> list[str]:
    """Return the next three due times in the schedule's zone."""
    try:
        zone = schedule_zone(time_zone_of(schedule))
    except InvalidSchedule:
        return []
    return [exact_time_in(due, zone) for due in upcoming_runs(schedule, 3)]


def marks(runs: list[Run], *, may_open: bool) -> list[Mark]:
    """Return the strip of these runs, with links for those who may see jobs."""
    found = []
    for run in runs:
        sign, kind = MARKS.get(run.state, ("?", ""))
        text = f"{STATE_LABELS[run.state]}, {exact_time(run.finished_at)}"
        found.append(
            Mark(sign, kind, f"{text}: {run.error}" if run.error else text, job_url(run.job_id) if may_open else "")
        )
    return found


def strip(runs: list[Run], *, may_open: bool) -> SafeString:
    """Return the strip as HTML."""
    context: dict[str, Any] = {"marks": marks(runs, may_open=may_open)}
    return mark_safe(render_to_string("tasks_app/admin/parts/strip.html", context))  # noqa: S308
