"""Answers to the scripts of the forms: suggestions for a picker, and what is wrong with the input so far."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, JsonResponse
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.admin.calls.recurrence import RecurrenceForm, recurrence_words
from tasks_app.services.schedules import planned_runs
from tasks_app.utils.clock import exact_time_in
from tasks_app.web.pickers import suggestions


def pick_reply(request: HttpRequest, kind: str) -> JsonResponse:
    """Return the rows that the user may see and that fit what was typed."""
    try:
        return JsonResponse({"results": suggestions(kind, request.user, request.GET.get("q", ""))})
    except KeyError as error:
        raise Http404 from error


def preview_of(recurrence: RecurrenceForm) -> str:
    """Return the recurrence of valid input in words, with its next three runs; nothing for any other input."""
    if not recurrence.is_valid():
        return ""
    schedule = Schedule()
    recurrence.apply(schedule)
    name = recurrence.cleaned_data["time_zone"]
    runs = planned_runs(schedule, time_zone=name, now=timezone.now(), count=3)
    return " · ".join((recurrence_words(schedule), *(exact_time_in(due, recurrence.zone) for due in runs)))


def form_errors(*bound: forms.BaseForm) -> dict[str, Any]:
    """Return the sentences of bound forms by the names of their inputs, and those of whole forms under ""."""
    errors: dict[str, list[str]] = {}
    for form in bound:
        for name, texts in form.errors.items():
            key = form.add_prefix(name) if name in form.fields else ""
            errors.setdefault(key, []).extend(map(str, texts))
    return errors
