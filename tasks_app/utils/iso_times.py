"""Times as programs write them to each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from tasks_app.geo.days import day_start


class NaiveTime(ValueError):
    """A time without its distance from UTC."""


def iso_utc(at: datetime) -> str:
    """`at` as ISO-8601 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def time_of(text: str, zone: ZoneInfo) -> datetime:
    """Return the time that an ISO 8601 text names, in UTC: PostgreSQL takes no distance from it of 16 hours or more. A date
    alone is its midnight in `zone`. Raises ValueError, NaiveTime."""
    day = _date(text)
    try:
        found = datetime.fromisoformat(text) if day is None else day_start(day, zone)
        in_utc = None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(_("“%(text)s” is not an ISO 8601 time.") % {"text": text[:50]}) from error
    if in_utc is None:
        detail = _("“%(text)s” needs a time zone, for example 2026-01-31T08:00:00Z.")
        raise NaiveTime(detail % {"text": text[:50]})
    return in_utc


def cursor_time(text: str) -> datetime:
    """Return the time in a cursor, which any client may have written. Raises ValueError for what no column of ours holds."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise NaiveTime(NaiveTime.__doc__)
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("A time before the year 1 or after 9999.") from error


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None
