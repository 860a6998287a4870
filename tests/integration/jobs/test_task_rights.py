"""Every task by every way to start it: what it asks for is asked everywhere."""

from __future__ import annotations

import pytest

from tasks_app.engine import get_task
from tests.support.rights import give
from tests.support.task_starts import (
    BY_JOB,
    BY_SCHEDULE,
    GENERAL,
    call_of,
    make_named_rows,
    product_tasks,
    scheduled_and_live,
    ways_of,
)

pytestmark = pytest.mark.django_db
WAYS = [*BY_JOB, *BY_SCHEDULE]


@pytest.fixture
def clerk(make_user):
    """Staff that may see, start and change jobs and schedules, and nothing else."""
    return give(make_user(is_staff=True), *GENERAL)


@pytest.fixture(autouse=True)
def rows(db):
    """The rows that the calls name."""
    make_named_rows()


def outcome(way: str, user, task) -> str:
    """`refused` where neither schedules nor jobs are other than before, else `done`."""
    attempt = ways_of(task)[way](user, task)
    before = scheduled_and_live()
    answer = attempt()
    assert answer.status_code < 500
    return "refused" if scheduled_and_live() == before else "done"


def having(way: str) -> list:
    """Tasks for which there is this way; jobs of those that only code starts are asked about where they are made."""
    return [task for task in product_tasks() if task.is_startable and way in ways_of(task)]


def some_of(way: str, tasks: list) -> list:
    """One task of each kind of rights, and of the others a share of this way: each is tried by one way at least.

    Ways ask for the rights of a task without regard to which task it is.
    """
    kinds = {(task.permission, task.members is None, task.needs_operate): task for task in reversed(tasks)}
    share = tasks[WAYS.index(way) :: len(WAYS)]
    return list({task.name: task for task in [*kinds.values(), *share]}.values())


@pytest.mark.parametrize("way", WAYS)
def test_it_starts_no_task_for_staff_with_the_general_permissions_only(way, clerk):
    started = [task.name for task in some_of(way, having(way)) if outcome(way, clerk, task) != "refused"]
    assert started == []


@pytest.mark.parametrize("way", WAYS)
def test_it_starts_a_task_for_staff_with_the_permission_of_the_task(way, clerk):
    one_of_each = {task.permission: task for task in having(way) if task.permission}
    refused = []
    for name, task in one_of_each.items():
        person = give(clerk, *{*GENERAL, name})
        refused += [task.name] if outcome(way, person, task) == "refused" else []
    assert refused == []


@pytest.mark.parametrize("way", WAYS)
def test_it_starts_tasks_that_have_no_permission_for_superusers(way, staff):
    tasks = some_of(way, [task for task in having(way) if task.permission is None])
    assert [task.name for task in tasks if outcome(way, staff, task) == "refused"] == []


def test_it_has_a_call_that_fits_for_every_task():
    for task in product_tasks():
        task.arguments.check([], call_of(task))


def test_it_asks_for_permissions_that_exist(clerk):
    give(clerk, *{task.permission for task in product_tasks() if task.permission})


BAD_BOUNDS = [
    ("cleanup_old_positions", {"days_to_keep": 0}),
    ("cleanup_old_positions", {"days_to_keep": -5}),
    ("cleanup_old_positions", {"days_to_keep": 10**9}),
    ("cleanup_old_positions", {"max_seconds": 0.0}),
    ("cleanup_old_positions", {"device_id": 0}),
    ("cleanup_old_events", {"days_to_keep": 0}),
    ("cleanup_job_history", {"failed_days": -1}),
    ("cleanup_job_history", {"succeeded_days": 0}),
    ("cleanup_notifications", {"days_to_keep": 0}),
    ("cleanup_reports", {"days_to_keep": -5}),
    ("cleanup_cache", {"max_age_hours": -1.0}),
    ("cleanup_expired_sessions", {"max_seconds": -1.0}),
    ("calculate_device_statistics", {"device_id": 1, "period": "9 years"}),
    ("update_device_status", {"device_id": 1, "status": "sunk"}),
    ("send_speed_alert", {"device_id": 1, "speed": -3.0, "speed_limit": 90.0}),
    ("send_device_offline_alert", {"device_id": 1, "offline_duration_minutes": -1.0}),
    ("generate_device_report", {"device_id": 0, "start": "2026-01-01", "end": "2026-01-02"}),
    ("export_report_data", {"report_id": -1, "format": "csv"}),
    ("generate_fleet_report", {"start": "2026-01-01", "end": "2026-01-02", "device_ids": [0]}),
    ("cleanup_old_positions", {"days_to_keep": True}),
    ("cleanup_old_positions", {"max_seconds": 1e308}),
]


@pytest.mark.parametrize("number", range(len(BAD_BOUNDS)), ids=lambda number: f"{BAD_BOUNDS[number]}")
def test_it_takes_no_argument_out_of_bounds_by_any_way(number, staff, monkeypatch):
    name, kwargs = BAD_BOUNDS[number]
    task = get_task(name)
    monkeypatch.setattr("tests.support.task_starts.CALLS", {name: kwargs})
    # A waiting job was checked when it was made, so there is none with such arguments. Every fourth way: each meets five
    # of the arguments, and none regards which task it is.
    ways = [way for way in ways_of(task) if not way.startswith("waiting job")][number % 4 :: 4]
    assert {way: outcome(way, staff, task) for way in ways} == dict.fromkeys(ways, "refused")
