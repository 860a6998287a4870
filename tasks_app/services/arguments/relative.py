"""Relative times in the arguments of a call: stored as words, replaced by times when the call becomes a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tasks_app.engine import Task
from tasks_app.services.arguments.rules import LocalDay, RangeTime


def resolve_times(
    task: Task[Any, Any], args: Sequence[Any], kwargs: dict[str, Any], *, at: datetime, zone: ZoneInfo
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments with each relative time replaced by the one that it means at `at` in `zone`.

    Anything else stays as it is, also what the check of the call will refuse.
    """
    names = task.parameter_names
    by_position = [
        _resolved(task, names[number] if number < len(names) else "", value, at, zone)
        for number, value in enumerate(args)
    ]
    return by_position, {name: _resolved(task, name, value, at, zone) for name, value in kwargs.items()}


def _resolved(task: Task[Any, Any], name: str, value: Any, at: datetime, zone: ZoneInfo) -> Any:
    if isinstance(value, str):
        for rule in task.arguments.rules.get(name, ()):
            if isinstance(rule, RangeTime | LocalDay):
                return rule.resolve(value, at, zone)
    return value
