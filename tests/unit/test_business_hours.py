"""When people work."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tasks_app.utils.business_hours import parse_business_hours

MONDAY, FRIDAY, SATURDAY, SUNDAY = 2, 6, 7, 8


@pytest.mark.parametrize(
    ("text", "day", "hour", "expected"),
    [
        ("07:00-19:00", MONDAY, 7, True),
        ("07:00-19:00", MONDAY, 6, False),
        ("07:00-19:00", FRIDAY, 18, True),
        ("07:00-19:00", FRIDAY, 19, False),
        ("07:00-19:00", SATURDAY, 12, False),
        ("22:00-06:00", FRIDAY, 23, True),
        ("22:00-06:00", SATURDAY, 5, True),
        ("22:00-06:00", SATURDAY, 23, False),
        ("22:00-06:00", SUNDAY, 5, False),
        ("22:00-06:00", MONDAY, 5, False),
        ("22:00-06:00", MONDAY, 12, False),
    ],
)
def test_it_knows_when_people_work(text, day, hour, expected):
    assert parse_business_hours(text).contain(datetime(2026, 3, day, hour)) is expected


def test_no_text_means_no_business_hours():
    assert parse_business_hours("") is None


@pytest.mark.parametrize("text", ["7-19", "07:00", "24:00-07:00", "07:00-07:00", "07:60-19:00", "07:00-19:00 ", "a"])
def test_it_refuses_what_is_no_range_of_hours(text):
    with pytest.raises(ValueError, match="07:00-19:00"):
        parse_business_hours(text)


@pytest.mark.parametrize(
    ("local", "hours"),
    [
        ("2026-03-10 06:30", 0.5),  # a Tuesday
        ("2026-03-10 07:00", 24),
        ("2026-03-13 12:00", 67),  # Friday: Monday comes next
        ("2026-03-27 12:00", 66),  # the clocks go forward on Sunday
        ("2026-10-24 12:00", 44),  # and back
    ],
)
def test_it_says_how_long_it_is_until_they_begin(local, hours):
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert parse_business_hours("07:00-19:00").seconds_until(now) == hours * 3600
