"""Relative ranges of time, "yesterday" or "this month so far": their words, and the range that they mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks_app.geo.days import day_start

MAX_COUNT = 366
_COUNTED = re.compile(r"last ([1-9][0-9]{0,2}) (hours|days)")
_MAX_CHARACTERS = 40
# The first day of a range and the day after its last. Weeks begin on Monday.
_DAYS: dict[str, Callable[[date], tuple[date, date]]] = {
    "today": lambda today: (today, today + timedelta(days=1)),
    "yesterday": lambda today: (today - timedelta(days=1), today),
    "this week": lambda today: (_monday(today), _monday(today) + timedelta(days=7)),
    "last week": lambda today: (_monday(today) - timedelta(days=7), _monday(today)),
    "this month": lambda today: (today.replace(day=1), _month_after(today)),
    "last month": lambda today: ((today.replace(day=1) - timedelta(days=1)).replace(day=1), today.replace(day=1)),
}
_SO_FAR = " so far"
# The words that forms offer; `last N hours` and `last N days` are taken for any number up to MAX_COUNT.
OFFERED = (
    "today so far",
    "yesterday",
    "last 24 hours",
    "last 7 days",
    "this week so far",
    "last week",
    "this month so far",
    "last month",
    "last 30 days",
)


def relative_words(text: str) -> str | None:
    """Return the words of a relative range as they are stored ("last week" for "Last_week"), None for another text."""
    if len(text) > _MAX_CHARACTERS:
        return None
    words = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    counted = _COUNTED.fullmatch(words)
    if counted:
        return words if int(counted[1]) <= MAX_COUNT else None
    return words if words.removesuffix(_SO_FAR) in _DAYS else None


def relative_days(words: str, today: date) -> tuple[date, date]:
    """Return the first day of a range of whole days, and the day after its last. Raises KeyError."""
    return _DAYS[words](today)


def relative_range(words: str, at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the range `[start, end)` that stored words mean at a time, in UTC. Days are those of `zone`.

    "last 24 hours" ends at `at`, as all that is "so far" does; "last 7 days" are the whole days before that of `at`.
    Raises KeyError.
    """
    today = at.astimezone(zone).date()
    if counted := _COUNTED.fullmatch(words):
        count = int(counted[1])
        if counted[2] == "hours":
            return at.astimezone(UTC) - timedelta(hours=count), at.astimezone(UTC)
        return day_start(today - timedelta(days=count), zone), day_start(today, zone)
    first, end = relative_days(words.removesuffix(_SO_FAR), today)
    if not words.endswith(_SO_FAR):
        return day_start(first, zone), day_start(end, zone)
    return day_start(first, zone), min(at.astimezone(UTC), day_start(end, zone))


def _monday(today: date) -> date:
    return today - timedelta(days=today.weekday())


def _month_after(today: date) -> date:
    return (today.replace(day=1) + timedelta(days=31)).replace(day=1)
