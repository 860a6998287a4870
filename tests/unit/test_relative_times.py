"""Relative ranges: what the words mean at a time, also on the days on which the clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tasks_app.geo.relative_times import OFFERED, relative_range, relative_words

SAO_PAULO, BERLIN, UTC = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("words", "at", "zone", "expected"),
    [
        ("yesterday", "2026-11-29T12:00Z", UTC, "2026-11-28T00:00Z 2026-11-29T00:00Z"),
        # Already the 30th in UTC, still the 29th in São Paulo.
        ("yesterday", "2026-11-30T01:00Z", SAO_PAULO, "2026-11-28T03:00Z 2026-11-29T03:00Z"),
        ("yesterday", "2026-03-01T03:00Z", SAO_PAULO, "2026-02-28T03:00Z 2026-03-01T03:00Z"),
        # The day on which the clocks went forward has 23 hours, the day on which they went back 25.
        ("yesterday", "2026-03-30T00:30+02:00", BERLIN, "2026-03-28T23:00Z 2026-03-29T22:00Z"),
        ("yesterday", "2026-10-26T00:30+01:00", BERLIN, "2026-10-24T22:00Z 2026-10-25T23:00Z"),
        # São Paulo skipped midnight of 4 November 2018: that day began at one o'clock.
        ("today", "2018-11-04T12:00Z", SAO_PAULO, "2018-11-04T03:00Z 2018-11-05T02:00Z"),
        ("today so far", "2026-11-29T12:00Z", SAO_PAULO, "2026-11-29T03:00Z 2026-11-29T12:00Z"),
        # A Sunday belongs to the week that began on the Monday before.
        ("last week", "2026-11-29T12:00Z", UTC, "2026-11-16T00:00Z 2026-11-23T00:00Z"),
        ("last week", "2026-11-30T12:00Z", UTC, "2026-11-23T00:00Z 2026-11-30T00:00Z"),
        ("this week", "2026-11-29T12:00Z", UTC, "2026-11-23T00:00Z 2026-11-30T00:00Z"),
        ("last week", "2026-10-28T12:00Z", BERLIN, "2026-10-18T22:00Z 2026-10-25T23:00Z"),
        ("this month so far", "2026-11-29T12:00Z", UTC, "2026-11-01T00:00Z 2026-11-29T12:00Z"),
        ("this month", "2026-12-05T12:00Z", UTC, "2026-12-01T00:00Z 2027-01-01T00:00Z"),
        ("last month", "2026-01-31T12:00Z", UTC, "2025-12-01T00:00Z 2026-01-01T00:00Z"),
        # Elapsed hours, not hours of the clock.
        ("last 24 hours", "2026-10-25T12:00+01:00", BERLIN, "2026-10-24T11:00Z 2026-10-25T11:00Z"),
        ("last 7 days", "2026-10-28T12:00Z", BERLIN, "2026-10-20T22:00Z 2026-10-27T23:00Z"),
        ("last 1 days", "2026-11-29T12:00Z", UTC, "2026-11-28T00:00Z 2026-11-29T00:00Z"),
    ],
)
def test_it_resolves_words_to_a_range(words, at, zone, expected):
    start, end = map(datetime.fromisoformat, expected.split())
    assert relative_range(words, datetime.fromisoformat(at), zone) == (start, end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yesterday", "yesterday"),
        ("Last_Week", "last week"),
        (" this-month  so far ", "this month so far"),
        ("last 366 days", "last 366 days"),
        ("last 367 days", None),
        ("last 0 days", None),
        ("last ٧ days", None),
        ("so far", None),
        ("tomorrow", None),
        ("ontem", None),
        ("2026-11-28", None),
        ("", None),
        ("yesterday " * 1000, None),
    ],
)
def test_it_knows_the_words_of_a_relative_range(text, expected):
    assert relative_words(text) == expected


@pytest.mark.parametrize("words", OFFERED)
def test_every_offered_range_begins_before_it_ends(words):
    start, end = relative_range(words, datetime.fromisoformat("2026-11-29T12:00Z"), SAO_PAULO)
    assert start < end


def test_each_run_of_a_daily_schedule_is_about_the_day_after_that_of_the_run_before():
    runs = ["2026-10-24T00:05+02:00", "2026-10-25T00:05+02:00", "2026-10-26T00:05+01:00", "2026-10-27T00:05+01:00"]
    days = [relative_range("yesterday", datetime.fromisoformat(at), BERLIN) for at in runs]
    assert [end for _start, end in days[:-1]] == [start for start, _end in days[1:]]
