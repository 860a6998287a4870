"""When a person is notified: quiet hours, digests and daily messages, on the person's clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from notifications_app.matching.delivery_times import Digest, Person, digest_due, is_due_daily, quiet_until

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ANA = 31


def at(clock: str, day: int = 23) -> datetime:
    return datetime.combine(datetime(2026, 11, day), time.fromisoformat(clock), tzinfo=SAO_PAULO)


@pytest.mark.parametrize(
    ("begin", "end", "timestamp", "expected"),
    [
        ("22:00", "06:00", at("21:59"), None),
        ("22:00", "06:00", at("22:00"), at("06:00", 24)),
        ("22:00", "06:00", at("05:59"), at("06:00")),
        ("22:00", "06:00", at("06:00"), None),
        ("12:00", "13:00", at("12:30"), at("13:00")),
        ("12:00", "13:00", at("13:00"), None),
        # Nothing at all rather than always.
        ("12:00", "12:00", at("12:00"), None),
    ],
)
def test_quiet_hours_end_on_the_persons_clock(begin, end, timestamp, expected):
    person = Person(ANA, SAO_PAULO, time.fromisoformat(begin), time.fromisoformat(end))
    assert quiet_until(person, timestamp.astimezone(UTC)) == expected


def test_a_daily_digest_is_due_the_next_time_the_clock_shows_its_hour():
    person, daily = Person(ANA, SAO_PAULO), Digest(daily_at=time(18))
    assert digest_due(daily, person, at("17:59")) == at("18:00")
    assert digest_due(daily, person, at("18:00")) == at("18:00", 24)


def test_quiet_hours_across_the_change_of_clocks_end_when_the_wall_says_so():
    berlin = ZoneInfo("Europe/Berlin")
    person = Person(ANA, berlin, time(22), time(6))
    # The night in which clocks go forward has 7 hours between 22:00 and 06:00.
    evening = datetime(2026, 3, 28, 22, 0, tzinfo=berlin)
    until = quiet_until(person, evening.astimezone(UTC))
    assert until.astimezone(UTC) - evening.astimezone(UTC) == timedelta(hours=7)


@pytest.mark.parametrize(
    ("zone", "end", "change_utc"),
    [
        ("Europe/Berlin", "02:30", (2027, 3, 28, 1)),
        ("Europe/Berlin", "02:00", (2027, 3, 28, 1)),
        ("Australia/Lord_Howe", "02:15", (2026, 10, 3, 15, 30)),
        ("Africa/Cairo", "00:30", (2026, 4, 23, 22)),
    ],
)
def test_quiet_hours_that_end_in_an_hour_that_is_skipped_end_with_the_change_of_clocks(zone, end, change_utc):
    """After it the clocks show a later time, at which nothing is held back any more."""
    person = Person(ANA, ZoneInfo(zone), time(22), time.fromisoformat(end))
    change = datetime(*change_utc, tzinfo=UTC)
    for before in (timedelta(minutes=1), timedelta(minutes=50)):
        assert quiet_until(person, change - before).astimezone(UTC) == change
    assert quiet_until(person, change) is None


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (at("06:59"), None),
        (at("07:00"), at("07:00")),
        (at("09:59"), at("07:00")),
        (at("10:01"), None),
    ],
)
def test_a_daily_time_is_due_for_a_while_after_the_clock_showed_it(timestamp, expected):
    assert is_due_daily(time(7), SAO_PAULO, timestamp, within=timedelta(hours=3)) == expected


# Clocks in Berlin go back from 03:00 to 02:00 on 25 October at 01:00 UTC, and forward from 02:00 on 28 March 2027 at 01:00 UTC.
@pytest.mark.parametrize(
    ("hour_utc", "minute", "quiet_end_utc", "digest_due_utc", "summary_ago_minutes"),
    [
        (0, 10, (25, 0, 30), (25, 0, 30), None),
        (0, 40, None, (26, 1, 30), 10),
        (1, 10, (25, 1, 30), (26, 1, 30), 40),
        (1, 40, None, (26, 1, 30), 70),
    ],
    ids=["first-pass-before", "first-pass-after", "second-pass-before", "second-pass-after"],
)
def test_an_hour_that_comes_twice_has_quiet_hours_twice_and_daily_messages_once(
    hour_utc, minute, quiet_end_utc, digest_due_utc, summary_ago_minutes
):
    berlin, clock = ZoneInfo("Europe/Berlin"), time(2, 30)
    person = Person(ANA, berlin, quiet_from=time(22), quiet_to=clock)
    now = datetime(2026, 10, 25, hour_utc, minute, tzinfo=UTC)
    until = quiet_until(person, now)
    due = digest_due(Digest(daily_at=clock), Person(ANA, berlin), now)
    last = is_due_daily(clock, berlin, now, within=timedelta(hours=3))

    def in_utc(day, hour, minute):
        return datetime(2026, 10, day, hour, minute, tzinfo=UTC)

    assert (until and until.astimezone(UTC)) == (quiet_end_utc and in_utc(*quiet_end_utc))
    assert due.astimezone(UTC) == in_utc(*digest_due_utc)
    assert (last and (now - last.astimezone(UTC)) / timedelta(minutes=1)) == summary_ago_minutes


def test_a_daily_time_that_the_clocks_skip_is_due_after_the_gap_and_not_before():
    berlin, clock = ZoneInfo("Europe/Berlin"), time(2, 30)
    early, due = datetime(2027, 3, 28, 1, 10, tzinfo=UTC), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert is_due_daily(clock, berlin, early, within=timedelta(hours=3)) is None
    found = is_due_daily(clock, berlin, due, within=timedelta(hours=3))
    assert found
    assert found.astimezone(UTC) == due
    assert digest_due(Digest(daily_at=clock), Person(ANA, berlin), early).astimezone(UTC) == due
