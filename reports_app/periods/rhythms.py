"""When a scheduled report is due, and which days it covers. Pure: no clock but the one it is given."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from tasks_app.geo.days import day_start


class Period(StrEnum):
    """What a scheduled report covers: the last whole local day, ISO week, or calendar month."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Every day, on a weekday (Monday is 0), or on a day of the month (its last one where it is shorter), at a local time.

    A local time that the clocks skip is due as much later as they skip; one that comes twice is due the first time.
    """

    period: Period
    at: time
    zone: ZoneInfo
    weekday: int = 0
    month_day: int = 1


def last_due(rhythm: Rhythm, now: datetime) -> datetime:
    """The latest due time that is not after `now`, in UTC."""
    day = now.astimezone(rhythm.zone).date() + timedelta(days=1)
    while (due := due_on(rhythm, day)) is None or due > now:
        day -= timedelta(days=1)
    return due


def next_due(rhythm: Rhythm, now: datetime) -> datetime:
    """The first due time after `now`, in UTC."""
    day = now.astimezone(rhythm.zone).date() - timedelta(days=1)
    while (due := due_on(rhythm, day)) is None or due <= now:
        day += timedelta(days=1)
    return due


def due_on(rhythm: Rhythm, day: date) -> datetime | None:
    """When it is due on this local day, in UTC; None on a day that is none of its own."""
    if rhythm.period is Period.WEEKLY and day.weekday() != rhythm.weekday:
        return None
    if rhythm.period is Period.MONTHLY and day.day != min(rhythm.month_day, monthrange(day.year, day.month)[1]):
        return None
    return datetime.combine(day, rhythm.at.replace(fold=0), rhythm.zone).astimezone(UTC)


def due_since(rhythm: Rhythm, planned: datetime, now: datetime, *, catch_up: timedelta) -> datetime | None:
    """The one due time to run now, of those since `planned` (included): the latest. Earlier ones that were missed are
    not made up for, nor is one that is longer ago than `catch_up`."""
    due = last_due(rhythm, now)
    return due if due >= planned and now - due <= catch_up else None


def covered_range(rhythm: Rhythm, due: datetime) -> tuple[datetime, datetime]:
    """The last whole local day, ISO week or month before the local day of `due`, as `[start, end)` in UTC."""
    first, end = covered_days(rhythm.period, due.astimezone(rhythm.zone).date())
    return day_start(first, rhythm.zone), day_start(end, rhythm.zone)


def covered_days(period: Period, today: date) -> tuple[date, date]:
    """The first day of the last whole period before `today`, and the day after its last."""
    if period is Period.DAILY:
        return today - timedelta(days=1), today
    if period is Period.WEEKLY:
        monday = today - timedelta(days=today.weekday())
        return monday - timedelta(days=7), monday
    first = today.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), first


def preset_days(preset: str, today: date) -> tuple[date, date]:
    """The first day of such a span and the day after its last. Weeks begin on Monday. Raises KeyError."""
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    return {
        "today": (today, today + timedelta(days=1)),
        "yesterday": covered_days(Period.DAILY, today),
        "this_week": (monday, monday + timedelta(days=7)),
        "last_week": covered_days(Period.WEEKLY, today),
        "this_month": (first, (first + timedelta(days=31)).replace(day=1)),
        "last_month": covered_days(Period.MONTHLY, today),
    }[preset]


def last_ended_day(now: datetime, zone: ZoneInfo) -> date:
    """Return yesterday's date in `zone`."""
    return now.astimezone(zone).date() - timedelta(days=1)
