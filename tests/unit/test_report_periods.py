"""When scheduled reports are due and what they cover: zones, clock changes, ends of months, downtime."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from reports_app.models import Report
from reports_app.periods import Period, Rhythm, covered_range, days_before, due_since, next_due
from reports_app.periods.rhythms import covered_days, due_on, last_due
from reports_app.web.names import days_text
from tasks_app.geo.days import a_day_later
from tasks_app.models import Fleet

BERLIN, SAO_PAULO, TOKYO = (ZoneInfo(name) for name in ("Europe/Berlin", "America/Sao_Paulo", "Asia/Tokyo"))
LORD_HOWE, APIA = ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")
DAILY, WEEKLY, MONTHLY = Period.DAILY, Period.WEEKLY, Period.MONTHLY


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rhythm(period=DAILY, clock="07:00", zone=SAO_PAULO, **more) -> Rhythm:
    return Rhythm(period, time.fromisoformat(clock), zone, **more)


@pytest.mark.parametrize(
    ("wanted", "now", "following"),
    [
        # before, at and after the time of the day
        (rhythm(), "2026-03-02T09:59", "2026-03-02T10:00"),
        (rhythm(), "2026-03-02T10:00", "2026-03-03T10:00"),
        (rhythm(zone=TOKYO), "2026-03-02T21:59", "2026-03-02T22:00"),
        # the local day is another than the day of UTC
        (rhythm(clock="23:30"), "2026-03-02T23:00", "2026-03-03T02:30"),
        (rhythm(clock="00:00", zone=TOKYO), "2026-03-02T14:59", "2026-03-02T15:00"),
        # Berlin skips 02:00-03:00 on 29 March 2026: 02:30 is due at 03:30, and once
        (rhythm(clock="02:30", zone=BERLIN), "2026-03-28T12:00", "2026-03-29T01:30"),
        (rhythm(clock="02:30", zone=BERLIN), "2026-03-29T01:30", "2026-03-30T00:30"),
        # Berlin has 02:00-03:00 twice on 25 October 2026: 02:30 is due the first time only
        (rhythm(clock="02:30", zone=BERLIN), "2026-10-24T12:00", "2026-10-25T00:30"),
        (rhythm(clock="02:30", zone=BERLIN), "2026-10-25T00:30", "2026-10-26T01:30"),
        # half an hour of summer time
        (rhythm(clock="02:15", zone=LORD_HOWE), "2026-10-03T12:00", "2026-10-03T15:45"),
        # weekly: the next Monday, and Sunday as a weekday
        (rhythm(WEEKLY), "2026-03-02T10:00", "2026-03-09T10:00"),
        (rhythm(WEEKLY, weekday=6), "2026-03-02T10:00", "2026-03-08T10:00"),
        # monthly: the 31st is the last day of shorter months, 29 February in leap years only
        (rhythm(MONTHLY, month_day=31), "2026-01-31T10:00", "2026-02-28T10:00"),
        (rhythm(MONTHLY, month_day=31), "2028-01-31T10:00", "2028-02-29T10:00"),
        (rhythm(MONTHLY, month_day=29), "2027-02-01T00:00", "2027-02-28T10:00"),
        (rhythm(MONTHLY, month_day=30), "2026-04-30T10:00", "2026-05-30T10:00"),
        (rhythm(MONTHLY), "2026-12-01T10:00", "2027-01-01T10:00"),
    ],
)
def test_it_knows_the_next_due_time_and_that_it_was_the_last_one_then(wanted, now, following):
    due = next_due(wanted, at(now))
    assert due == at(following)
    assert last_due(wanted, due) == due
    assert last_due(wanted, due - timedelta(seconds=1)) <= at(now)


@pytest.mark.parametrize("zone", [BERLIN, SAO_PAULO, TOKYO, LORD_HOWE, APIA])
@pytest.mark.parametrize("clock", ["00:00", "02:15", "02:30", "23:59"])
def test_it_is_due_exactly_once_on_every_local_day_of_years_with_clock_changes(zone, clock):
    wanted, day = rhythm(clock=clock, zone=zone), date(2025, 12, 1)
    dues = [due_on(wanted, day + timedelta(days=number)) for number in range(500)]
    assert dues == sorted(set(dues))
    now, following = dues[0], []
    while len(following) < 499:
        now = next_due(wanted, now)
        following.append(now)
    assert following == dues[1:]


@pytest.mark.parametrize(
    ("period", "today", "first", "end"),
    [
        (DAILY, "2026-03-01", "2026-02-28", "2026-03-01"),
        (DAILY, "2028-03-01", "2028-02-29", "2028-03-01"),
        (WEEKLY, "2026-03-02", "2026-02-23", "2026-03-02"),  # a Monday: the week that ended yesterday
        (WEEKLY, "2026-03-08", "2026-02-23", "2026-03-02"),  # a Sunday: its own week is not over
        (WEEKLY, "2027-01-01", "2026-12-21", "2026-12-28"),  # over the end of a year, by ISO weeks
        (MONTHLY, "2026-03-31", "2026-02-01", "2026-03-01"),
        (MONTHLY, "2026-01-01", "2025-12-01", "2026-01-01"),
        (MONTHLY, "2028-03-01", "2028-02-01", "2028-03-01"),
    ],
)
def test_it_covers_the_last_whole_period(period, today, first, end):
    days = date.fromisoformat(first), date.fromisoformat(end)
    assert covered_days(period, date.fromisoformat(today)) == days


@pytest.mark.parametrize(
    ("wanted", "due", "hours"),
    [
        (rhythm(zone=BERLIN), "2026-03-30T05:00", 23),  # the day the clocks went forward
        (rhythm(zone=BERLIN), "2026-10-26T06:00", 25),
        (rhythm(WEEKLY, zone=BERLIN), "2026-03-30T05:00", 7 * 24 - 1),
        (rhythm(MONTHLY, zone=BERLIN), "2026-11-01T06:00", 31 * 24 + 1),
        (rhythm(), "2026-03-02T10:00", 24),
    ],
)
def test_a_day_of_a_clock_change_has_23_or_25_hours(wanted, due, hours):
    start, end = covered_range(wanted, at(due))
    assert end - start == timedelta(hours=hours)
    assert end <= at(due)


@pytest.mark.parametrize(
    ("planned", "now", "due"),
    [
        ("2026-03-02T10:00", "2026-03-02T09:59", None),  # not yet
        ("2026-03-02T10:00", "2026-03-02T10:00", "2026-03-02T10:00"),
        ("2026-03-02T10:00", "2026-03-02T10:05", "2026-03-02T10:00"),
        ("2026-03-02T10:00", "2026-03-05T12:00", "2026-03-05T10:00"),  # three missed: the latest stands for them
        ("2026-03-06T10:00", "2026-03-05T12:00", None),  # the latest was run already
    ],
)
def test_after_downtime_only_the_latest_missed_one_is_run(planned, now, due):
    found = due_since(rhythm(), at(planned), at(now), catch_up=timedelta(days=7))
    assert found == (at(due) if due else None)


def test_one_that_was_missed_too_long_ago_is_not_made_up_for():
    monthly = rhythm(MONTHLY)
    planned = at("2026-03-01T10:00")
    assert due_since(monthly, planned, at("2026-03-08T10:00"), catch_up=timedelta(days=7)) == planned
    assert due_since(monthly, planned, at("2026-03-08T10:01"), catch_up=timedelta(days=7)) is None


@pytest.mark.parametrize(
    ("zone", "start", "end", "before"),
    [
        # The clocks skip the midnight with which a day would begin: 6 September 2026 in Chile, 24 April 2026 in Egypt,
        # 4 November 2018 in Brazil.
        ("America/Santiago", "2026-09-06T04:00", "2026-09-07T03:00", "2026-09-05T04:00"),
        ("America/Santiago", "2026-09-05T04:00", "2026-09-06T04:00", "2026-09-04T04:00"),
        ("Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00", "2026-04-22T22:00"),
        ("America/Sao_Paulo", "2018-11-01T03:00", "2018-12-01T02:00", "2018-10-01T03:00"),
        ("America/Sao_Paulo", "2018-11-04T03:00", "2018-11-11T02:00", "2018-10-28T03:00"),
        # 01:00 of an ordinary day is within it.
        ("America/Santiago", "2026-09-08T04:00", "2026-09-08T05:00", "2026-09-08T03:00"),
    ],
)
def test_the_days_before_are_whole_ones_where_the_clocks_skip_midnight(zone, start, end, before):
    named = Report(fleet=Fleet(time_zone=zone), range_start=at(start), range_end=at(end))
    assert days_before(at(start), at(end), ZoneInfo(zone)) == (at(before), at(start))
    assert (":" in days_text(named)) == (start == "2026-09-08T04:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-09-06T04:00", "2026-09-07T03:00"),
        ("2026-09-06T05:00", "2026-09-07T05:00"),
        ("2026-09-05T12:00", "2026-09-06T11:00"),
    ],
)
def test_a_report_of_a_day_without_midnight_ends_with_it(start, end):
    assert a_day_later(at(start), ZoneInfo("America/Santiago")) == at(end)
