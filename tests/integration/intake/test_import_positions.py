"""import_positions on files, the real GPS traces among them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tasks_app.models import Device, DeviceState, DeviceStatus, Fleet, Position
from tasks_app.services.devices.days import refresh_due_days
from tasks_app.services.intake import imports as import_files
from tasks_app.services.intake.imports import ImportSummary, import_file
from tasks_app.signals import events_recorded


def run(*args, **options):
    out = io.StringIO()
    call_command("import_positions", *map(str, args), stdout=out, **options)
    return {
        cells[0]: int(cells[1])
        for line in out.getvalue().splitlines()
        if line.startswith("│") and (cells := [cell.strip() for cell in line.strip("│").split("│")])[1].isdigit()
    }


@pytest.fixture
def small_csv(tmp_path, device):
    path = tmp_path / "history.csv"
    path.write_text(
        "device_id,timestamp,latitude,longitude\n"
        "van-1,2020-01-01T00:00:00Z,45.0,13.0\n"
        "van-1,2020-01-01T00:00:10Z,45.001,13.0\n"
        "van-1,2020-01-01T00:00:10Z,45.001,13.0\n"
        "van-1,2020-01-01T00:00:20Z,95.0,13.0\n"
        "stranger,2020-01-01T00:00:20Z,45.0,13.0\n"
    )
    return path


def test_it_says_what_became_of_every_row(small_csv):
    rows = run(small_csv)
    assert (rows["read"], rows["stored"], rows["duplicates"], rows["rejected"]) == (5, 2, 1, 2)
    assert (rows["invalid_latitude"], rows["unknown_device"]) == (1, 1)
    assert Position.objects.order_by("fix_time").last().speed_kph is None


def test_it_stores_nothing_twice(small_csv):
    run(small_csv)
    rows = run(small_csv)
    assert (rows["stored"], rows["duplicates"]) == (0, 3)


def test_history_makes_no_device_online_and_tells_nobody(small_csv, device):
    signalled = []

    def hear(**kwargs):
        signalled.append(kwargs)

    events_recorded.connect(hear)
    run(small_csv)
    events_recorded.disconnect(hear)
    state = DeviceState.objects.get(device=device)
    assert (state.status, state.last_seen_at, signalled) == (DeviceStatus.UNKNOWN, None, [])


def test_it_creates_devices_only_when_asked(small_csv):
    rows = run(small_csv, create_devices=True, fleet="History")
    assert (rows["rejected"], rows["devices created"]) == (1, 1)
    assert Device.objects.get(unique_id="stranger").fleet == Fleet.objects.get(name="History")


def test_one_device_id_can_stand_for_the_files(small_csv, make_device):
    make_device(unique_id="other")
    assert run(small_csv, device="other")["stored"] == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.csv", None),
        ("wrong.xyz", "x"),
        ("broken.gpx", "<gpx"),
        ("header.csv", "a,b\n1,2\n"),
        ("not.csv.gz", "plain"),
    ],
)
def test_a_file_it_cannot_read_is_an_error_that_names_it(db, tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=name):
        run(path)


def test_devices_to_create_need_a_fleet(db, tmp_path):
    with pytest.raises(CommandError, match="--fleet NAME"):
        run(tmp_path / "any.csv", create_devices=True)


def test_an_interrupted_import_keeps_what_was_stored_and_can_be_repeated(small_csv, monkeypatch):
    monkeypatch.setattr(import_files, "FIXES_PER_TRANSACTION", 1)
    from django.utils import timezone

    calls = []

    def interrupt(count):
        calls.append(count)
        if len(calls) == 1:
            raise KeyboardInterrupt

    summary = ImportSummary()
    with pytest.raises(KeyboardInterrupt):
        import_file(small_csv, summary, now=timezone.now(), on_progress=interrupt)
    assert summary.stored == Position.objects.count() == 1
    assert run(small_csv)["stored"] == 1
    assert Position.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_it_stores_exactly_the_distinct_fixes_of_the_geolife_sample(traces_dir):
    path = traces_dir / "geolife_sample.csv.gz"
    rows = run(path, create_devices=True, fleet="GeoLife")
    assert (rows["read"], rows["stored"], rows["duplicates"], rows["rejected"]) == (164_531, 164_318, 213, 0)
    assert rows["devices created"] == 11
    assert Position.objects.count() == 164_318
    again = run(path, create_devices=True, fleet="GeoLife")
    assert (again["stored"], again["duplicates"], again["devices created"]) == (0, 164_531, 0)


def test_the_odometer_goes_around_visnjan(traces_dir, make_device):
    device = make_device(unique_id="garmin")
    rows = run(traces_dir / "around-visnjan-with-car.gpx", device="garmin")
    assert rows["stored"] == rows["read"] > 100
    assert rows["rejected"] == 0
    refresh_due_days(now=timezone.now() + timedelta(hours=1))
    assert 1500 < DeviceState.objects.get(device=device).odometer_meters < 6000


def test_traccars_export_is_read_in_the_zone_one_names(tmp_path, device):
    path = tmp_path / "export.csv"
    path.write_text("id,deviceId,fixTime,latitude,longitude,speed\n1,7,2020-01-01 00:00:00,1,2,21.6\n")
    assert run(path, "--device=van-1", "--time-zone=America/Sao_Paulo")["stored"] == 1
    position = Position.objects.get()
    assert (position.fix_time.hour, round(position.speed_kph, 2)) == (3, 40.0)


def test_it_refuses_a_zone_that_is_none(tmp_path, db):
    with pytest.raises(CommandError, match="Mars"):
        call_command("import_positions", str(tmp_path / "any.csv"), "--time-zone", "Mars/Base")


def test_a_file_that_cannot_be_opened_is_named_once(tmp_path, db):
    for path, reason in ((tmp_path / "none.csv", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(CommandError) as caught:
            run(path)
        assert str(caught.value) == f"{path}: {reason}"
