"""Promises of every cleanup: a dry run tells the truth; it can be cancelled, killed and timed out, and goes on after it."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from django.db import DatabaseError, InterfaceError, connection, connections

from reports_app.services.retention import expiry
from tasks_app.engine import JobCancelled, get_task, registered_tasks
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.services.cleanup import cache_entries, duplicates, orphans, runs
from tasks_app.services.cleanup.runs import run_exclusively
from tests.support.cleanup_cases import CASES, Case
from tests.support.retention import drop_all_partitions

pytestmark = pytest.mark.django_db
# What removes nothing has tests of its own.
UPKEEP = {
    "optimize_database",
    "sample_table_sizes",
    "prepare_position_partitions",
    "update_device_days",
    "check_system",
    "change_jobs",
}


@pytest.fixture(autouse=True)
def surroundings(db, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    drop_all_partitions()
    yield
    if not connection.in_atomic_block:
        drop_all_partitions()


@pytest.fixture
def small_steps(monkeypatch) -> None:
    """So that there are several steps to be interrupted between."""
    monkeypatch.setattr(runs.delete_in_batches, "__kwdefaults__", {"order_by": "pk", "batch_rows": 2})
    monkeypatch.setattr(orphans, "BATCH_ROWS", 2)
    monkeypatch.setattr(duplicates, "BATCH_ROWS", 2)
    monkeypatch.setattr(cache_entries, "_SCAN_KEYS", 1)
    monkeypatch.setattr(expiry, "BATCH_REPORTS", 1)


@pytest.fixture(params=sorted(CASES))
def name(request) -> str:
    return request.param


@pytest.fixture
def case(name, make_device, staff) -> Case:
    """Each task in turn, with something to remove."""
    found = CASES[name]
    found.make(make_device, staff)
    assert found.count() == found.going + found.kept
    return found


@pytest.fixture
def in_job():
    """Run as a job of these wishes: `in_job(is_cancelled=..., report_progress=...)`."""
    yield lambda **wishes: set_current_job(CurrentJob(**wishes))
    set_current_job(None)


def test_every_task_of_the_cleanup_queue_is_in_the_table():
    ours = {task.name for task in registered_tasks() if not task.function.__module__.startswith("tests.")}
    assert {name for name in ours if get_task(name).queue == "cleanup"} == {*CASES, *UPKEEP}


def test_a_dry_run_says_what_a_run_then_does(name, case):
    task = get_task(name)
    would = task(dry_run=True)
    assert case.count() == case.going + case.kept
    did = task()
    assert case.count() == case.kept
    assert (would["dry_run"], did["dry_run"]) == (True, False)
    assert would["rows"] == did["rows"] > 0
    assert {table: figures["rows"] for table, figures in would["tables"].items()} == {
        table: figures["rows"] for table, figures in did["tables"].items()
    }
    assert would["bytes"] == pytest.approx(did["bytes"], rel=0.2)
    assert did["bytes"] > 0
    assert did["bytes"] == sum(figures["bytes"] for figures in did["tables"].values())
    assert did["seconds"] >= 0
    assert (did["finished"], task()["rows"]) == (True, 0)


def test_it_removes_nothing_when_it_was_cancelled_before_it_began(name, case, in_job):
    in_job(is_cancelled=lambda: True)
    for dry_run in (True, False):
        with pytest.raises(JobCancelled):
            get_task(name)(dry_run=dry_run)
    assert case.count() == case.going + case.kept


def test_it_goes_on_where_it_was_cancelled(name, case, in_job, small_steps):
    left = case.count()
    for questions in (1, 2, 3):
        answers = iter([False] * questions)
        in_job(is_cancelled=lambda answers=answers: next(answers, True))
        try:
            get_task(name)()
        except JobCancelled:
            assert case.kept <= case.count() <= left
        left = case.count()
    in_job()
    assert get_task(name)()["finished"] is True
    assert case.count() == case.kept


def test_it_stops_past_its_time_and_the_next_run_goes_on(name, case):
    first = get_task(name)(max_seconds=1e-6)
    assert (first["finished"], first["rows"], case.count()) == (False, 0, case.going + case.kept)
    assert get_task(name)()["finished"] is True
    assert case.count() == case.kept


def test_it_says_how_far_it_is(name, case, in_job, small_steps):
    said: list[dict] = []
    in_job(report_progress=said.append)
    get_task(name)()
    assert said
    assert all(progress["total"] is None or 0 < progress["current"] <= progress["total"] for progress in said)


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_after_its_connection_was_cut(name, case, in_job, small_steps):
    """As when the database restarts, or the worker is killed: what was not committed is as before."""
    pid = connection.connection.info.backend_pid

    def cut() -> None:
        another = connections.create_connection("default")
        with another.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        another.close()

    asked: list[None] = []

    def cut_at_the_second_question() -> bool:
        asked.append(None)
        if len(asked) == 2:
            cut()
        return False

    in_job(is_cancelled=cut_at_the_second_question)
    with suppress(DatabaseError, InterfaceError):
        get_task(name)()
    connection.close()
    assert len(asked) >= 2
    assert case.kept <= case.count() <= case.going + case.kept
    in_job()
    assert get_task(name)()["finished"] is True
    assert case.count() == case.kept


@pytest.mark.django_db(transaction=True)
def test_a_second_run_beside_the_first_declines(name):
    is_running, may_end = threading.Event(), threading.Event()

    def work(run) -> dict:
        is_running.set()
        may_end.wait(30)
        return {}

    def first() -> None:
        run_exclusively(CASES[name].lock, work)
        connections.close_all()

    other = threading.Thread(target=first)
    other.start()
    assert is_running.wait(30)
    try:
        assert get_task(name)() == {"skipped": "already running"}
    finally:
        may_end.set()
        other.join()
    assert "skipped" not in get_task(name)()
