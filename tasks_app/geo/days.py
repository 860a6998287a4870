"""Local days: where they begin, and which of them lie in a range."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

DayPart = tuple[date, datetime, datetime]


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of `day` in `zone`, in UTC; where a clock change skips midnight, the moment of the change."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def day_range(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The day as `[start, end)` in UTC: 23 or 25 hours long when the clocks change."""
    return day_start(day, zone), day_start(day + timedelta(days=1), zone)


def begins_a_day(at: datetime, zone: ZoneInfo) -> bool:
    """Whether `at` is the first moment of a day in `zone`, which the clocks may show as 01:00."""
    return at == day_start(at.astimezone(zone).date(), zone)


def a_day_later(at: datetime, zone: ZoneInfo) -> datetime:
    """The end of the day that begins at `at`; else the time when the clocks of `zone` show the same a day later."""
    local = at.astimezone(zone)
    if begins_a_day(at, zone):
        return day_range(local.date(), zone)[1]
    return (local + timedelta(days=1)).astimezone(UTC)


def day_parts(start: datetime, end: datetime, zone: ZoneInfo) -> list[DayPart]:
    """(local date, part start, part end) of every local day that `[start, end)` touches; the first and last may be cut."""
    first = start.astimezone(zone).date()
    last = (end.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    edges = [start.astimezone(UTC), *(day_start(day, zone) for day in days[1:]), end.astimezone(UTC)]
    return [(day, *edge) for day, edge in zip(days, pairwise(edges), strict=True)]


def is_whole_day(part: DayPart, zone: ZoneInfo, now: datetime) -> bool:
    """Does a part hold all of its local day, or all of it so far?"""
    day, start, end = part
    whole_start, whole_end = day_range(day, zone)
    return start == whole_start and (end == whole_end or now <= end < whole_end)
