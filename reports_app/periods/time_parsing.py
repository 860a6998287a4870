"""Parsing of times from forms, the shell and task arguments."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from reports_app.exceptions import InvalidReport
from tasks_app.utils.iso_times import NaiveTime, time_of


def parse_time(text: str, zone: ZoneInfo, *, field: str) -> datetime:
    """Return an aware datetime from ISO 8601. A date alone is its midnight in `zone`.

    Raises InvalidReport (invalid_time, naive_time).
    """
    try:
        return time_of(text, zone)
    except NaiveTime as error:
        raise InvalidReport("naive_time", str(error), field=field) from error
    except ValueError as error:
        raise InvalidReport("invalid_time", str(error), field=field) from error
