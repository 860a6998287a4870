"""Positions that retention removes with each day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tasks_app.services.cleanup.position_policy import RetentionOverride, make_policy

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
NONE, EVER = RetentionOverride(), RetentionOverride(forever=True)


def ago(days: int) -> date:
    return (NOW - timedelta(days=days)).date()


@pytest.mark.parametrize(
    ("own", "fleets", "days"),
    [
        (NONE, NONE, 30),
        (NONE, RetentionOverride(7), 7),
        (NONE, EVER, None),
        (RetentionOverride(3), NONE, 3),
        (RetentionOverride(3), RetentionOverride(7), 3),
        (RetentionOverride(3), EVER, 3),
        (EVER, RetentionOverride(7), None),
        (EVER, NONE, None),
        (RetentionOverride(30), RetentionOverride(7), 30),
    ],
)
def test_a_devices_wish_counts_before_its_fleets_and_that_before_the_default(own, fleets, days):
    assert make_policy(30, [(1, own, fleets)]).days_of(1) == days


@pytest.mark.parametrize(
    ("days", "age", "goes"), [(30, 31, True), (30, 30, False), (1, 2, True), (1, 1, False), (36_500, 31, False)]
)
def test_a_day_goes_when_it_ended_before_the_days_to_keep_began(days, age, goes):
    assert make_policy(30, [(1, RetentionOverride(days), NONE)]).goes(1, ago(age), NOW) is goes


def test_a_device_that_says_nothing_follows_the_default_also_when_it_was_deleted():
    policy = make_policy(30, [(1, EVER, NONE)])
    assert policy.goes(99, ago(31), NOW)
    assert not policy.goes(1, ago(36_000), NOW)


def test_where_one_device_is_asked_for_all_others_stay():
    policy = make_policy(30, [(2, RetentionOverride(5), NONE)], only_device=1)
    assert policy.goes(1, ago(40), NOW)
    assert not policy.goes(2, ago(40), NOW)
    assert not policy.goes(3, ago(40), NOW)


def test_days_are_looked_at_from_the_shortest_wish_on():
    assert make_policy(30, [(1, EVER, NONE)]).newest_day_to_look_at(NOW) == ago(30)
    assert make_policy(30, [(1, RetentionOverride(7), NONE), (2, RetentionOverride(90), NONE)]).newest_day_to_look_at(
        NOW
    ) == ago(7)
