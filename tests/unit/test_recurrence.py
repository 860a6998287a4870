"""When a schedule runs next, as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tasks_app.engine.recurrence import InvalidRecurrence, Recurrence, next_run, validate_cron

HAVANA = ZoneInfo("America/Havana")
NEW_YORK = ZoneInfo("America/New_York")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ZULU = ZoneInfo("UTC")


def at(text: str, zone: ZoneInfo = ZULU) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def series(recurrence: Recurrence, after: datetime, zone: ZoneInfo, count: int) -> list[str]:
    found = []
    for _ in range(count):
        after = next_run(recurrence, after, zone)
        found.append(after.astimezone(zone).strftime("%Y-%m-%dT%H:%M:%S%z"))
    return found


@pytest.mark.parametrize(
    ("kind", "anchor", "zone", "expected"),
    [
        ("D", "2026-03-06T07:00", NEW_YORK, ["03-07T07:00:00-0500", "03-08T07:00:00-0400", "03-09T07:00:00-0400"]),
        ("D", "2026-03-06T02:30", NEW_YORK, ["03-07T02:30:00-0500", "03-08T03:30:00-0400", "03-09T02:30:00-0400"]),
        ("D", "2026-10-31T01:30", NEW_YORK, ["11-01T01:30:00-0400", "11-02T01:30:00-0500", "11-03T01:30:00-0500"]),
        ("W", "2026-03-01T09:00", NEW_YORK, ["03-08T09:00:00-0400", "03-15T09:00:00-0400", "03-22T09:00:00-0400"]),
        ("BW", "2026-10-25T09:00", NEW_YORK, ["11-08T09:00:00-0500", "11-22T09:00:00-0500", "12-06T09:00:00-0500"]),
        ("D", "2026-03-06T00:00", SAO_PAULO, ["03-07T00:00:00-0300", "03-08T00:00:00-0300", "03-09T00:00:00-0300"]),
        ("M", "2026-01-31T12:00", SAO_PAULO, ["02-28T12:00:00-0300", "03-31T12:00:00-0300", "04-30T12:00:00-0300"]),
        ("BM", "2026-04-30T12:00", ZULU, ["06-30T12:00:00+0000", "08-30T12:00:00+0000", "10-30T12:00:00+0000"]),
        ("Q", "2026-01-31T12:00", ZULU, ["04-30T12:00:00+0000", "07-31T12:00:00+0000", "10-31T12:00:00+0000"]),
    ],
)
def test_it_keeps_the_local_time_and_the_day_of_the_month(kind, anchor, zone, expected):
    start = at(anchor, zone)
    assert series(Recurrence(kind, start), start, zone, 3) == [f"2026-{text}" for text in expected]


def test_it_runs_right_after_the_midnight_that_sao_paulo_skipped_in_2018_and_once_when_it_was_repeated():
    start = at("2018-11-02T00:00", SAO_PAULO)
    assert series(Recurrence("D", start), start, SAO_PAULO, 3) == [
        "2018-11-03T00:00:00-0300",
        "2018-11-04T01:00:00-0200",
        "2018-11-05T00:00:00-0200",
    ]
    start = at("2018-02-16T23:30", SAO_PAULO)
    assert series(Recurrence("D", start), start, SAO_PAULO, 2) == [
        "2018-02-17T23:30:00-0200",
        "2018-02-18T23:30:00-0300",
    ]


def test_a_yearly_run_of_29_february_falls_back_to_the_28th_and_returns():
    start = at("2024-02-29T06:00")
    days = [text[:10] for text in series(Recurrence("Y", start), start, ZULU, 5)]
    assert days == ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29", "2029-02-28"]


@pytest.mark.parametrize(
    ("recurrence", "after", "expected"),
    [
        (Recurrence("I", at("2026-01-01T00:00"), minutes=15), "2026-01-01T00:00", "2026-01-01T00:15"),
        (Recurrence("I", at("2026-01-01T00:00"), minutes=15), "2026-01-01T10:07", "2026-01-01T10:15"),
        (Recurrence("I", at("2026-01-01T00:00")), "2026-01-01T00:00:30", "2026-01-01T00:01"),
        (Recurrence("H", at("2026-01-01T00:20")), "2026-01-01T10:20", "2026-01-01T11:20"),
        (Recurrence("H", at("2026-01-02T00:20")), "2026-01-01T10:20", "2026-01-02T00:20"),
        (Recurrence("D", at("2026-01-05T08:00")), "2026-01-01T10:20", "2026-01-05T08:00"),
        (Recurrence("M", at("2026-05-31T08:00")), "2026-01-01T10:20", "2026-05-31T08:00"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="*/30 * * * *"), "2026-01-01T10:07", "2026-01-01T10:30"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="* * * * * */30"), "2026-01-01T10:07:10", "2026-01-01T10:07:30"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="* * * * * */30"), "2026-01-01T10:07:30", "2026-01-01T10:08"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="0 4 * * 0"), "2026-01-01T10:07:30", "2026-01-04T04:00"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="0 0 29 2 *"), "2026-01-01T00:00", "2028-02-29T00:00"),
        (Recurrence("C", at("2026-01-01T00:00"), cron="@daily"), "2026-01-01T00:00", "2026-01-02T00:00"),
    ],
)
def test_it_finds_the_first_due_time_after_a_moment(recurrence, after, expected):
    assert next_run(recurrence, at(after), ZULU) == at(expected)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-07T12:00", ["03-08T03:00:00-0400", "03-09T02:30:00-0400"]),
        ("30 1 * * *", "2026-10-31T12:00", ["11-01T01:30:00-0400", "11-02T01:30:00-0500"]),
        ("*/30 1 * * *", "2026-10-31T12:00", ["11-01T01:00:00-0400", "11-01T01:30:00-0400", "11-02T01:00:00-0500"]),
        (
            "*/30 * * * *",
            "2026-11-01T01:10",
            ["11-01T01:30:00-0400", "11-01T01:00:00-0500", "11-01T01:30:00-0500", "11-01T02:00:00-0500"],
        ),
        ("*/30 * * * *", "2026-03-08T01:10", ["03-08T01:30:00-0500", "03-08T03:00:00-0400"]),
        ("0 0 * * *", "2026-03-07T12:00", ["03-08T00:00:00-0500", "03-09T00:00:00-0400"]),
    ],
)
def test_cron_keeps_the_local_time_through_clock_changes(cron, after, expected):
    recurrence = Recurrence("C", at("2026-01-01T00:00"), cron=cron)
    found = series(recurrence, at(after, NEW_YORK), NEW_YORK, len(expected))
    assert found == [f"2026-{text}" for text in expected]


@pytest.mark.parametrize(
    ("alias", "expected"),
    [
        ("@daily", ["11-01T00:00:00-0400", "11-02T00:00:00-0500"]),
        ("@Weekly", ["11-01T00:00:00-0400", "11-08T00:00:00-0500"]),
        ("@hourly", ["11-01T00:00:00-0400", "11-01T00:00:00-0500"]),
    ],
)
def test_an_alias_runs_once_at_a_midnight_that_comes_twice_and_each_hour_of_it(alias, expected):
    """Havana turns its clocks back from one o'clock to midnight."""
    recurrence = Recurrence("C", at("2026-01-01T00:00"), cron=alias)
    found = series(recurrence, at("2026-10-31T23:30", HAVANA), HAVANA, 2)
    assert found == [f"2026-{text}" for text in expected]


@pytest.mark.parametrize("kind", ["I", "H", "D", "W", "BW", "M", "BM", "Q", "Y", "C"])
def test_an_outage_of_ten_hours_or_of_a_thousand_years_costs_nothing(kind):
    now = at("2026-06-15T17:03:20")
    for missed in (timedelta(hours=10), timedelta(days=365_000)):
        recurrence = Recurrence(kind, now - missed, minutes=1, cron="* * * * * */30")
        due = next_run(recurrence, now, NEW_YORK)
        assert now < due <= now + timedelta(days=366)


@pytest.mark.parametrize("kind", ["I", "H", "D", "W", "BW", "M", "BM", "Q", "Y"])
def test_each_due_time_is_a_member_of_the_series_of_its_anchor(kind):
    recurrence = Recurrence(kind, at("2025-10-31T01:30", NEW_YORK), minutes=7)
    due = recurrence.anchor
    for _ in range(40):
        following = next_run(recurrence, due, NEW_YORK)
        assert following > due
        assert next_run(recurrence, following - timedelta(microseconds=1), NEW_YORK) == following
        due = following


@pytest.mark.parametrize(
    "recurrence",
    [
        Recurrence("O", at("2026-01-01T00:00")),
        Recurrence("?", at("2026-01-01T00:00")),
        Recurrence("I", at("2026-01-01T00:00"), minutes=0),
        Recurrence("C", at("2026-01-01T00:00")),
        Recurrence("C", at("2026-01-01T00:00"), cron="0 0 30 2 *"),
        Recurrence("D", datetime(2026, 1, 1)),
    ],
)
def test_it_refuses_what_has_no_next_run(recurrence):
    with pytest.raises(InvalidRecurrence):
        next_run(recurrence, at("2026-01-01T00:00"), ZULU)


def test_it_refuses_to_leave_the_calendar():
    for kind in ("D", "Y", "H"):
        with pytest.raises(InvalidRecurrence):
            next_run(Recurrence(kind, at("9999-12-31T23:30")), datetime.max.replace(tzinfo=UTC), ZULU)


@pytest.mark.parametrize(
    "cron",
    [None, "", "* * * *", "* * * * * * 2030", "61 * * * *", "0 0 * * 8", "*/0 * * * *", "R R * * *", "H * * * *",
     "* * * * * 61", "@never", "rm -rf / x y", "0 0 31 2 *", "* " * 200, "٣ * * * *"],
)  # fmt: skip
def test_it_refuses_cron_expressions_that_never_come(cron):
    with pytest.raises(InvalidRecurrence):
        validate_cron(cron)


@pytest.mark.parametrize("cron", ["* * * * *", "0 0 * * FRI", "0 0 1 MAR *", "* * * * * */30", "0 0 L * *", "@hourly"])
def test_it_accepts_cron_expressions_with_names_and_seconds(cron):
    validate_cron(cron)
