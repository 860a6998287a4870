"""A host's clock that was ahead for a while: schedules ran early, and go on when it is right again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_q.models import Schedule

from tasks_app.models import Job, ScheduleState
from tasks_app.services.schedules.actions import run_due_schedules

NOW = datetime(2026, 3, 10, 12, 0, 10, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def make_schedule(**fields) -> Schedule:
    defaults = {"func": "drain_position_inbox", "repeats": -1, "next_run": NOW - timedelta(seconds=10)}
    return Schedule.objects.bulk_create([Schedule(**{**defaults, **fields})])[0]


@pytest.fixture(autouse=True)
def alone(db):
    Schedule.objects.all().delete()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule_type": "I", "minutes": 1}, NOW + timedelta(seconds=50)),
        ({"schedule_type": "H"}, datetime(2026, 3, 10, 13, tzinfo=UTC)),
        ({"schedule_type": "D"}, datetime(2026, 3, 11, 12, tzinfo=UTC)),
        ({"schedule_type": "C", "cron": "*/5 * * * *"}, datetime(2026, 3, 10, 12, 5, tzinfo=UTC)),
    ],
)
def test_a_schedule_that_ran_in_the_future_goes_on_now(fields, expected):
    """It waited for ten years, and nothing said so."""
    schedule = make_schedule(**fields)
    run_due_schedules(NOW)
    run_due_schedules(NOW + timedelta(days=3650))
    schedule.refresh_from_db()
    assert schedule.next_run > NOW + timedelta(days=3649)
    run_due_schedules(NOW)
    schedule.refresh_from_db()
    assert schedule.next_run == expected
    assert ScheduleState.objects.get(schedule=schedule).last_run_at == NOW


def test_clocks_of_two_hosts_that_differ_a_little_change_nothing():
    schedule = make_schedule(schedule_type="I", minutes=1)
    run_due_schedules(NOW + timedelta(seconds=30))
    schedule.refresh_from_db()
    planned = schedule.next_run
    run_due_schedules(NOW)
    schedule.refresh_from_db()
    assert schedule.next_run == planned


def test_a_schedule_that_is_planned_for_later_stays_planned():
    schedule = make_schedule(schedule_type="D", next_run=NOW + timedelta(days=40))
    run_due_schedules(NOW)
    schedule.refresh_from_db()
    assert schedule.next_run == NOW + timedelta(days=40)
    assert not Job.objects.exists()
