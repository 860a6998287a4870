"""Parsing of times from forms, the shell and task arguments."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from reports_app.exceptions import InvalidReport
from tasks_app.geo.days import day_start


def parse_time(text: str, zone: ZoneInfo, *, field: str) -> datetime:
    """Return an aware datetime from ISO 8601. A date alone is its midnight in `zone`.

    Raises InvalidReport (invalid_time, naive_time).
    """
    day = _date(text)
    try:
        timestamp = datetime.fromisoformat(text) if day is None else day_start(day, zone)
    except (ValueError, OverflowError) as error:
        detail = _("“%(text)s” is not an ISO 8601 time.") % {"text": text[:50]}
        raise InvalidReport("invalid_time", detail, field=field) from error
    if timestamp.tzinfo is None:
        detail = _("“%(text)s” needs a time zone, for example 2026-01-31T08:00:00Z.") % {"text": text}
        raise InvalidReport("naive_time", detail, field=field)
    return timestamp


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None
