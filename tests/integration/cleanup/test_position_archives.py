"""Archives of positions: written before anything goes, restored as it was; full disks and damaged files."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from tasks_app.models import Position, PositionArchive
from tasks_app.services.cleanup import position_archives, positions
from tasks_app.services.cleanup.position_archives import ArchiveDamaged, ArchiveFailed, restore_archive
from tasks_app.services.cleanup.positions import remove_old_positions
from tasks_app.services.partitions import (
    detach_partition,
    list_going,
    partition_name,
)
from tests.support.retention import (
    NOW,
    days_ago,
    store,
    store_day,
    stored_times,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_partitions")]


@pytest.mark.parametrize("kept_rows", [0, 2, 50])
def test_what_goes_is_archived_first_and_comes_back_as_it_was(make_device, archiving, monkeypatch, kept_rows):
    monkeypatch.setattr(positions, "MAX_COPIED_ROWS", 10)
    device, kept = make_device(), make_device(keep_positions_forever=True)
    times = store_day(device, 40, 30)
    Position.objects.filter(device=device, fix_time=times[0]).update(attributes={"note": 'a "quoted",\nline'})
    store(kept, *[days_ago(40) + timedelta(seconds=second) for second in range(kept_rows)])
    before = sorted(Position.objects.values_list())
    remove_old_positions(now=NOW)
    assert stored_times(device) == []
    (archive,) = PositionArchive.objects.all()
    assert archive.rows == 30 + (kept_rows if kept_rows <= 10 else 0)
    assert default_storage.size(archive.file.name) == archive.size_bytes
    counts = restore_archive(archive, keep_days=3, now=NOW)
    assert (counts["restored"], counts["read"]) == (30, archive.rows)
    assert sorted(Position.objects.values_list()) == before
    assert restore_archive(archive, keep_days=3, now=NOW)["restored"] == 0
    assert remove_old_positions(now=NOW)["rows"] == 0
    assert remove_old_positions(now=NOW + timedelta(days=4))["rows"] == 30


def test_a_device_made_anew_gets_its_positions_back_and_a_deleted_one_is_counted(make_device, archiving):
    device, deleted = make_device(), make_device()
    for each in (device, deleted):
        store_day(each, 40)
    remove_old_positions(now=NOW)
    for each in (device, deleted):
        each.delete()
    anew = make_device(unique_id=device.unique_id)
    counts = restore_archive(PositionArchive.objects.get(), keep_days=3, now=NOW)
    assert (counts["restored"], counts["unknown_devices"]) == (10, 10)
    assert len(stored_times(anew)) == 10


def test_nothing_is_removed_when_the_disk_is_full(make_device, archiving, monkeypatch):
    device = make_device()
    store_day(device, 40)
    real = default_storage.save

    def fail_halfway(name, content):
        real(name, content)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(default_storage, "save", fail_halfway)
    with pytest.raises(ArchiveFailed, match="No space left"):
        remove_old_positions(now=NOW)
    assert len(stored_times(device)) == 10
    assert PositionArchive.objects.count() == 0
    assert [path for path in archiving.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert remove_old_positions(now=NOW)["partitions_dropped"] == 1


def test_a_really_full_disk_is_noticed(make_device, archiving, settings):
    """/dev/full is a disk that is full."""
    device = make_device()
    store_day(device, 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(position_archives.tempfile, "NamedTemporaryFile", lambda **_: open("/dev/full", "w+b"))  # noqa: SIM115
        with pytest.raises(ArchiveFailed):
            remove_old_positions(now=NOW)
    assert len(stored_times(device)) == 10


def test_a_damaged_or_missing_archive_restores_nothing(make_device, archiving):
    device = make_device()
    store_day(device, 40)
    remove_old_positions(now=NOW)
    archive = PositionArchive.objects.get()
    path = archiving / archive.file.name
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(ArchiveDamaged, match="not what was written"):
        restore_archive(archive, keep_days=3, now=NOW)
    path.unlink()
    with pytest.raises(ArchiveDamaged, match="is gone"):
        restore_archive(archive, keep_days=3, now=NOW)
    assert stored_times(device) == []


def test_what_a_killed_run_took_out_is_archived_and_dropped_by_the_next(make_device, archiving):
    device = make_device()
    times = store_day(device, 40)
    detach_partition(partition_name(times[0].date()))
    store_day(device, 40.1, 5)  # a late fix made the day's partition anew
    assert len(list_going()) == 1
    remove_old_positions(now=NOW)
    assert (list_going(), stored_times(device)) == ([], [])
    assert sorted(PositionArchive.objects.values_list("rows", flat=True)) == [5, 10]


def test_rows_that_came_in_after_the_archive_are_archived_too(make_device, archiving, monkeypatch):
    device = make_device()
    store_day(device, 40)
    real = positions.detach_partition

    def be_overtaken(name, **options):
        store(device, days_ago(40.2))
        return real(name, **options)

    monkeypatch.setattr(positions, "detach_partition", be_overtaken)
    remove_old_positions(now=NOW)
    assert PositionArchive.objects.order_by("pk").last().rows == 11
    assert stored_times(device) == []
