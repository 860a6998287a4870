"""When the storage is full."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tasks_app.queries.storage_forecast import TREND_DAYS, TableSize, forecast, per_day

TODAY = date(2026, 3, 10)
GB = 10**9


def samples(*sizes: int, table: str = "t") -> list[TableSize]:
    """One size a day, the last today."""
    days = [TODAY - timedelta(days=ago) for ago in reversed(range(len(sizes)))]
    return [TableSize(day, table, size // 100, size) for day, size in zip(days, sizes, strict=True)]


@pytest.mark.parametrize(
    ("sizes", "now", "budget", "days_left"),
    [
        ([1 * GB, 2 * GB, 3 * GB], 3 * GB, 13 * GB, 10),
        ([1 * GB, 2 * GB, 3 * GB], 3 * GB, 0, None),
        ([3 * GB, 3 * GB], 3 * GB, 13 * GB, None),
        ([3 * GB, 2 * GB], 2 * GB, 13 * GB, None),
        ([3 * GB], 3 * GB, 13 * GB, None),
        ([], 3 * GB, 13 * GB, None),
        ([1, 2], 13 * GB, 13 * GB, 0),
        ([3], 14 * GB, 13 * GB, 0),
    ],
)
def test_it_says_how_many_days_the_budget_lasts(sizes, now, budget, days_left):
    assert forecast(samples(*sizes), size_bytes=now, budget_bytes=budget).days_left == days_left


def test_growth_is_that_of_the_last_two_weeks():
    fast_then_slow = [*(day * 1000 for day in range(50)), *(50_000 + day * 10 for day in range(TREND_DAYS))]
    assert forecast(samples(*fast_then_slow), size_bytes=1, budget_bytes=0).bytes_per_day == pytest.approx(10)


def test_a_single_outlier_does_not_decide():
    growth = per_day([(TODAY - timedelta(days=ago), 100 - ago) for ago in range(10)] + [(TODAY, 110)])
    assert 0.5 < growth < 3


def test_tables_come_by_size_and_those_that_are_gone_do_not():
    gone = [TableSize(TODAY - timedelta(days=1), "gone", 1, 10**12)]
    found = forecast([*samples(100, 200), *samples(5000, table="big"), *gone], size_bytes=1, budget_bytes=0)
    assert [table.table for table in found.tables] == ["big", "t"]
    assert [(table.rows_per_day, table.bytes_per_day) for table in found.tables] == [(None, None), (1, 100)]
    assert [size for _day, size in found.history] == [10**12 + 100, 5200]
