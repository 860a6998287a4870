"""Meanings of arguments beside their types, as annotations: a row, an end of a range, a day, one of several values.

Forms choose their fields by them, schedules resolve relative times by them, and each call is checked by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from tasks_app.engine import ArgumentRule, Task
from tasks_app.geo.relative_times import relative_range, relative_words
from tasks_app.utils.iso_times import time_of

Rule = TypeVar("Rule", bound=ArgumentRule)


@dataclass(frozen=True, slots=True)
class Reference(ArgumentRule):
    """The id of a row, or a list of ids. `source` names it in `queries.references`. Whether it exists is no matter of
    the call, which may wait: it is asked when a person saves or starts it."""

    source: str


@dataclass(frozen=True, slots=True)
class OneOf(ArgumentRule):
    """One of the values that `choices` returns with their labels."""

    choices: Callable[[], Iterable[tuple[str, str | Promise]]]

    def check(self, value: Any) -> None:
        known = [name for name, _label in self.choices()]
        if value not in known:
            detail = _("“%(value)s” is none of %(known)s.")
            raise ValueError(detail % {"value": _shortened(value), "known": ", ".join(known)})


@dataclass(frozen=True, slots=True)
class RangeTime(ArgumentRule):
    """An ISO 8601 time, or a date for its midnight: one end of the range that a task is about.

    A schedule and a form also take the words of a relative range, which stand for its end of that range. Where its end says
    how many days a range may have, one that is longer is refused when a person saves or starts the call.
    """

    end: Literal["start", "end"]
    most_days: Callable[[], int] | None = None

    def check(self, value: Any) -> None:
        time_of(value, ZoneInfo("UTC"))

    def resolve(self, text: str, at: datetime, zone: ZoneInfo) -> str:
        """Return the text with relative words replaced by the time that they mean at `at`."""
        words = relative_words(text)
        if words is None:
            return text
        start, end = relative_range(words, at, zone)
        return (start if self.end == "start" else end).astimezone(zone).isoformat()


@dataclass(frozen=True, slots=True)
class LocalDay(ArgumentRule):
    """A date (2026-01-31). A schedule and a form also take "today" and "yesterday"."""

    def check(self, value: Any) -> None:
        try:
            date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(_("“%(text)s” is not a date like 2026-01-31.") % {"text": _shortened(value)}) from error

    def resolve(self, text: str, at: datetime, zone: ZoneInfo) -> str:
        """Return the text, or the date that its relative word means at `at`."""
        words = relative_words(text)
        if words not in ("today", "yesterday"):
            return text
        return relative_range(words, at, zone)[0].astimezone(zone).date().isoformat()


def rule_of(task: Task[Any, Any], name: str, kind: type[Rule]) -> Rule | None:
    """Return the rule of this kind that a parameter has, None for a parameter without."""
    return next((rule for rule in task.arguments.rules.get(name, ()) if isinstance(rule, kind)), None)


def _shortened(value: Any) -> str:
    return str(value)[:50]
