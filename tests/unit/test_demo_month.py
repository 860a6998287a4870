"""The past month of `make run DEMO=1`: which days, and how many of their fixes."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from tasks_app.ingest.simulation import day_of_fixes
from trackerproject.dev.demo.month import MONTH_DAYS, MOST_THINNED, missing_days, thinned, thinning
from trackerproject.dev.sample_fleet import TIME_ZONE
from trackerproject.dev.screenshots import FLEET_ZONE, yesterday

TODAY = date(2026, 11, 29)


def test_a_new_installation_gets_every_day_of_the_month_but_today():
    days = missing_days(None, TODAY)
    assert (days[0], days[-1], len(days)) == (TODAY - timedelta(days=MONTH_DAYS), date(2026, 11, 28), MONTH_DAYS)


@pytest.mark.parametrize(
    ("last", "count"), [(date(2026, 11, 28), 0), (TODAY, 0), (date(2026, 11, 25), 3), (date(2025, 1, 1), 29)]
)
def test_only_days_after_the_last_one_are_sent(last, count):
    assert len(missing_days(last, TODAY)) == count


def test_thinning_keeps_every_switch_of_the_ignition_and_all_vehicles():
    fixes = day_of_fixes(2, date(2026, 11, 28))
    fewer = thinned(fixes, 6)
    assert len(fixes) / 7 < len(fewer) < len(fixes) / 5
    assert thinned(fixes, 1) == fixes
    for device_id in ("sim-001", "sim-002"):
        switches = [_switches([fix for fix in some if fix.device_id == device_id]) for some in (fixes, fewer)]
        assert switches[0] == switches[1] > 0


def _switches(fixes) -> int:
    states = [fix.attributes["ignition"] for fix in fixes]
    return sum(one != other for one, other in itertools.pairwise(states))


@pytest.mark.parametrize(
    ("rate", "days_left", "seconds_left", "expected"),
    [
        (3000, 10, 1000, 1),
        (3000, 28, 240, 3),
        (3000, 28, 10, MOST_THINNED),
        (3000, 28, -5, MOST_THINNED),
        (0, 28, 100, MOST_THINNED),
    ],
)
def test_the_time_that_is_left_decides_how_many_fixes_are_sent(rate, days_left, seconds_left, expected):
    found = thinning(fixes_per_second=rate, fixes_per_day=59_000, days_left=days_left, seconds_left=seconds_left)
    assert found == expected


def test_the_picture_of_a_day_is_of_the_last_day_of_the_month():
    """After midnight of UTC it was of a day that the fleet had not ended, and that is not sent."""
    assert str(FLEET_ZONE) == TIME_ZONE
    assert yesterday(datetime(2026, 12, 1, 1, 2, tzinfo=UTC)) == "2026-11-29"
    assert yesterday(datetime(2026, 12, 1, 4, 2, tzinfo=UTC)) == "2026-11-30"
