"""The partitions of positions: made ahead and in need, by the first writer, and dropped."""

from __future__ import annotations

import importlib
from datetime import UTC, date, datetime, timedelta

import pytest
from django.apps import apps
from django.db import connection
from django_q.models import Schedule

from tasks_app.engine import enqueue
from tasks_app.models import Device, DeviceState, Job
from tasks_app.services.partitions import (
    default_partition,
    drop_partition,
    ensure_partitions,
    ensure_upcoming_partitions,
    list_partitions,
    partition_name,
)
from tasks_app.services.positions import many_days
from tasks_app.services.positions.processing import process_batch
from tests.support.ingest import position
from tests.support.threads import in_threads

partition_schedule = importlib.import_module("tasks_app.migrations.0010_partition_schedule")
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_two_processes_make_the_same_partitions_at_once(db):
    days = [NOON.date() - timedelta(days=4000 + n) for n in range(30)]
    made = []
    from tasks_app.services import partitions

    def make():
        partitions.forget_known_partitions()
        made.extend(ensure_partitions(days))

    in_threads(*[make] * 4)
    assert sorted(made) == sorted(days)
    names = {name for name, day in list_partitions() if day in days}
    assert len(names) == 30
    for name in names:
        drop_partition(name)


@pytest.mark.django_db(transaction=True)
def test_a_partition_dropped_by_someone_else_is_made_again(device):
    process_batch([position(timestamp=NOON.isoformat())], received_at=NOON)
    name = next(name for name, day in list_partitions() if day == NOON.date())
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "{name}"')
    assert (
        process_batch([position(timestamp=(NOON + timedelta(seconds=1)).isoformat())], received_at=NOON)["stored"] == 1
    )


def test_partitions_are_made_a_week_ahead_and_again_after_somebody_dropped_one(db, settings):
    settings.PARTITION_DAYS_AHEAD = 3
    now = datetime(2031, 12, 30, 23, 59, tzinfo=UTC)
    days = [date(2031, 12, 30), date(2031, 12, 31), date(2032, 1, 1), date(2032, 1, 2)]
    assert ensure_upcoming_partitions(now=now) == days
    assert ensure_upcoming_partitions(now=now) == []
    drop_partition(partition_name(days[1]))
    assert ensure_upcoming_partitions(now=now) == [days[1]]
    assert set(days) <= {day for _, day in list_partitions()}


def test_the_daily_schedule_prepares_partitions(run_jobs, settings):
    settings.PARTITION_DAYS_AHEAD = 1
    Schedule.objects.all().delete()
    for _ in range(2):
        partition_schedule.create_schedule(apps, None)
    job_id = enqueue(Schedule.objects.get().func)
    run_jobs("cleanup")
    assert Job.objects.get(pk=job_id).state == "succeeded"
    today = datetime.now(UTC).date()
    assert {today, today + timedelta(days=1)} <= {day for _, day in list_partitions()}


def test_there_is_no_default_partition_so_nothing_collects_in_one(device, caplog):
    assert default_partition() is None
    old, now = NOON - timedelta(days=3000), NOON
    process_batch([position(timestamp=old.isoformat()), position(timestamp=NOON.isoformat())], received_at=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tableoid::regclass::text FROM tasks_app_position")
        tables = {name for (name,) in cursor.fetchall()}
    assert tables == {partition_name(old), partition_name(now)}
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE somebodys PARTITION OF tasks_app_position DEFAULT")
    assert default_partition() == "somebodys"
    ensure_upcoming_partitions(now=NOON)
    assert "somebodys" in caplog.text


def test_only_partitions_can_be_dropped(db):
    with pytest.raises(ValueError, match="not the name of a partition"):
        drop_partition("tasks_app_device")
    assert Device.objects.count() == 0


def test_it_makes_many_hundred_partitions_quickly_and_knows_them(db):
    days = [NOON.date() - timedelta(days=8000 + n) for n in range(250)]
    assert len(ensure_partitions(days)) == 250
    assert ensure_partitions(days) == []


def test_a_transaction_makes_partitions_of_a_bounded_number_of_days(device, make_device, monkeypatch):
    monkeypatch.setattr(many_days, "MAX_DAYS", 3)
    off = make_device(is_active=False)
    days = [NOON - timedelta(days=ahead) for ahead in (6, 0, 3, 1, 7, 2, 5, 4)]
    items = [position(timestamp=day.isoformat()) for day in days]
    items[4]["device_id"] = off.unique_id
    items += [position(timestamp=days[2].isoformat()), {**position(timestamp="x"), "attributes": {"alarm": "sos"}}]
    done = process_batch(items, received_at=NOON)
    counts = [done[name] for name in ("received", "stored", "duplicates", "without_place", "rejected_count")]
    assert counts == [10, 7, 1, 1, 1]
    assert [(one["index"], one["code"]) for one in done["rejected"]] == [(4, "inactive_device")]
    assert DeviceState.objects.get(device=device).fix_time == NOON
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text, count(*) FROM tasks_app_position GROUP BY 1")
        assert sorted(count for _, count in cursor.fetchall()) == [2, 2, 3]
    assert process_batch(items, received_at=NOON)["duplicates"] == 8
