"""Upkeep: indexes, queues, files, duplicates, and that a run stops at once, whatever it is in the middle of."""

from __future__ import annotations

import itertools
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from tasks_app.engine import JobCancelled, enqueue, get_task
from tasks_app.engine.connection import client
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.engine.keys import GROUP
from tasks_app.engine.live import repair_queue
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Device, Event, Job, PositionUpload, RetentionSettings
from tasks_app.services.cleanup import index_bloat
from tasks_app.services.cleanup.duplicates import remove_duplicate_positions
from tasks_app.services.cleanup.index_bloat import unfinished_indexes
from tasks_app.services.cleanup.optimize import optimize_tables
from tasks_app.services.cleanup.orphans import remove_orphaned_data
from tasks_app.services.cleanup.runs import Run, run_exclusively
from tests.support.cluster import allowed
from tests.support.retention import NOW, days_ago, drop_all_partitions, make_event, set_state, store, stored_times

pytestmark = pytest.mark.django_db
NIGHT = datetime(2026, 3, 10, 3, tzinfo=UTC)


def execute(sql: str, *values: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


# --- The database ---


@pytest.fixture
def bloated(transactional_db, device, monkeypatch) -> str:
    """The index of a table of which nearly all rows are gone."""
    monkeypatch.setattr(index_bloat, "MIN_BYTES", 64 * 1024)
    monkeypatch.setattr(index_bloat.bloated_indexes, "__kwdefaults__", {"min_bytes": 64 * 1024})
    execute("ALTER TABLE tasks_app_event SET (autovacuum_enabled = false)")
    Event.objects.bulk_create([Event(device=device, kind="alarm", occurred_at=NOW) for _ in range(20_000)])
    Event.objects.filter(pk__gt=Event.objects.first().pk - 19_800).delete()
    execute("VACUUM (ANALYZE) tasks_app_event")
    yield "tasks_app_event_pkey"
    execute("ALTER TABLE tasks_app_event RESET (autovacuum_enabled)")


def test_a_bloated_index_is_built_anew_and_says_how_much_smaller_it_became(bloated):
    would = optimize_tables(now=NIGHT, dry_run=True)
    assert bloated in {entry.get("index") for entry in would["optimized"]}
    done = optimize_tables(now=NIGHT)
    report = next(entry for entry in done["optimized"] if entry.get("index") == bloated)
    assert report["bytes_after"] < report["bytes_before"] / 2
    assert done["bytes"] >= report["bytes_before"] - report["bytes_after"]
    assert bloated not in {entry.get("index") for entry in optimize_tables(now=NIGHT)["optimized"]}


@pytest.mark.django_db(transaction=True)
def test_what_an_interrupted_reindex_left_behind_is_dropped():
    execute("CREATE INDEX event_kind_ccnew ON tasks_app_event (kind)")
    execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'event_kind_ccnew'::regclass")
    assert unfinished_indexes() == ["event_kind_ccnew"]
    optimize_tables(now=NIGHT, dry_run=True)
    assert unfinished_indexes() == ["event_kind_ccnew"]
    optimize_tables(now=NIGHT)
    assert unfinished_indexes() == []


@pytest.mark.django_db(transaction=True)
def test_the_database_is_not_optimized_in_business_hours_unless_asked(settings):
    settings.BUSINESS_HOURS, settings.TIME_ZONE = "08:00-18:00", "America/Sao_Paulo"
    tuesday_in_brazil = datetime(2026, 3, 10, 12, tzinfo=UTC)
    assert optimize_tables(now=tuesday_in_brazil) == {"skipped": "business hours"}
    assert optimize_tables(now=tuesday_in_brazil, force=True)["finished"] is True
    assert optimize_tables(now=tuesday_in_brazil, dry_run=True)["finished"] is True
    assert optimize_tables(now=datetime(2026, 3, 10, 22, tzinfo=UTC))["finished"] is True
    RetentionSettings.objects.create(pk=1, business_hours="01:00-02:00")
    assert optimize_tables(now=tuesday_in_brazil)["finished"] is True


@pytest.mark.django_db(transaction=True)
def test_a_run_that_began_at_night_ends_when_people_begin_to_work(settings, device):
    settings.BUSINESS_HOURS, settings.TIME_ZONE = "08:00-18:00", "America/Sao_Paulo"
    drop_all_partitions()
    store(device, NOW)  # a table that nobody has analyzed yet
    nearly_eight = datetime(2026, 3, 10, 10, 59, 59, 999_999, tzinfo=UTC)
    assert optimize_tables(now=nearly_eight)["finished"] is False
    assert optimize_tables(now=nearly_eight, force=True)["finished"] is True


# --- Stopping at once ---


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("why", ["cancelled", "time"])
def test_a_long_statement_ends_within_a_second_when_the_job_is_to_stop(why):
    asked = threading.Event()
    set_current_job(CurrentJob(is_cancelled=asked.is_set))
    threading.Timer(0.2, asked.set if why == "cancelled" else int).start()

    def work(run: Run) -> dict:
        with run.interruptible():
            execute("SELECT pg_sleep(60)")
        return {"went_on": run.has_time()}

    began = time.monotonic()
    try:
        if why == "cancelled":
            with pytest.raises(JobCancelled):
                run_exclusively("sleeping", work)
        else:
            done = run_exclusively("sleeping", work, max_seconds=0.2)
            assert (done["went_on"], done["finished"]) == (False, False)
    finally:
        set_current_job(None)
    # A minute is what it would take if nothing stopped it.
    assert time.monotonic() - began < allowed(30)
    assert run_exclusively("sleeping", lambda run: {})["finished"] is True


# --- Redis ---


@pytest.fixture
def queue() -> JobQueue:
    return JobQueue("cleanup", client())


def test_a_live_job_that_lost_its_place_is_queued_again_and_runs(queue, run_jobs):
    waiting, delayed = enqueue("cleanup_expired_sessions"), get_task("cleanup_cache").apply_async(countdown=3600)
    for stream in queue.keys.streams:
        queue.client.delete(stream)
    queue.client.delete(queue.keys.delayed)
    assert repair_queue("cleanup", apply=False)["lost_jobs"] == 2
    assert run_jobs("cleanup") == 0
    assert repair_queue("cleanup", apply=True)["lost_jobs"] == 2
    assert repair_queue("cleanup", apply=True)["lost_jobs"] == 0
    run_jobs("cleanup")
    assert set(Job.objects.values_list("pk", "state")) == {(waiting, "succeeded"), (delayed, "succeeded")}


def test_jobs_in_their_place_are_left_alone(queue, run_jobs):
    enqueue("cleanup_expired_sessions")
    get_task("cleanup_cache").apply_async(countdown=3600, unique_key="one")
    queue.create_groups()
    queue.fetch("consumer", 1)
    enqueue("cleanup_expired_sessions")
    before = sorted(queue.client.scan_iter(queue.keys.tag + "*"))
    assert set(repair_queue("cleanup", apply=True).values()) == {0}
    assert sorted(queue.client.scan_iter(queue.keys.tag + "*")) == before


def test_remains_without_payload_and_free_unique_keys_go(queue):
    queue.client.hset(queue.keys.job(str(uuid4())), mapping={"st": "running", "sid": "1-1"})
    queue.client.set(queue.keys.unique("x"), str(uuid4()))
    found = repair_queue("cleanup", apply=False)
    assert (found["job_remains"], found["unique_keys"]) == (1, 1)
    assert repair_queue("cleanup", apply=True) == found
    assert set(repair_queue("cleanup", apply=True).values()) == {0}
    assert list(queue.client.scan_iter(queue.keys.tag + "job:*")) == []


def test_a_job_that_ended_without_its_row_gets_it(queue, run_jobs):
    from tasks_app.engine.ended_rows import record_ended

    job_id = enqueue("cleanup_expired_sessions")
    queue.cancel(str(job_id), {"by": None, "reason": "no use"})
    queue.client.delete(queue.keys.ended)
    assert repair_queue("cleanup", apply=True)["job_remains"] == 1
    assert record_ended(queue) == 1
    assert Job.objects.get(pk=job_id).state == "cancelled"


def test_consumers_that_are_described_but_never_beat_are_forgotten(queue):
    queue.create_groups()
    queue.client.hset(queue.keys.consumers, "ghost", "{}")
    queue.beat({"alive": "{}"})
    assert repair_queue("cleanup", apply=True)["consumers"] == 1
    assert set(queue.client.hkeys(queue.keys.consumers)) == {b"alive"}
    assert queue.client.xinfo_groups(queue.keys.streams[0])[0]["name"] == GROUP.encode()


# --- Files ---


def test_files_without_a_row_go_after_an_hour_and_others_stay(settings, tmp_path, device):
    settings.MEDIA_ROOT = tmp_path
    names = {}
    for folder in ("position-uploads", "position-archives/2026"):
        for what, hours in (("old", 2), ("new", 0.5), ("known", 5)):
            name = default_storage.save(f"{folder}/{what}.csv", ContentFile(b"12345"))
            os.utime(default_storage.path(name), (time.time() - hours * 3600,) * 2)
            names[folder, what] = name
    upload = {"name": "a", "size_bytes": 1, "job_id": uuid4()}
    PositionUpload.objects.create(file=names["position-uploads", "known"], **upload)
    now = timezone.now()
    would = remove_orphaned_data(now=now, dry_run=True)
    # Nothing is listed as an archive.
    assert (would["upload_files"], would["archive_files"]) == (1, 2)
    assert would["tables"]["position-uploads"] == {"rows": 1, "bytes": 5}
    done = remove_orphaned_data(now=now)
    assert done["tables"] == would["tables"]
    left = {key for key, name in names.items() if default_storage.exists(name)}
    assert left == {("position-uploads", "new"), ("position-uploads", "known"), ("position-archives/2026", "new")}


# --- Duplicates ---


@pytest.fixture
def parked(device) -> list[datetime]:
    """Ten minutes of standing, a fix every 20 s, then driving off."""
    drop_all_partitions()
    times = [days_ago(1) + timedelta(seconds=20 * number) for number in range(31)]
    store(device, *times)
    execute("UPDATE tasks_app_position SET speed_kph = 0.5")
    store(device, times[-1] + timedelta(seconds=20))
    execute("UPDATE tasks_app_position SET latitude = -23.6 WHERE fix_time > %s", times[-1])
    return times


def test_standing_devices_are_thinned_only_where_that_is_switched_on(device, parked):
    assert remove_duplicate_positions(now=NOW)["rows"] == 0
    RetentionSettings.objects.create(pk=1, thin_standing_seconds=120)
    make_event(device, parked[7])
    set_state(device, parked[15])
    would = remove_duplicate_positions(now=NOW, dry_run=True)["rows"]
    assert remove_duplicate_positions(now=NOW)["rows"] == would > 15
    left = stored_times(device)
    # The first and the last of the stop, what events and the state refer to, and never a gap above two minutes.
    assert {parked[0], parked[7], parked[15], parked[30]} <= set(left)
    assert max(b - a for a, b in itertools.pairwise(left)) <= timedelta(seconds=120)
    assert remove_duplicate_positions(now=NOW)["rows"] == 0


def test_a_change_of_ignition_is_never_thinned_away(device, parked):
    RetentionSettings.objects.create(pk=1, thin_standing_seconds=3600)
    attributes = "UPDATE tasks_app_position SET attributes = jsonb_build_object('ignition', fix_time < %s)"
    execute(attributes, parked[10])
    remove_duplicate_positions(now=NOW)
    assert {parked[9], parked[10]} <= set(stored_times(device))


def test_tolerances_come_from_the_settings(device):
    drop_all_partitions()
    at = days_ago(1)
    store(device, at, at + timedelta(seconds=3))
    assert remove_duplicate_positions(now=NOW, dry_run=True)["rows"] == 0
    RetentionSettings.objects.create(pk=1, duplicate_seconds=5)
    make_event(device, at + timedelta(seconds=3))
    assert remove_duplicate_positions(now=NOW)["rows"] == 0
    Event.objects.all().delete()
    assert remove_duplicate_positions(now=NOW)["rows"] == 1
    assert stored_times(device) == [at]
    assert Device.objects.count() == 1


def test_no_time_at_all_means_that_nothing_is_a_duplicate(device):
    drop_all_partitions()
    at = days_ago(1)
    with transaction.atomic():
        store(device, at, at + timedelta(microseconds=1))
    RetentionSettings.objects.create(pk=1, duplicate_seconds=0)
    assert remove_duplicate_positions(now=NOW)["rows"] == 0
