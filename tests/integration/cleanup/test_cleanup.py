"""Rows that each cleanup removes, and rows that it must leave alone."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction
from knox.models import AuthToken

from notifications_app.models import Notification
from tasks_app.engine import JobCancelled, enqueue, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import DeviceState, Event, Job, Position
from tasks_app.services.cleanup import position_days, runs
from tasks_app.services.cleanup.duplicates import remove_duplicate_positions
from tasks_app.services.cleanup.events import remove_old_events
from tasks_app.services.cleanup.orphans import remove_orphaned_data
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.cleanup.runs import Run, run_exclusively
from tasks_app.services.partitions import (
    ensure_partitions,
    list_partitions,
    partition_name,
)
from tasks_app.signals import orphans_cleanup_requested
from tests.support.cleanup_cases import CASES

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_partitions")]


def store(device_id: int, *times: datetime, latitude: float = -23.5) -> None:
    ensure_partitions(times)
    Position.objects.bulk_create(
        [
            Position(device_id=device_id, fix_time=at, received_at=at, latitude=latitude, longitude=-46.6, speed_kph=0)
            for at in times
        ]
    )


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def stored_times(device_id: int) -> list[datetime]:
    return list(Position.objects.filter(device_id=device_id).order_by("fix_time").values_list("fix_time", flat=True))


def set_state(device, at: datetime) -> None:
    DeviceState.objects.create(device=device, fix_time=at, latitude=-23.5, longitude=-46.6)


def test_old_days_of_positions_are_dropped_whole_and_newer_ones_stay(device):
    store(device.pk, days_ago(60), days_ago(31), days_ago(30), days_ago(29), NOW)
    set_state(device, NOW)
    done = remove_old_positions(days_to_keep=30, now=NOW)
    assert stored_times(device.pk) == [days_ago(30), days_ago(29), NOW]
    assert (done["rows"], done["partitions_dropped"], done["positions_kept"]) == (2, 2, 0)
    assert done["bytes"] > 0
    assert done["seconds"] >= 0
    assert partition_name(days_ago(31).date()) not in dict(list_partitions())


def test_the_last_known_position_of_every_device_survives_any_setting(make_device, monkeypatch):
    monkeypatch.setattr(position_days, "BATCH_PAGES", 1)
    silent, lively = make_device(), make_device()
    old = days_ago(400)
    store(silent.pk, *[old + timedelta(seconds=second) for second in range(10)])
    store(lively.pk, *[old + timedelta(seconds=second) for second in range(10)], NOW)
    set_state(silent, old + timedelta(seconds=9))
    set_state(lively, NOW)
    done = remove_old_positions(days_to_keep=1, now=NOW)
    assert stored_times(silent.pk) == [old + timedelta(seconds=9)]
    assert stored_times(lively.pk) == [NOW]
    assert (done["rows"], done["positions_kept"], done["partitions_dropped"]) == (19, 1, 0)
    DeviceState.objects.filter(device=silent).update(fix_time=NOW)
    assert remove_old_positions(days_to_keep=1, now=NOW)["partitions_dropped"] == 1


def test_a_dry_run_says_what_would_go_and_leaves_everything(make_device):
    silent, lively = make_device(), make_device()
    store(silent.pk, days_ago(50), days_ago(40))
    store(lively.pk, days_ago(40), days_ago(50), NOW)
    set_state(silent, days_ago(40))
    set_state(lively, NOW)
    would = remove_old_positions(days_to_keep=30, now=NOW, dry_run=True)
    assert Position.objects.count() == 5
    did = remove_old_positions(days_to_keep=30, now=NOW)
    for figure in ("rows", "bytes", "partitions_dropped", "positions_kept"):
        assert would[figure] == did[figure]
    assert Position.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_day_whose_table_is_busy_is_left_for_the_next_run(device):
    store(device.pk, days_ago(40), NOW)
    is_writing, is_done = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            store(device.pk, NOW + timedelta(seconds=1))
            is_writing.set()
            is_done.wait(60)
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    assert is_writing.wait(30)
    busy = remove_old_positions(days_to_keep=30, now=NOW)
    is_done.set()
    writer.join()
    assert busy["postponed"] == [partition_name(days_ago(40).date())]
    assert (busy["rows"], busy["partitions_dropped"]) == (0, 0)
    assert remove_old_positions(days_to_keep=30, now=NOW)["partitions_dropped"] == 1
    assert len(stored_times(device.pk)) == 2


def test_old_events_go_and_their_notifications_stay(device, staff):
    old, recent, still_open = [
        Event.objects.create(device=device, kind="overspeed", occurred_at=at)
        for at in (days_ago(91), days_ago(89), days_ago(200))
    ]
    DeviceState.objects.create(device=device, overspeed_event_id=still_open.pk)
    notification = Notification.objects.create(
        user=staff, kind="speed", event=old, dedupe_key="1", subject="s", body_text="t"
    )
    assert remove_old_events(days_to_keep=90, now=NOW, dry_run=True)["rows"] == 1
    assert Event.objects.count() == 3
    assert remove_old_events(days_to_keep=90, now=NOW)["rows"] == 1
    assert set(Event.objects.all()) == {recent, still_open}
    notification.refresh_from_db()
    assert notification.event is None


def test_deleting_goes_in_bounded_batches_and_stops_between_them_when_cancelled(device):
    Event.objects.bulk_create([Event(device=device, kind="overspeed", occurred_at=days_ago(100)) for _ in range(25)])
    reports = []
    job = CurrentJob(
        report_progress=reports.append, is_cancelled=lambda: (job.last_progress or {}).get("current") == 20
    )
    set_current_job(job)
    try:
        with pytest.raises(JobCancelled):
            runs.delete_in_batches(Event.objects.all(), Run(dry_run=False), order_by="occurred_at", batch_rows=10)
    finally:
        set_current_job(None)
    assert Event.objects.count() == 5
    assert reports[0] == {"current": 10, "total": 25, "message": "tasks_app.Event"}


def test_a_row_that_changes_after_its_key_was_read_is_judged_anew(monkeypatch):
    for key in ("old", "prolonged"):
        Session.objects.create(session_key=key, session_data="", expire_date=NOW - timedelta(seconds=1))

    def prolonged(run: Run, *, at_window_end: bool = True) -> nullcontext[None]:
        if not at_window_end:
            Session.objects.filter(session_key="prolonged").update(expire_date=NOW + timedelta(days=14))
        return nullcontext()

    monkeypatch.setattr(Run, "interruptible", prolonged)
    assert runs.delete_in_batches(Session.objects.filter(expire_date__lt=NOW), Run(dry_run=False)) == 1
    assert Session.objects.get().session_key == "prolonged"


def test_expired_sessions_and_tokens_go(staff):
    now = datetime.now(UTC)
    for key, expires in (("old", now - timedelta(minutes=1)), ("new", now + timedelta(hours=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires)
    AuthToken.objects.create(user=staff, expiry=timedelta(seconds=-60))
    AuthToken.objects.create(user=staff, expiry=timedelta(hours=1))
    AuthToken.objects.create(user=staff, expiry=None)
    cleanup = get_task("cleanup_expired_sessions")
    assert cleanup(dry_run=True)["rows"] == 2
    done = cleanup()
    assert (done["sessions"], done["tokens"]) == (1, 1)
    assert [session.session_key for session in Session.objects.all()] == ["new"]
    assert AuthToken.objects.count() == 2


def test_job_history_goes_by_state_and_age():
    def job(state: str, days: float) -> Job:
        at = datetime.now(UTC) - timedelta(days=days)
        return Job.objects.create(
            id=uuid4(), task="t", queue="cleanup", state=state, created_at=at, finished_at=at, attempts=[]
        )

    kept = [job("succeeded", 6.9), job("failed", 29), job("cancelled", 8)]
    gone = [job("succeeded", 7.1), job("failed", 31), job("cancelled", 31)]
    cleanup = get_task("cleanup_job_history")
    assert cleanup(dry_run=True)["rows"] == len(gone)
    done = cleanup()
    assert (done["succeeded"], done["failed"], done["rows"]) == (1, 2, 3)
    assert set(Job.objects.all()) == set(kept)


def test_near_duplicates_go_and_the_last_known_position_stays(make_device):
    moving, parked = make_device(), make_device()
    start = days_ago(1)
    store(moving.pk, start, start + timedelta(seconds=0.4), start + timedelta(seconds=5))
    store(moving.pk, start + timedelta(seconds=5.5), latitude=-23.501)
    store(parked.pk, start, start + timedelta(seconds=0.5))
    store(parked.pk, days_ago(5), days_ago(5) + timedelta(seconds=0.5))
    set_state(moving, start + timedelta(seconds=5.5))
    set_state(parked, start + timedelta(seconds=0.5))
    assert remove_duplicate_positions(now=NOW, dry_run=True)["rows"] == 1
    assert Position.objects.count() == 8
    assert remove_duplicate_positions(now=NOW)["rows"] == 1
    assert [(at - start).total_seconds() for at in stored_times(moving.pk)] == [0, 5, 5.5]
    assert len(stored_times(parked.pk)) == 4
    assert remove_duplicate_positions(now=NOW)["rows"] == 0


def test_a_duplicate_across_midnight_is_found_once(device):
    midnight = datetime(2026, 3, 9, tzinfo=UTC)
    store(device.pk, midnight - timedelta(seconds=0.3), midnight + timedelta(seconds=0.3))
    assert remove_duplicate_positions(now=NOW, dry_run=True)["rows"] == 1
    assert remove_duplicate_positions(now=NOW)["rows"] == 1
    assert stored_times(device.pk) == [midnight - timedelta(seconds=0.3)]


def test_fixes_that_just_came_in_are_not_judged_yet(device):
    store(device.pk, NOW - timedelta(minutes=5), NOW - timedelta(minutes=5, seconds=-0.5))
    assert remove_duplicate_positions(now=NOW)["rows"] == 0


def test_positions_of_deleted_devices_go_and_other_packages_are_asked(make_device, monkeypatch):
    monkeypatch.setattr("tasks_app.services.cleanup.orphans.BATCH_ROWS", 2)
    stays, goes, goes_too = make_device(), make_device(), make_device()
    for each in (stays, goes, goes_too):
        store(each.pk, *[days_ago(2) + timedelta(minutes=minute) for minute in range(5)], days_ago(1))
    goes.delete()
    goes_too.delete()
    asked = []

    def answer(sender, now, dry_run, **kwargs):
        asked.append(dry_run)
        return {"files": 4}

    orphans_cleanup_requested.connect(answer)
    try:
        assert remove_orphaned_data(now=NOW, dry_run=True)["positions"] == 12
        assert Position.objects.count() == 18
        done = remove_orphaned_data(now=NOW)
    finally:
        orphans_cleanup_requested.disconnect(answer)
    assert (done["positions"], done["files"]) == (12, 4)
    assert done["rows"] >= 16
    assert asked == [True, False]
    assert len(stored_times(stays.pk)) == 6
    assert Position.objects.count() == 6


@pytest.mark.django_db(transaction=True)
def test_the_lock_is_given_back_after_a_failure():
    def fail(run: Run) -> dict:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        return {}

    with pytest.raises(Exception, match="division"):
        run_exclusively("failing", fail)
    outcomes = []

    def again() -> None:
        outcomes.append(run_exclusively("failing", lambda run: {"rows": 0}))
        connections.close_all()

    other = threading.Thread(target=again)
    other.start()
    other.join()
    assert outcomes[0]["rows"] == 0


def test_cleanups_run_as_jobs(run_jobs, device, staff):
    store(device.pk, datetime.now(UTC) - timedelta(days=40), datetime.now(UTC))
    job_ids = [enqueue(name) for name in CASES] + [enqueue("optimize_database", dry_run=True)]
    run_jobs("cleanup")
    jobs = Job.objects.in_bulk(job_ids)
    assert {job.task: job.state for job in jobs.values() if job.state != "succeeded"} == {}
    assert len(jobs) == len(job_ids)
    assert next(job for job in jobs.values() if job.task == "cleanup_old_positions").result["partitions_dropped"] == 1
