"""Limits that cannot be meant are refused before anything is removed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks_app.engine import PermanentError, get_task
from tasks_app.services.cleanup.optimize import TableFigures
from tasks_app.services.cleanup.runs import InvalidLimit, cutoff

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize("days", [0, -1, 36_501, 10**30, 1.5, float("nan"), "30", None, True])
def test_it_refuses_days_that_cannot_be_meant(days):
    with pytest.raises(InvalidLimit, match="days_to_keep") as refused:
        cutoff(NOW, days)
    assert isinstance(refused.value, PermanentError)
    assert isinstance(refused.value, ValueError)


@pytest.mark.parametrize(("days", "expected"), [(1, datetime(2026, 3, 9, 12, tzinfo=UTC)), (36_500, None)])
def test_it_accepts_a_day_and_a_century(days, expected):
    assert cutoff(NOW, days) == expected or expected is None


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("cleanup_old_positions", [0]),
        ("cleanup_old_positions", [-3]),
        ("cleanup_old_events", [10**9]),
        ("cleanup_job_history", [0, 30]),
        ("cleanup_job_history", [7, -1]),
        ("cleanup_cache", ["*", -1]),
        ("cleanup_cache", ["*", float("nan")]),
        ("cleanup_cache", ["*", float("inf")]),
        ("cleanup_cache", ["", 24]),
        ("cleanup_cache", ["*a*a*a*a*a*b", 24]),
        ("cleanup_cache", ["x" * 201, 24]),
    ],
)
def test_a_task_refuses_them_for_good_without_touching_a_server(name, args):
    with pytest.raises(InvalidLimit):
        get_task(name)(*args)


def test_an_empty_cache_prefix_is_refused_since_every_key_would_be_ours(settings):
    settings.CACHE_KEY_PREFIX = ""
    with pytest.raises(InvalidLimit, match="CACHE_KEY_PREFIX"):
        get_task("cleanup_cache")()


@pytest.mark.parametrize(
    ("live", "dead", "changed", "never", "vacuum", "analyze"),
    [
        (100, 0, 0, False, False, False),
        (0, 0, 0, True, False, True),
        (100, 999, 999, False, False, False),
        (100, 1000, 0, False, True, False),
        (1_000_000, 50_000, 50_000, False, False, False),
        (1_000_000, 150_000, 0, False, True, False),
        (1_000_000, 0, 100_000, False, False, True),
    ],
)
def test_tables_are_tended_where_dead_or_changed_rows_pass_the_threshold(live, dead, changed, never, vacuum, analyze):
    figures = TableFigures("t", live, dead, changed, 8192, never)
    assert (figures.needs_vacuum, figures.needs_analyze) == (vacuum, analyze)
