"""Schedules against the real database and queue server."""

from __future__ import annotations

import importlib
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django_q.models import Schedule

from tasks_app.engine import InvalidArguments, get_task, registry, task
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import _client_of_process, client
from tasks_app.engine.keys import QueueKeys
from tasks_app.models import JobAction, ScheduleState
from tasks_app.queries.access import SHELL
from tasks_app.services.schedules import actions as schedules
from tasks_app.services.schedules.actions import (
    disable,
    enable,
    run_due_schedules,
    run_now,
    save_schedule,
    upcoming_runs,
    validate_schedule,
)
from tasks_app.services.schedules.arguments import InvalidSchedule

NOW = datetime(2026, 3, 10, 12, 0, 10, tzinfo=UTC)
DUE = NOW - timedelta(seconds=10)
defaults = importlib.import_module("tasks_app.migrations.0003_default_schedules")

pytestmark = pytest.mark.django_db


@task(queue="cleanup", schedulable=True)
def note_for_schedule_tests(number: int = 1, text: str = "", day: str = "") -> None:
    """A task of these tests."""


@task(queue="cleanup")
def unschedulable_for_schedule_tests() -> None:
    """A task that staff may not schedule."""


def make_schedule(**fields) -> Schedule:
    fields = {"func": "note_for_schedule_tests", "schedule_type": "H", "repeats": -1, "next_run": DUE, **fields}
    return Schedule.objects.bulk_create([Schedule(**fields)])[0]


def keys() -> QueueKeys:
    return QueueKeys(engine_config().prefix, "cleanup")


def queued_jobs() -> int:
    return sum(client().xlen(stream) for stream in keys().streams)


def test_a_test_begins_without_the_schedules_of_the_migrations():
    assert not Schedule.objects.exists()


def test_it_enqueues_what_is_due_and_sets_the_next_run():
    schedule = make_schedule(args="7, 'seven'", kwargs="day='monday'")
    later = make_schedule(next_run=NOW + timedelta(seconds=1))
    used_up = make_schedule(repeats=0)
    assert run_due_schedules(NOW) == 1
    schedule.refresh_from_db()
    state = ScheduleState.objects.get(schedule=schedule)
    assert schedule.next_run == DUE + timedelta(hours=1)
    assert (state.last_run_at, state.last_error, state.is_enabled) == (NOW, "", True)
    assert schedule.task == state.last_job_id.hex
    assert client().hget(keys().job(str(state.last_job_id)), "t") == b"note_for_schedule_tests"
    assert not ScheduleState.objects.filter(schedule__in=[later, used_up]).exists()
    assert run_due_schedules(NOW) == 0
    assert queued_jobs() == 1


def test_it_runs_once_for_all_that_an_outage_of_ten_hours_missed():
    schedule = make_schedule(schedule_type="C", cron="* * * * * */30", next_run=NOW - timedelta(hours=10))
    assert run_due_schedules(NOW) == 1
    schedule.refresh_from_db()
    assert schedule.next_run == NOW + timedelta(seconds=20)


def test_it_makes_up_for_missed_runs_where_catch_up_is_on_but_not_without_end(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "catch_up": True}
    schedule = make_schedule(next_run=NOW - timedelta(days=30))
    runs = 0
    while run_due_schedules(NOW):
        runs += 1
    schedule.refresh_from_db()
    assert 24 <= runs <= 26
    assert NOW < schedule.next_run <= NOW + timedelta(hours=1)


def test_it_gives_one_job_for_one_due_time_even_when_the_commit_was_lost():
    schedule = make_schedule()
    run_due_schedules(NOW)
    first = ScheduleState.objects.get(schedule=schedule).last_job_id
    Schedule.objects.filter(pk=schedule.pk).update(next_run=DUE)
    run_due_schedules(NOW)
    assert ScheduleState.objects.get(schedule=schedule).last_job_id == first
    assert queued_jobs() == 1


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_racing_over_many_due_rows_give_one_job_each():
    Schedule.objects.bulk_create(
        [Schedule(func="note_for_schedule_tests", schedule_type="H", next_run=DUE, repeats=-1) for _ in range(60)]
    )
    runs: list[int] = []
    barrier = threading.Barrier(2)

    def tick() -> None:
        barrier.wait()
        runs.append(run_due_schedules(NOW))
        connections.close_all()

    threads = [threading.Thread(target=tick) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(runs) == 60
    assert queued_jobs() == 60


@pytest.mark.parametrize(
    "fields",
    [
        {"func": "os.system"},
        {"func": "no_such_task"},
        {"func": "unschedulable_for_schedule_tests"},
        {"args": "__import__('os')"},
        {"args": "'not a number'"},
        {"kwargs": "colour='red'"},
        {"schedule_type": "C", "cron": "61 * * * *"},
        {"schedule_type": "C", "cron": "0 0 30 2 *"},
        {"schedule_type": "C", "cron": None},
        {"schedule_type": "I", "minutes": 0},
        {"schedule_type": "?"},
        {"hook": "os.remove"},
        {"intended_date_kwarg": "colour"},
    ],
)
def test_a_row_that_cannot_run_is_switched_off_with_its_reason_and_the_others_run(fields):
    bad = make_schedule(next_run=DUE - timedelta(days=1), **fields)
    good = make_schedule()
    assert run_due_schedules(NOW) == 1
    state = ScheduleState.objects.get(schedule=bad)
    assert not state.is_enabled
    assert state.last_error
    assert state.last_job_id is None
    assert ScheduleState.objects.get(schedule=good).last_job_id
    assert queued_jobs() == 1
    assert run_due_schedules(NOW + timedelta(seconds=1)) == 0
    assert upcoming_runs(bad) == []


@pytest.mark.parametrize("path", ["", f"{__name__}."])
def test_a_task_of_another_version_is_left_to_the_schedulers_that_know_it(staff, monkeypatch, path):
    """`migrate` makes the schedules of the new version, and the clusters of the former one run on."""
    schedule = make_schedule(func=f"{path}task_of_the_next_version")
    assert run_due_schedules(NOW) == 0
    schedule.refresh_from_db()
    assert (schedule.state.is_enabled, schedule.next_run) == (True, DUE)
    assert "task_of_the_next_version" in schedule.state.last_error
    assert run_due_schedules(NOW + timedelta(hours=2)) == 0
    schedule.state.refresh_from_db()
    assert not schedule.state.is_enabled

    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    @task(queue="cleanup", schedulable=True)
    def task_of_the_next_version() -> None:
        """A task that became known."""

    assert run_due_schedules(NOW + timedelta(hours=2, seconds=1)) == 1
    schedule.state.refresh_from_db()
    assert (schedule.state.is_enabled, schedule.state.last_error) == (True, "")
    disable(schedule, staff)
    assert run_due_schedules(NOW + timedelta(days=1)) == 0


def test_a_row_that_fails_in_an_unforeseen_way_holds_up_no_other(monkeypatch):
    odd, good = make_schedule(args="(1,)"), make_schedule(args="(2,)")
    resolve = schedules.resolve_call

    def fail(schedule, due, time_zone):
        if schedule.pk == odd.pk:
            raise LookupError("caf\udce9")
        return resolve(schedule, due, time_zone)

    monkeypatch.setattr(schedules, "resolve_call", fail)
    assert run_due_schedules(NOW) == 1
    odd.refresh_from_db()
    good.refresh_from_db()
    assert (odd.state.is_enabled, odd.state.last_error) == (True, "caf\\udce9")
    assert odd.next_run <= NOW < good.next_run


def test_an_unknown_time_zone_switches_only_that_row_off():
    schedule = make_schedule(schedule_type="D")
    ScheduleState.objects.create(schedule=schedule, time_zone="Mars/Olympus")
    run_due_schedules(NOW)
    assert "Mars/Olympus" in ScheduleState.objects.get(schedule=schedule).last_error


def test_rows_stay_due_while_the_queue_server_is_away(settings):
    schedule = make_schedule()
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "unix:///nowhere/there.sock"}
    engine_config.cache_clear()
    _client_of_process.cache_clear()
    try:
        assert run_due_schedules(NOW) == 0
    finally:
        settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": settings.REDIS_URL}
        engine_config.cache_clear()
        _client_of_process.cache_clear()
    schedule.refresh_from_db()
    assert schedule.next_run == DUE
    assert run_due_schedules(NOW) == 1


def test_a_count_of_repeats_runs_down_to_zero():
    schedule = make_schedule(repeats=2)
    assert run_due_schedules(NOW) == 1
    assert run_due_schedules(NOW + timedelta(hours=1)) == 1
    assert run_due_schedules(NOW + timedelta(hours=9)) == 0
    schedule.refresh_from_db()
    assert schedule.repeats == 0


def test_a_row_that_runs_once_is_deleted_or_kept_at_rest_as_in_django_q2():
    gone = make_schedule(schedule_type="O", repeats=-1)
    kept = make_schedule(schedule_type="O", repeats=1)
    assert run_due_schedules(NOW) == 2
    assert list(Schedule.objects.all()) == [kept]
    kept.refresh_from_db()
    assert (kept.repeats, kept.next_run) == (0, DUE)
    assert not ScheduleState.objects.filter(pk=gone.pk).exists()


def test_it_passes_the_intended_date():
    schedule = make_schedule(intended_date_kwarg="day", schedule_type="D", next_run=NOW - timedelta(hours=3))
    assert run_due_schedules(NOW) == 1
    job_id = ScheduleState.objects.get(schedule=schedule).last_job_id
    payload = client().hget(keys().job(str(job_id)), "p")
    assert (NOW - timedelta(hours=3)).isoformat().encode() in payload


def test_a_daily_row_keeps_its_local_time_and_a_monthly_row_its_day():
    daily = make_schedule(schedule_type="D", next_run=datetime(2026, 3, 7, 12, 0, tzinfo=UTC))  # 07:00 in New York
    monthly = make_schedule(schedule_type="M", next_run=datetime(2026, 1, 31, 12, 0, tzinfo=UTC))
    ScheduleState.objects.create(schedule=daily, time_zone="America/New_York")
    run_due_schedules(datetime(2026, 3, 7, 13, 0, tzinfo=UTC))
    days = []
    for _ in range(3):
        monthly.refresh_from_db()
        days.append(monthly.next_run.strftime("%m-%d"))
        run_due_schedules(monthly.next_run)
    daily.refresh_from_db()
    assert days == ["03-31", "04-30", "05-31"]
    assert daily.next_run == datetime(2026, 6, 1, 11, 0, tzinfo=UTC)


def test_an_idle_tick_is_one_query():
    make_schedule(next_run=NOW + timedelta(hours=1))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert run_due_schedules(NOW) == 0
    assert len(queries) == 1


def test_the_due_query_uses_its_index_in_a_large_table():
    Schedule.objects.bulk_create(
        [Schedule(func="x", next_run=NOW + timedelta(minutes=n), repeats=-1) for n in range(1, 3000)]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE django_q_schedule")
    assert "tasks_app_schedule_due" in Schedule.objects.filter(next_run__lte=NOW).exclude(repeats=0).explain()


def test_staff_can_run_one_now_and_it_is_written_down(staff):
    schedule = make_schedule(next_run=NOW + timedelta(days=900), args="3")
    job_id = run_now(schedule, staff)
    assert isinstance(job_id, UUID)
    assert queued_jobs() == 1
    action = JobAction.objects.get(job_id=job_id)
    assert (action.user, action.verb, action.task) == (staff, "start", "note_for_schedule_tests")
    schedule.refresh_from_db()
    assert (schedule.task, schedule.next_run) == (job_id.hex, NOW + timedelta(days=900))


def test_running_a_wrong_row_now_says_why_and_writes_nothing(staff):
    with pytest.raises(InvalidArguments):
        run_now(make_schedule(args="'x'"), staff)
    with pytest.raises(InvalidSchedule):
        run_now(make_schedule(func="unschedulable_for_schedule_tests"), staff)
    assert not JobAction.objects.exists()
    assert queued_jobs() == 0


def test_a_row_that_is_off_does_not_run_and_does_not_make_up_for_it_when_it_is_on_again(staff):
    schedule = make_schedule()
    disable(schedule, staff)
    assert run_due_schedules(NOW) == 0
    enable(schedule, staff)
    schedule.refresh_from_db()
    assert schedule.next_run > datetime.now(UTC)
    assert run_due_schedules(NOW) == 0
    assert LogEntry.objects.filter(user=staff, object_id=str(schedule.pk)).count() == 2


def test_a_wrong_row_cannot_be_switched_on(staff):
    schedule = make_schedule(args="'x'")
    run_due_schedules(NOW)
    with pytest.raises(ValidationError):
        enable(schedule, staff)
    assert not ScheduleState.objects.get(schedule=schedule).is_enabled


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"func": "os.system"}, "func"),
        ({"func": ""}, "func"),
        ({"func": "unschedulable_for_schedule_tests"}, "func"),
        ({"args": "1 +"}, "args"),
        ({"args": "'seven'"}, "args"),
        ({"args": "1, 'a', 'b', 'c'"}, "args"),
        ({"kwargs": "[1]"}, "kwargs"),
        ({"kwargs": "colour=1"}, "kwargs"),
        ({"schedule_type": "C", "cron": "x"}, "cron"),
        ({"schedule_type": "I", "minutes": 0}, "minutes"),
        ({"schedule_type": "?"}, "schedule_type"),
        ({"hook": "os.remove"}, "hook"),
        ({"cluster": "reports"}, "cluster"),
        ({"intended_date_kwarg": "no name"}, "intended_date_kwarg"),
    ],
)
def test_validation_names_the_field_that_is_wrong(fields, field):
    with pytest.raises(ValidationError) as refused:
        validate_schedule(Schedule(**{"func": "note_for_schedule_tests", "schedule_type": "H", **fields}))
    assert field in refused.value.message_dict


def test_validation_accepts_a_dotted_path_to_a_task_and_checks_the_time_zone():
    path = f"{__name__}.note_for_schedule_tests"
    validate_schedule(Schedule(func=path, schedule_type="H", cluster="cleanup"), time_zone="America/Sao_Paulo")
    for wrong in ("Nowhere", "../etc/passwd", "\0"):
        with pytest.raises(ValidationError) as refused:
            validate_schedule(Schedule(func=path, schedule_type="H"), time_zone=wrong)
        assert "time_zone" in refused.value.message_dict


def test_saving_a_cron_row_computes_its_next_run_in_its_own_zone():
    schedule = Schedule(func="note_for_schedule_tests", schedule_type="C", cron="0 7 * * *", repeats=-1)
    save_schedule(schedule, user=SHELL, time_zone="America/Sao_Paulo", now=NOW)
    assert upcoming_runs(schedule, now=NOW) == [datetime(2026, 3, day, 10, 0, tzinfo=UTC) for day in (11, 12, 13)]


def test_upcoming_runs_end_with_the_count_of_repeats():
    assert len(upcoming_runs(make_schedule(repeats=2), now=NOW)) == 2
    assert len(upcoming_runs(make_schedule(schedule_type="O"), now=NOW)) == 1
    assert upcoming_runs(make_schedule(next_run=None), now=NOW) == []


def test_the_default_schedules_are_created_once_in_the_future_and_can_be_taken_back():
    keep = make_schedule(name="cleanup_old_events", func="note_for_schedule_tests", next_run=NOW)
    for _ in range(2):
        defaults.create_schedules(apps, None)
    rows = {schedule.name: schedule for schedule in Schedule.objects.all()}
    assert set(rows) == set(defaults.DEFAULT_SCHEDULES)
    assert len(rows) == Schedule.objects.count()
    assert rows["cleanup_old_events"] == keep
    assert all(row.next_run > datetime.now(UTC) for row in rows.values() if row != keep)
    assert rows["drain_position_inbox"].next_run.second in (0, 30)
    defaults.delete_schedules(apps, None)
    assert list(Schedule.objects.all()) == [keep]


@pytest.mark.parametrize("name", sorted(defaults.DEFAULT_SCHEDULES))
def test_every_default_schedule_names_a_registered_schedulable_task_that_needs_no_arguments(name):
    found = get_task(name)
    assert found.schedulable
    found.arguments.check([], {})
