"""The forms of one schedule's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django_q.models import Schedule

from tasks_app.admin.calls import (
    CallForm,
    ChangedMeanwhile,
    RawCallForm,
    RecurrenceForm,
    store_from_forms,
    version_of_schedule,
)
from tasks_app.admin.schedules.rows import time_zone_of
from tasks_app.engine import InvalidArguments, Task
from tasks_app.services.schedules import InvalidSchedule, parse_args, parse_kwargs
from tasks_app.web.versions import VERSION


class SchedulePage:
    """Typed fields for the arguments of the row, its text for those who write JSON, and its recurrence.

    `version` is that of the row from which they were made.
    """

    def __init__(self, request: HttpRequest, task: Task[Any, Any], schedule: Schedule) -> None:
        data = request.POST if request.method == "POST" else None
        self.schedule, self.user = schedule, request.user
        self.version = version_of_schedule(schedule) if data is None else data.get(VERSION, "")
        stored = _stored(task, schedule)
        self.recurrence = RecurrenceForm(data, schedule=schedule, time_zone=time_zone_of(schedule))
        self.raw = RawCallForm(data, schedule=schedule, is_used=stored is None)
        zone = self.recurrence.zone if data is not None and self.recurrence.is_valid() else None
        self.is_raw = bool(data.get("raw-is_used")) if data is not None else stored is None
        self.call = CallForm(task, None if self.is_raw else data, user=request.user, stored=stored or {}, zone=zone)

    @property
    def bound(self) -> tuple[forms.Form, ...]:
        """Return the forms that count."""
        return (self.raw if self.is_raw else self.call, self.recurrence)

    def save(self) -> bool:
        """Save valid input; return whether that was done. A refusal stands beside its field."""
        if sum(form.is_valid() for form in self.bound) < len(self.bound):
            return False
        call = self.raw if self.is_raw else self.call
        try:
            store_from_forms(self.schedule, call, self.recurrence, user=self.user, seen=self.version)
        except ChangedMeanwhile as error:
            # What another person entered was named once.
            self.version = error.version
            return False
        except ValidationError:
            return False
        return True


def _stored(task: Task[Any, Any], schedule: Schedule) -> dict[str, Any] | None:
    """Return the arguments of the row by name, None for those that typed fields cannot show."""
    try:
        named = task.arguments.by_name(parse_args(schedule.args), parse_kwargs(schedule.kwargs))
    except (InvalidArguments, InvalidSchedule):
        return None
    return named if set(named) <= set(task.parameter_names) and not schedule.intended_date_kwarg else None
