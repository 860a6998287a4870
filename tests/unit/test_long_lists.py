"""The days, months and years that stand above a list of a table that grows."""

from __future__ import annotations

from datetime import date

import pytest

from tasks_app.admin.long_lists import spans

DAY, LATER = date(2025, 12, 30), date(2026, 2, 1)


@pytest.mark.parametrize(
    ("first", "last", "kind", "begins"),
    [
        (None, None, "day", []),
        (DAY, DAY, "day", [DAY]),
        (DAY, DAY, "month", [date(2025, 12, 1)]),
        (DAY, DAY, "year", [date(2025, 1, 1)]),
        (DAY, LATER, "month", [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]),
        (DAY, LATER, "year", [date(2025, 1, 1), date(2026, 1, 1)]),
        (DAY, date(2026, 1, 1), "day", [DAY, date(2025, 12, 31), date(2026, 1, 1)]),
    ],
)
def test_every_day_month_or_year_from_the_first_to_the_last(first, last, kind, begins):
    assert spans(first, last, kind) == begins
