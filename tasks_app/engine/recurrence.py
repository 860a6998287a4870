"""The next run of a schedule: the types of django_q's Schedule in a time zone, never stepping through the past. Pure."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import croniter
from django.utils.translation import gettext as _

ONCE = "O"
CRON = "C"
MINUTES = "I"
# Wall-clock types as (days, months) of one step; the others are elapsed time.
_STEPS = {
    "D": (1, 0),
    "W": (7, 0),
    "BW": (14, 0),
    "M": (0, 1),
    "BM": (0, 2),
    "Q": (0, 3),
    "Y": (0, 12),
}
_ELAPSED = {MINUTES, "H"}
KINDS = frozenset({ONCE, CRON, *_STEPS, *_ELAPSED})

# The longest gap of a real cron expression: 29 February on a given day of the week, over a skipped leap year.
_MAX_CRON_GAP_YEARS = 41
_MAX_CRON_CHARACTERS = 100
# croniter's random (R) and hashed (H) fields: a schedule whose next run is another one each time it is asked for.
_UNSTABLE_FIELD = re.compile(r"(^|[\s,])[RH]([\s(/,]|$)", re.IGNORECASE)


class InvalidRecurrence(ValueError):
    """This recurrence has no next run: unknown kind, missing or impossible values."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The recurrence of a schedule, by the type codes of django_q.

    `anchor` (aware) is a due time of the series: elapsed kinds (minutes, hourly) and calendar kinds (daily to yearly)
    count from it, so that 31 January, 28 February, 31 March are one monthly series. `minutes` belongs to the minutes
    kind, `cron` (five fields, or six with seconds last) to cron.
    """

    kind: str
    anchor: datetime
    minutes: int | None = None
    cron: str | None = None


def pointless_values(kind: str, *, minutes: int | None, cron: str | None, repeats: int) -> dict[str, str]:
    """Return a sentence for each value that a schedule of this kind would keep and never heed, by its name."""
    problems = {}
    if minutes is not None and kind != MINUTES:
        problems["minutes"] = _("Only a schedule that runs every so many minutes takes this.")
    if cron and kind != CRON:
        problems["cron"] = _("Only a schedule by a cron expression takes this.")
    if repeats == 0:
        problems["repeats"] = _("With 0 runs left it never runs: say how many, or -1 for without end.")
    return problems


def next_run(recurrence: Recurrence, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first due time later than `after` (aware), in UTC.

    Calendar kinds and cron keep the local time of `zone` through clock changes: a time that the clock skips runs
    right after the gap, a time that it repeats runs once (a cron whose hour is a wildcard runs in both). Costs the
    same however long ago the anchor is. Raises InvalidRecurrence, also for the once kind, which has no next run.
    """
    if recurrence.anchor.tzinfo is None or after.tzinfo is None:
        raise InvalidRecurrence("Times must carry a time zone.")
    try:
        if recurrence.kind == CRON:
            return _next_cron(recurrence.cron, after, zone)
        if recurrence.kind in _ELAPSED:
            return _next_elapsed(recurrence, after)
        if recurrence.kind in _STEPS:
            return _next_calendar(recurrence, after, zone)
    except OverflowError as error:
        raise InvalidRecurrence("The next run is beyond the calendar.") from error
    raise InvalidRecurrence(f"A schedule of type {recurrence.kind!r} has no next run.")


def validate_cron(expression: str | None) -> None:
    """Raise InvalidRecurrence unless this is a cron expression of five or six fields (or an @alias) that ever comes."""
    _next_cron(expression, datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))


def _next_elapsed(recurrence: Recurrence, after: datetime) -> datetime:
    step = timedelta(hours=1)
    if recurrence.kind == MINUTES:
        # django-q2 reads an empty number of minutes as one.
        step = timedelta(minutes=1 if recurrence.minutes is None else recurrence.minutes)
    if step <= timedelta(0):
        raise InvalidRecurrence("The number of minutes must be at least 1.")
    anchor = recurrence.anchor.astimezone(UTC)
    steps = max((after - anchor) // step + 1, 0)
    return anchor + steps * step


def _next_calendar(recurrence: Recurrence, after: datetime, zone: ZoneInfo) -> datetime:
    days, months = _STEPS[recurrence.kind]
    anchor = recurrence.anchor.astimezone(zone).replace(tzinfo=None)
    today = after.astimezone(zone).replace(tzinfo=None)
    if months:
        elapsed = (today.year - anchor.year) * 12 + today.month - anchor.month
        steps = elapsed // months
    else:
        steps = (today.date() - anchor.date()).days // days
    # One step back, because a clock change moves a due time within its day; at most three are tried.
    steps = max(steps - 1, 0)
    while True:
        wall = _add_months(anchor, steps * months) if months else anchor + timedelta(days=steps * days)
        due = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if due > after:
            return due
        steps += 1


def _add_months(local_time: datetime, months: int) -> datetime:
    """Return the same day and time `months` later, or the last day of a month that has no such day."""
    year, month0 = divmod(local_time.year * 12 + local_time.month - 1 + months, 12)
    if year > datetime.max.year:
        raise OverflowError(year)
    last_day = calendar.monthrange(year, month0 + 1)[1]
    return local_time.replace(year=year, month=month0 + 1, day=min(local_time.day, last_day))


def _next_cron(expression: str | None, after: datetime, zone: ZoneInfo) -> datetime:
    fields = _cron_fields(expression)
    try:
        series = croniter(" ".join(fields), after.astimezone(zone), max_years_between_matches=_MAX_CRON_GAP_YEARS)
        due = series.get_next(datetime)
        while not _runs_each_hour(fields) and _is_second_pass(due):
            due = series.get_next(datetime)
    except ValueError as error:
        raise InvalidRecurrence(f"Not a cron expression that ever comes: {error}") from error
    return due.astimezone(UTC)


def _runs_each_hour(fields: list[str]) -> bool:
    """Return whether the hour is a wildcard. Of the aliases it is in @hourly alone."""
    return fields[0].lower() == "@hourly" if len(fields) == 1 else "*" in fields[1]


def _cron_fields(expression: str | None) -> list[str]:
    text = (expression or "").strip()
    if len(text) > _MAX_CRON_CHARACTERS:
        raise InvalidRecurrence(f"A cron expression has at most {_MAX_CRON_CHARACTERS} characters.")
    if _UNSTABLE_FIELD.search(text):
        raise InvalidRecurrence("Random (R) and hashed (H) cron fields are not supported.")
    fields = text.split()
    if len(fields) not in (5, 6) and not text.startswith("@"):
        raise InvalidRecurrence("A cron expression has five fields, or six with the seconds last.")
    return fields


def _is_second_pass(local_time: datetime) -> bool:
    """Return whether the clock shows this time for the second time, having been turned back."""
    return local_time.fold == 1 and local_time.utcoffset() != local_time.replace(fold=0).utcoffset()
