"""Local days, the recurrence of report schedules, and times as people write them. Reads no clock."""

from reports_app.periods.rhythms import (
    Period,
    Rhythm,
    covered_range,
    days_before,
    due_since,
    last_ended_day,
    next_due,
    preset_days,
)
from reports_app.periods.time_parsing import parse_time

__all__ = [
    "Period",
    "Rhythm",
    "covered_range",
    "days_before",
    "due_since",
    "last_ended_day",
    "next_due",
    "parse_time",
    "preset_days",
]
