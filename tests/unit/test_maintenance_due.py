from datetime import UTC, datetime, timedelta

import pytest

from tasks_app.models import DeviceState, MaintenancePlan
from tasks_app.services.devices.servicing_due import is_worse, maintenance_due

DONE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("intervals", "kilometers", "hours", "days", "status", "remaining"),
    [
        ({"every_kilometers": 1000}, 899, 0, 0, "ok", {"kilometers": 101}),
        ({"every_kilometers": 1000}, 900, 0, 0, "due_soon", {"kilometers": 100}),
        ({"every_kilometers": 1000, "due_soon_percent": 29}, 290, 0, 0, "due_soon", {"kilometers": 710}),
        ({"every_kilometers": 1000}, 1000, 0, 0, "due", {"kilometers": 0}),
        ({"every_kilometers": 1000}, 1250, 0, 0, "due", {"kilometers": -250}),
        ({"every_engine_hours": 100}, 99_999, 95, 0, "due_soon", {"engine_hours": 5}),
        ({"every_days": 30}, 0, 0, 30, "due", {"days": 0}),
        ({"every_days": 30, "due_soon_percent": 50}, 0, 0, 15, "due_soon", {"days": 15}),
        ({"every_kilometers": 1000, "every_days": 10}, 10, 0, 10, "due", {"kilometers": 990, "days": 0}),
    ],
)
def test_the_interval_used_up_first_decides(intervals, kilometers, hours, days, status, remaining):
    plan = MaintenancePlan(last_done_at=DONE, last_done_odometer_meters=5000, last_done_engine_seconds=60, **intervals)
    state = DeviceState(odometer_meters=5000 + kilometers * 1000, engine_seconds=60 + hours * 3600)
    found = maintenance_due(plan, state, now=DONE + timedelta(days=days))
    assert (found.status, found.remaining) == (status, remaining)


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        ("due", "ok", True),
        ("due_soon", "ok", True),
        ("due", "due_soon", True),
        ("due_soon", "due", False),
        ("ok", "due", False),
    ],
)
def test_only_a_change_for_the_worse_is_news(status, before, expected):
    assert is_worse(status, before) is expected
