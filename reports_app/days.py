"""Local days of reports; the days themselves are in `tasks_app.geo.days`."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tasks_app.geo.days import DayPart, day_parts, day_range, day_start

__all__ = ["DayPart", "day_parts", "day_range", "day_start", "last_ended_day"]


def last_ended_day(now: datetime, zone: ZoneInfo) -> date:
    """Yesterday, as the clocks of `zone` see it."""
    return now.astimezone(zone).date() - timedelta(days=1)
