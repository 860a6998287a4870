"""Which positions go, which must stay, and what happens on the way: busy tables, interruptions."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, connections, transaction
from django.utils import timezone

from reports_app.models import Report
from tasks_app.engine import JobCancelled
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.ingest.fix import Fix
from tasks_app.models import DeviceDay, Fleet, Position, PositionArchive, RetentionSettings
from tasks_app.services.cleanup import position_days, positions
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.cleanup.runs import InvalidLimit
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.partitions import (
    ensure_partitions,
    list_going,
    list_partitions,
    partition_name,
)
from tasks_app.services.positions.store import store_fixes
from tests.support.retention import (
    NOW,
    days_ago,
    make_event,
    missing_references,
    set_state,
    store,
    store_day,
    stored_times,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_partitions")]


@pytest.fixture
def cancellable():
    """Run inside a job that is cancelled once the test says so."""
    asked = threading.Event()
    set_current_job(CurrentJob(is_cancelled=asked.is_set))
    yield asked
    set_current_job(None)


def names() -> list[str]:
    return [name for name, _day in list_partitions()]


# --- What stays ---


def test_the_positions_of_events_stay_as_long_as_the_event(make_device):
    device, other = make_device(), make_device()
    times = store_day(device, 40)
    store_day(other, 40)
    event = make_event(device, times[3])
    make_event(other, days_ago(40.5))  # at a time at which no position is stored
    done = remove_old_positions(now=NOW)
    assert stored_times(device) == [times[3]]
    assert stored_times(other) == []
    assert (done["rows"], done["positions_kept"], done["partitions_dropped"]) == (19, 1, 0)
    event.delete()
    assert remove_old_positions(now=NOW)["partitions_dropped"] == 1
    assert names() == []


def test_a_day_of_which_little_stays_gets_a_small_partition_that_takes_late_fixes(make_device):
    device = make_device()
    times = store_day(device, 40, 500)
    set_state(device, times[-1])
    size = "SELECT pg_relation_size(%s::regclass)"
    name = partition_name(times[0].date())
    with connection.cursor() as cursor:
        cursor.execute(size, [name])
        before = cursor.fetchone()[0]
        remove_old_positions(now=NOW)
        cursor.execute(size, [name])
        assert cursor.fetchone()[0] < before
    assert names() == [name]
    assert list_going() == []
    store(device, days_ago(39.9))
    assert Position.objects.filter(device=device).count() == 2
    with pytest.raises(Exception, match="unique"), transaction.atomic():
        store(device, times[-1])


@pytest.mark.parametrize("copied", [20_000, 0])
def test_fleets_and_devices_keep_longer_shorter_or_for_ever(make_device, monkeypatch, copied):
    monkeypatch.setattr(positions, "MAX_COPIED_ROWS", copied)
    monkeypatch.setattr(position_days, "BATCH_PAGES", 1)
    archive = Fleet.objects.create(name="Archive", keep_positions_forever=True)
    short = Fleet.objects.create(name="Short", positions_days_to_keep=5)
    devices = {
        "usual": make_device(),
        "ever": make_device(keep_positions_forever=True),
        "long": make_device(positions_days_to_keep=90),
        "of_archive": make_device(fleet=archive),
        "short_of_archive": make_device(fleet=archive, positions_days_to_keep=35),
        "of_short": make_device(fleet=short),
        "ever_of_short": make_device(fleet=short, keep_positions_forever=True),
    }
    for device in devices.values():
        for days in (100, 40, 10, 1):
            store_day(device, days, 20)
    remove_old_positions(now=NOW)
    kept = {
        name: [round((NOW - at).total_seconds() / 86400) for at in stored_times(device)[::20]]
        for name, device in devices.items()
    }
    assert kept == {
        "usual": [10, 1],
        "ever": [100, 40, 10, 1],
        "long": [40, 10, 1],
        "of_archive": [100, 40, 10, 1],
        "short_of_archive": [10, 1],
        "of_short": [1],
        "ever_of_short": [100, 40, 10, 1],
    }
    again = remove_old_positions(now=NOW)
    assert (again["rows"], again["finished"]) == (0, True)


def test_keeping_for_ever_and_for_days_cannot_both_be_asked_for(fleet):
    fleet.keep_positions_forever, fleet.positions_days_to_keep = True, 5
    with pytest.raises(ValidationError, match="not both"):
        fleet.full_clean()


def test_the_setting_of_the_admin_counts_and_an_argument_before_it(device, settings):
    store_day(device, 8)
    RetentionSettings.objects.create(pk=1, positions_days=10)
    assert remove_old_positions(now=NOW, dry_run=True)["rows"] == 0
    assert remove_old_positions(now=NOW, days_to_keep=7, dry_run=True)["rows"] == 10
    RetentionSettings.objects.update(positions_days=None)
    settings.RETENTION_DAYS = {**settings.RETENTION_DAYS, "positions": 7}
    assert remove_old_positions(now=NOW, dry_run=True)["rows"] == 10


def test_one_device_alone_can_be_cleaned(make_device):
    one, other = make_device(), make_device()
    for device in (one, other):
        store_day(device, 40)
    assert remove_old_positions(now=NOW, device_id=one.pk)["rows"] == 10
    assert (len(stored_times(one)), len(stored_times(other))) == (0, 10)
    with pytest.raises(InvalidLimit, match="no device 999999"):
        remove_old_positions(now=NOW, device_id=999_999)


def test_positions_that_an_unfinished_report_will_read_stay_until_it_is_written(device, fleet):
    for days in (40, 41, 45):
        store_day(device, days)
    span = {"range_start": days_ago(41), "range_end": days_ago(40)}
    report = Report.objects.create(kind="fleet", fleet=fleet, state="running", **span)
    done = remove_old_positions(now=NOW)
    assert (done["rows"], done["needed"]) == (10, [str(days_ago(days).date()) for days in (41, 40)])
    assert len(stored_times(device)) == 20
    Report.objects.filter(pk=report.pk).update(state="ready")
    assert remove_old_positions(now=NOW)["rows"] == 20


@pytest.mark.parametrize("overtaken", ["plan_day", "copy_kept"])
def test_a_report_asked_for_while_its_day_is_looked_at_still_gets_it(device, fleet, monkeypatch, overtaken):
    times = store_day(device, 40)
    set_state(device, times[0])
    real = getattr(positions, overtaken)

    def be_overtaken(*args):
        span = {"range_start": days_ago(41), "range_end": days_ago(39)}
        Report.objects.create(kind="fleet", fleet=fleet, state="pending", **span)
        return real(*args)

    monkeypatch.setattr(positions, overtaken, be_overtaken)
    done = remove_old_positions(now=NOW)
    assert (done["rows"], done["postponed"], stored_times(device)) == (0, [partition_name(times[0].date())], times)


def test_positions_stay_until_their_day_is_rolled_up_and_the_roll_up_outlives_them(device, fleet):
    times = [days_ago(40) + timedelta(minutes=minute) for minute in range(30)]
    fixes = [Fix(device.unique_id, at, -23.5 + n * 0.01, -46.6, 60.0) for n, at in enumerate(times)]
    store_fixes(fixes, NOW, announce=False)
    assert remove_old_positions(now=timezone.now())["rows"] == 0
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    rolled_up = DeviceDay.objects.get(device=device)
    assert rolled_up.fix_count == 30
    assert remove_old_positions(now=timezone.now())["rows"] == 29
    store_fixes([Fix(device.unique_id, times[5] + timedelta(seconds=1), -23.45, -46.6, 60.0)], NOW, announce=False)
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    assert DeviceDay.objects.get(device=device).distance_meters == rolled_up.distance_meters


# --- While others work ---


@pytest.mark.django_db(transaction=True)
def test_a_fix_that_comes_in_while_its_day_is_copied_is_not_lost(make_device, archiving, monkeypatch):
    device, newcomer = make_device(), make_device()
    times = store_day(device, 40, 200)
    set_state(device, times[0])
    real = positions.copy_kept

    def copy_then_be_overtaken(plan, target):
        real(plan, target)
        late = threading.Thread(target=overtake)
        late.start()
        late.join()

    def overtake():
        with transaction.atomic():
            store(newcomer, days_ago(40))
            set_state(newcomer, days_ago(40))
        connections.close_all()

    monkeypatch.setattr(positions, "copy_kept", copy_then_be_overtaken)
    done = remove_old_positions(now=NOW)
    assert (done["postponed"], done["finished"]) == ([partition_name(times[0].date())], False)
    assert missing_references() == []
    assert PositionArchive.objects.count() == 0
    assert [path for path in archiving.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert remove_old_positions(now=NOW)["finished"] is True
    assert stored_times(device) == [times[0]]
    assert stored_times(newcomer) == [days_ago(40)]


@pytest.mark.django_db(transaction=True)
def test_writers_go_on_while_a_long_read_keeps_a_day_from_going(make_device):
    """Writers queue up behind a process that waits for the whole table, so the retention must give up, and again."""
    device = make_device()
    for days in range(31, 35):
        store_day(device, days)
    ensure_partitions([NOW])
    is_reading, may_end, stop, written = threading.Event(), threading.Event(), threading.Event(), []

    def read() -> None:
        with transaction.atomic():
            Position.objects.count()
            is_reading.set()
            may_end.wait(60)
        connections.close_all()

    def write() -> None:
        while not stop.wait(0.005):
            store(device, NOW + timedelta(seconds=len(written)))
            written.append(stop.is_set())
        connections.close_all()

    others = [threading.Thread(target=work) for work in (read, write)]
    for other in others:
        other.start()
    try:
        assert is_reading.wait(30)
        before = len(written)
        busy = remove_old_positions(now=NOW)
        during = len(written) - before
        may_end.set()
        while not remove_old_positions(now=NOW)["finished"]:
            pass
    finally:
        may_end.set()
        stop.set()
        for other in others:
            other.join()
    assert (busy["finished"], busy["rows"], len(busy["postponed"])) == (False, 0, 1)
    assert during > 0
    assert len(stored_times(device)) == len(written)


@pytest.mark.parametrize("phase", ["archive", "delete"])
def test_it_stops_when_it_is_cancelled_and_nothing_is_half_done(
    make_device, archiving, cancellable, monkeypatch, phase
):
    device, kept = make_device(), make_device(keep_positions_forever=True)
    store_day(device, 40, 3000)
    store_day(kept, 40, 3000)
    monkeypatch.setattr(positions, "MAX_COPIED_ROWS", 0)
    monkeypatch.setattr(position_days, "BATCH_PAGES", 4)
    if phase == "archive":
        cancellable.set()
    else:
        monkeypatch.setattr(position_days.time, "sleep", lambda _seconds: cancellable.set())
    with pytest.raises(JobCancelled):
        remove_old_positions(now=NOW)
    left = len(stored_times(device))
    assert left == 3000 if phase == "archive" else 0 < left < 3000
    assert len(stored_times(kept)) == 3000
    cancellable.clear()
    monkeypatch.undo()
    remove_old_positions(now=NOW)
    assert (len(stored_times(device)), len(stored_times(kept)), list_going()) == (0, 3000, [])


def test_it_stops_in_the_middle_of_a_long_statement_when_it_is_cancelled(make_device, cancellable, monkeypatch):
    device = make_device()
    times = store_day(device, 40)
    set_state(device, times[0])

    def take_long(_plan, _target) -> None:
        cancellable.set()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(600)")

    monkeypatch.setattr(positions, "copy_kept", take_long)
    with pytest.raises(JobCancelled):
        remove_old_positions(now=NOW)
    assert stored_times(device) == times


def test_it_stops_past_its_time_and_the_next_run_goes_on(make_device):
    device = make_device()
    for days in range(40, 46):
        store_day(device, days)
    first = remove_old_positions(now=NOW, max_seconds=1e-6)
    assert (first["finished"], first["rows"]) == (False, 0)
    assert remove_old_positions(now=NOW)["rows"] == 60


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**9, True])
def test_a_time_that_cannot_be_meant_is_refused(seconds):
    with pytest.raises(InvalidLimit, match="max_seconds"):
        remove_old_positions(now=NOW, max_seconds=seconds)
