"""The one check of a call that a person saves, schedules or starts: types, bounds, times, and rows that exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from tasks_app.engine import InvalidArguments, Task
from tasks_app.queries.references import missing_rows
from tasks_app.services.arguments.relative import resolve_times
from tasks_app.services.arguments.rules import RangeTime, Reference, rule_of
from tasks_app.services.arguments.sentences import reason_text
from tasks_app.utils.iso_times import time_of

# The problem of the call as a whole.
WHOLE = ""

# Gets the arguments of a call by name; returns a sentence for each that is wrong.
CallCheck = Callable[[Mapping[str, Any]], dict[str, str]]
_checks: dict[str, CallCheck] = {}


def call_problems(
    task: Task[Any, Any], args: Sequence[Any], kwargs: dict[str, Any], *, at: datetime, zone: ZoneInfo
) -> dict[str, str]:
    """Return a sentence for each argument that would make a run at `at` fail, under WHOLE for the call as a whole."""
    args, kwargs = resolve_times(task, args, kwargs, at=at, zone=zone)
    try:
        task.arguments.check(args, kwargs)
    except InvalidArguments as error:
        return named_problem(task, error)
    named = task.arguments.by_name(args, kwargs)
    return {**_missing(task, named), **_disorder(task, named, zone)} or _further(task, named)


def check_calls_by(task_name: str, check: CallCheck) -> None:
    """Have calls of a task checked by this function too, where nothing else is wrong with them."""
    _checks[task_name] = check


def _further(task: Task[Any, Any], named: dict[str, Any]) -> dict[str, str]:
    check = _checks.get(task.name)
    return check(named) if check else {}


def named_problem(task: Task[Any, Any], error: Exception) -> dict[str, str]:
    """Return the reason of a refusal under the argument that it names, under WHOLE where it names none."""
    name, separator, reason = str(error).partition(": ")
    if separator and name in task.parameter_names:
        return {name: reason_text(reason)}
    return {WHOLE: reason_text(str(error))}


def _missing(task: Task[Any, Any], named: dict[str, Any]) -> dict[str, str]:
    """Return the arguments that name a row which does not exist."""
    problems = {}
    for name, value in named.items():
        rule = rule_of(task, name, Reference)
        if rule is None or value is None:
            continue
        missing = missing_rows(rule.source, value if isinstance(value, list) else [value])
        if missing:
            problems[name] = _("There is no such row: %(ids)s.") % {"ids": ", ".join(map(str, missing[:10]))}
    return problems


def _disorder(task: Task[Any, Any], named: dict[str, Any], zone: ZoneInfo) -> dict[str, str]:
    """Return the end of a range that is not after its start, or too long after it."""
    ends = {
        rule.end: (name, rule)
        for name, value in named.items()
        if value is not None and (rule := rule_of(task, name, RangeTime))
    }
    if set(ends) != {"start", "end"}:
        return {}
    start, end = (time_of(named[ends[which][0]], zone) for which in ("start", "end"))
    name, rule = ends["end"]
    if end <= start:
        return {name: _("The end must be after the start.")}
    if rule.most_days and end - start > timedelta(days=rule.most_days(), hours=1):  # days on which the clocks change
        return {name: _("The range has at most %(days)s days.") % {"days": rule.most_days()}}
    return {}
