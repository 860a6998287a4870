"""Due times of report schedules and the days they cover. Pure: `now` is an argument."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from tasks_app.geo.days import begins_a_day, day_start
from tasks_app.geo.relative_times import relative_days


class Period(StrEnum):
    """The period of a scheduled report: the last whole local day, ISO week or calendar month."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


_WORDS = {Period.DAILY: "yesterday", Period.WEEKLY: "last week", Period.MONTHLY: "last month"}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Every day, on a weekday (Monday is 0), or on a day of the month (its last one where it is shorter), at a local time.

    A local time in a gap is shifted by the length of the gap; of an ambiguous one the first is taken.
    """

    period: Period
    at: time
    zone: ZoneInfo
    weekday: int = 0
    month_day: int = 1


def last_due(rhythm: Rhythm, now: datetime) -> datetime:
    """Return the latest due time that is not after `now`, in UTC."""
    day = now.astimezone(rhythm.zone).date() + timedelta(days=1)
    while (due := due_on(rhythm, day)) is None or due > now:
        day -= timedelta(days=1)
    return due


def next_due(rhythm: Rhythm, now: datetime) -> datetime:
    """Return the first due time after `now`, in UTC."""
    day = now.astimezone(rhythm.zone).date() - timedelta(days=1)
    while (due := due_on(rhythm, day)) is None or due <= now:
        day += timedelta(days=1)
    return due


def due_on(rhythm: Rhythm, day: date) -> datetime | None:
    """Return the due time on this local day in UTC, None on other days."""
    if rhythm.period is Period.WEEKLY and day.weekday() != rhythm.weekday:
        return None
    if rhythm.period is Period.MONTHLY and day.day != min(rhythm.month_day, monthrange(day.year, day.month)[1]):
        return None
    return datetime.combine(day, rhythm.at.replace(fold=0), rhythm.zone).astimezone(UTC)


def due_since(rhythm: Rhythm, planned: datetime, now: datetime, *, catch_up: timedelta) -> datetime | None:
    """Return the latest due time since `planned` (included), None if it is longer ago than `catch_up`. Earlier ones
    that were missed are not made up for."""
    due = last_due(rhythm, now)
    return due if due >= planned and now - due <= catch_up else None


def covered_range(rhythm: Rhythm, due: datetime) -> tuple[datetime, datetime]:
    """Return the last whole local day, ISO week or month before the local day of `due`, as `[start, end)` in UTC."""
    first, end = covered_days(rhythm.period, due.astimezone(rhythm.zone).date())
    return day_start(first, rhythm.zone), day_start(end, rhythm.zone)


def covered_days(period: Period, today: date) -> tuple[date, date]:
    """Return the first day of the last whole period before `today`, and the day after its last."""
    return relative_days(_WORDS[period], today)


def preset_days(preset: str, today: date) -> tuple[date, date]:
    """Return the first day of a preset range ("last_week") and the day after its last. Raises KeyError."""
    return relative_days(preset.replace("_", " "), today)


def last_ended_day(now: datetime, zone: ZoneInfo) -> date:
    """Return yesterday's date in `zone`."""
    return now.astimezone(zone).date() - timedelta(days=1)


def days_before(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the range of as many local days that ends where `[start, end)` starts; of a whole calendar month the month
    before; of a range within days the same length of time before."""
    if not (begins_a_day(start, zone) and begins_a_day(end, zone)):
        return start - (end - start), start
    first, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    month_end = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    is_month = first.day == 1 and last == month_end
    before = (first - timedelta(days=1)).replace(day=1) if is_month else first - (last - first)
    return day_start(before, zone), start
