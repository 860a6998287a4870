"""When people work."""

from __future__ import annotations

from datetime import datetime

import pytest

from tasks_app.business_hours import parse_business_hours

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
