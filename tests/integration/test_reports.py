"""Reports on a real database: each kind on a track small enough to check by hand, jobs, files, daily, retention."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import time
import uuid
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from notifications_app.models import NotificationPreference
from reports_app.builders.registry import BUILDERS
from reports_app.exceptions import FileNotWritten, InvalidReport, ReportNotReady
from reports_app.exporters.json_file import JsonExporter
from reports_app.exporters.registry import formats_of
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import reader_for, stored_table, visible_reports
from reports_app.services.daily import generate_daily_reports
from reports_app.services.export import PARTIAL_FOLDER, export_report
from reports_app.services.generate import generate_report
from reports_app.services.request import create_report, request_report
from reports_app.services.retention import delete_orphaned_files
from reports_app.services.sweep import sweep_stuck_reports
from tasks_app.engine import JobCancelled, JobState, PermanentError, enqueue, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.ingest.fix import Fix
from tasks_app.models import Device, DeviceState, Event, EventKind, Fleet, Geofence, Job
from tasks_app.services.positions import store_fixes

# The fleet is in São Paulo: its midnight is 03:00 UTC, its eleven o'clock 14:00 UTC.
DAY, NEXT_DAY, LATER = (datetime(2026, 3, day, 3, tzinfo=UTC) for day in (2, 3, 4))
ELEVEN = datetime(2026, 3, 2, 14, tzinfo=UTC)
# On the equator, 0.01 degrees of longitude are 1.111951 km: 66.717 km/h when it takes a minute.
STEP_DEGREES, STEP_KM, STEP_KPH = 0.01, 1.111951, 66.717


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def fixes(device, start=ELEVEN, *, minutes=10, degrees=STEP_DEGREES, longitude=-46.0, ignition=True) -> list[Fix]:
    """A fix a minute, driving east along the equator (or standing, with no degrees)."""
    speed = STEP_KPH if degrees else 0.0
    return [
        Fix(
            device.unique_id,
            start + timedelta(minutes=minute),
            0.0,
            longitude + minute * degrees,
            speed_kph=speed,
            attributes={"ignition": ignition},
        )
        for minute in range(minutes + 1)
    ]


def drive(device, start=ELEVEN, west=-46.0) -> None:
    """20 minutes standing with the engine off, 10 minutes of driving, 20 minutes standing with the engine on."""
    east = west + 10 * STEP_DEGREES
    track = fixes(device, start - timedelta(minutes=21), minutes=20, degrees=0.0, longitude=west, ignition=False)
    track += fixes(device, start, longitude=west)
    track += fixes(device, start + timedelta(minutes=11), minutes=20, degrees=0.0, longitude=east)
    assert store_fixes(track, received_at=start + timedelta(hours=1)).stored == len(track)


def build(kind, **fields):
    fields = {"range_start": DAY, "range_end": LATER, **fields}
    report, _is_due = create_report(kind=kind, **fields)
    generate_report(report.pk)
    report.refresh_from_db()
    assert report.state == ReportState.READY
    return report


def rows_of(report, key) -> list[dict]:
    section = next(section for section in stored_table(report.pk).sections if section.key == key)
    keys = [column.key for column in section.columns]
    return [dict(zip(keys, row, strict=True)) for row in section.row_lists()]


def totals_of(report, key) -> dict:
    section = next(section for section in stored_table(report.pk).sections if section.key == key)
    return dict(zip((column.key for column in section.columns), section.total_row(), strict=True))


# --- each kind


def test_the_summary_of_a_drive(device):
    drive(device)
    report = build("summary", device=device)
    (summary,) = rows_of(report, "summary")
    assert summary["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert summary["moving_seconds"] == pytest.approx(600, abs=61)
    assert summary["stopped_seconds"] == pytest.approx(41 * 60, abs=121)
    assert summary["idle_seconds"] == pytest.approx(20 * 60, abs=61)
    assert summary["engine_seconds"] == pytest.approx(31 * 60, abs=1)
    assert summary["max_speed_kph"] == pytest.approx(STEP_KPH, abs=0.1)
    assert (summary["trips"], summary["device"]) == (1, "Van 1")
    assert summary["first_fix_at"] == ELEVEN - timedelta(minutes=21)
    assert summary["last_fix_at"] == ELEVEN + timedelta(minutes=31)
    assert summary["odometer_end_km"] - summary["odometer_start_km"] == pytest.approx(summary["distance_km"], abs=0.002)
    assert summary["odometer_end_km"] == pytest.approx(DeviceState.objects.get().odometer_meters / 1000, abs=0.001)


def test_the_odometer_of_an_earlier_day_leaves_out_what_was_driven_since(device):
    drive(device)
    drive(device, ELEVEN + timedelta(days=1), west=-45.9)  # from where it was left
    (summary,) = rows_of(build("summary", device=device, range_end=NEXT_DAY), "summary")
    newest_km = DeviceState.objects.get().odometer_meters / 1000
    assert newest_km - summary["odometer_end_km"] == pytest.approx(10 * STEP_KM, rel=0.02)


def test_a_day_without_data_is_a_row_of_zeros(device):
    drive(device)
    first, second = rows_of(build("summary", device=device), "days")
    assert (first["day"], second["day"]) == (date(2026, 3, 2), date(2026, 3, 3))
    assert first["distance_km"] > 11
    assert {second[key] for key in second if key != "day"} == {0}


def test_a_device_that_never_sent_anything_has_a_report_of_zeros(device):
    report = build("summary", device=device)
    (summary,) = rows_of(report, "summary")
    assert (summary["distance_km"], summary["odometer_end_km"], summary["first_fix_at"]) == (0, None, None)
    assert totals_of(report, "days")["fixes"] == 0
    for kind in ("detailed", "route", "trips", "stops", "events", "visits"):
        sections = stored_table(build(kind, device=device).pk).sections
        assert not any(list(section.row_lists()) for section in sections), kind
    for kind in ("overspeed", "fuel"):
        assert [set(row.values()) - {0, None} for row in rows_of(build(kind, device=device), "days")] == [
            {date(2026, 3, 2)},
            {date(2026, 3, 3)},
        ]


def test_days_begin_at_the_fleets_midnight(device):
    drive(device, NEXT_DAY - timedelta(minutes=5))  # half of the drive on either side
    first, second = rows_of(build("summary", device=device), "days")
    assert first["distance_km"] == pytest.approx(5 * STEP_KM, rel=0.01)
    assert second["distance_km"] == pytest.approx(5 * STEP_KM, rel=0.01)
    assert (first["trips"], second["trips"]) == (1, 0)


def test_events_are_counted_by_kind_and_day(device):
    for hour in (1, 2, 30):
        Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=DAY + timedelta(hours=hour))
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=LATER)  # the range ends before it
    report = build("summary", device=device)
    assert {row["kind"]: row["count"] for row in rows_of(report, "events") if row["count"]} == {"Overspeed": 3}
    assert [row["events"] for row in rows_of(report, "days")] == [2, 1]


def test_a_trip_starts_where_the_vehicle_left_and_ends_where_it_came_to_rest(device):
    drive(device)
    (trip,) = rows_of(build("trips", device=device), "trips")
    assert trip["started_at"] == pytest.approx(ELEVEN, abs=timedelta(minutes=1))
    assert trip["ended_at"] == pytest.approx(ELEVEN + timedelta(minutes=10), abs=timedelta(minutes=1))
    assert trip["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert (trip["start_longitude"], trip["end_longitude"]) == pytest.approx((-46.0, -45.9), abs=0.011)


@pytest.mark.parametrize("kind", ["trips", "stops"])
def test_trips_and_stops_are_the_same_whatever_range_is_asked(device, kind):
    drive(device)
    middle = ELEVEN + timedelta(minutes=5)
    whole = rows_of(build(kind, device=device), kind)
    cut = rows_of(build(kind, device=device, range_start=middle, range_end=middle + timedelta(seconds=30)), kind)
    late = rows_of(build(kind, device=device, range_start=middle, range_end=LATER), kind)
    assert all(row in whole for row in (*cut, *late))
    assert len(cut) == (1 if kind == "trips" else 0)
    assert late == whole if kind == "trips" else late == whole[-1:]


def test_a_stop_of_many_days_is_told_whole(device):
    parked = [
        Fix(device.unique_id, ELEVEN + timedelta(hours=hours), 0.0, -46.0, speed_kph=0.0) for hours in range(0, 240, 6)
    ]
    store_fixes(parked, received_at=ELEVEN + timedelta(days=10))
    middle = ELEVEN + timedelta(days=5)
    (stop,) = rows_of(build("stops", device=device, range_start=middle, range_end=middle + timedelta(days=1)), "stops")
    assert (stop["started_at"], stop["duration_seconds"]) == (ELEVEN, 234 * 3600)


def test_stops_tell_how_long_the_engine_ran(device):
    drive(device)
    report = build("stops", device=device)
    off, on = rows_of(report, "stops")
    assert off["idle_seconds"] == pytest.approx(0, abs=61)
    assert on["idle_seconds"] == pytest.approx(20 * 60, abs=61)
    assert (on["latitude"], on["longitude"]) == pytest.approx((0.0, -45.9), abs=0.001)
    assert totals_of(report, "stops")["duration_seconds"] == off["duration_seconds"] + on["duration_seconds"]


def test_events_carry_what_is_particular_to_them(device, fleet):
    depot = Geofence.objects.create(
        fleet=fleet, name="=Depot", area={"type": "Circle", "coordinates": [-46, 0], "radius_meters": 100}
    )
    data = {"speed_kph": 101.0, "speed_limit_kph": 90, "peak_kph": 120.5, "duration_seconds": "broken"}
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=ELEVEN, data=data, longitude=-46.1)
    Event.objects.create(device=device, kind=EventKind.GEOFENCE_EXIT, occurred_at=DAY, geofence=depot)
    left, fast = rows_of(build("events", device=device), "events")
    assert (left["kind"], left["geofence"], left["occurred_at"]) == ("Geofence left", "=Depot", DAY)
    assert (fast["peak_kph"], fast["speed_limit_kph"], fast["duration_seconds"], fast["longitude"]) == (
        120.5, 90, None, -46.1
    )  # fmt: skip


def test_a_fleet_report_has_every_device_and_the_totals(device, make_device, fleet):
    silent = make_device(name="Silent")
    drive(device)
    Event.objects.create(device=device, kind=EventKind.OVERSPEED, occurred_at=ELEVEN, data={"peak_kph": 120})
    report = build("fleet", fleet=fleet)
    by_name = {row["device"]: row for row in rows_of(report, "devices")}
    assert by_name["Van 1"]["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)
    assert (by_name[silent.name]["distance_km"], by_name[silent.name]["trips"]) == (0, 0)
    assert (totals_of(report, "devices")["trips"], totals_of(report, "devices")["overspeeds"]) == (1, 1)
    assert [row["active_devices"] for row in rows_of(report, "days")] == [1, 0]
    assert [row["device"] for row in rows_of(report, "ranking_distance")] == ["Van 1"]
    assert [row["peak_kph"] for row in rows_of(report, "violations")] == [120]
    assert stored_table(report.pk).subject == fleet.name


# --- asking


def test_a_requested_report_is_built_by_its_job(device, operator, run_jobs):
    drive(device)
    report = request_report(kind="summary", device=device, range_start=DAY, range_end=NEXT_DAY, requested_by=operator)
    assert (report.state, report.requested_by) == (ReportState.PENDING, operator)
    run_jobs("reports")
    report.refresh_from_db()
    assert (report.state, report.error) == (ReportState.READY, "")
    assert Job.objects.get(pk=report.job_id).result["state"] == "ready"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"kind": "nonsense"}, "unknown_kind"),
        ({"kind": "summary", "device": None}, "device_required"),
        ({"kind": "daily", "device": None}, "fleet_required"),
        ({"kind": "fleet"}, "device_not_allowed"),
        ({"range_end": DAY}, "end_before_start"),
        ({"range_end": datetime(2026, 3, 4)}, "naive_time"),
        ({"range_end": DAY + timedelta(days=400)}, "range_too_long"),
        ({"kind": "fleet", "device": None, "device_ids": []}, "no_devices"),
        ({"kind": "fleet", "device": None, "device_ids": [10**30]}, "unknown_device"),
        ({"kind": "fleet", "device": None, "device_ids": list(range(10_000))}, "too_many_devices"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(device, operator, fields, code):
    values = {"kind": "summary", "device": device, "range_start": DAY, "range_end": LATER, **fields}
    with pytest.raises(InvalidReport) as caught:
        request_report(**values, requested_by=operator)
    assert caught.value.code == code
    assert not Report.objects.exists()


@pytest.fixture
def foreign(db) -> Device:
    other = Fleet.objects.create(name="Other")
    return Device.objects.create(fleet=other, unique_id="foreign", name="Foreign")


def test_a_foreign_device_is_an_unknown_one(device, foreign, operator, run_jobs):
    with pytest.raises(InvalidReport, match=f"Unknown devices: {foreign.pk}"):
        request_report(
            kind="fleet", device_ids=[device.pk, foreign.pk], range_start=DAY, range_end=LATER, requested_by=operator
        )
    args = [foreign.pk, "2026-03-02", "2026-03-03"]
    job_id = get_task("generate_device_report").apply_async(args, requested_by=operator)
    run_jobs("reports")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count) == (JobState.FAILED, 1)
    assert f"There is no device {foreign.pk}" in job.error_message
    assert not Report.objects.exists()


def test_people_see_their_own_reports_and_those_of_their_fleets(device, foreign, operator, charlie, staff):
    own = create_report(kind="fleet", range_start=DAY, range_end=LATER, requested_by=charlie)[0]
    of_device = create_report(kind="trips", device=device, range_start=DAY, range_end=LATER, requested_by=staff)[0]
    of_fleet = create_report(kind="daily", fleet=device.fleet, range_start=DAY, range_end=NEXT_DAY)[0]
    of_other = create_report(kind="trips", device=foreign, range_start=DAY, range_end=LATER)[0]
    assert set(visible_reports(operator)) == {of_device, of_fleet}
    assert set(visible_reports(charlie)) == {own}
    assert set(visible_reports(staff)) == {own, of_device, of_fleet, of_other}


# --- jobs by name, as in the user's document


def test_a_device_report_can_be_asked_for_by_task_name(device, run_jobs):
    drive(device)
    job_id = enqueue("generate_device_report", device.pk, "2026-03-02", "2026-03-03", "trips")
    run_jobs("reports")
    report = Report.objects.get(job_id=job_id)
    assert (report.kind, report.state) == ("trips", ReportState.READY)
    assert (report.range_start, report.range_end) == (DAY, NEXT_DAY)  # midnights of the fleet


def test_a_fleet_report_without_devices_is_about_those_the_requester_sees(device, foreign, operator, run_jobs):
    args = ["2026-03-02", "2026-03-03"]
    get_task("generate_fleet_report").apply_async(args, requested_by=operator)
    enqueue("generate_fleet_report", *args)
    enqueue("generate_fleet_report", *args, [foreign.pk])
    run_jobs("reports")
    found = [[row["device"] for row in rows_of(report, "devices")] for report in Report.objects.order_by("pk")]
    assert found == [["Van 1"], ["Foreign", "Van 1"], ["Foreign"]]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("generate_device_report", [999, "2026-03-02", "2026-03-03"], "no device 999"),
        ("generate_device_report", ["DEVICE", "2026-03-02", "2026-03-03", "nonsense"], "Unknown kind"),
        ("generate_device_report", ["DEVICE", "2026-03-02", "2026-03-03", "fleet"], "about a fleet"),
        ("generate_device_report", ["DEVICE", "soon", "2026-03-03"], "not an ISO 8601 time"),
        ("generate_device_report", ["DEVICE", "2026-03-02T10:00:00", "2026-03-03"], "needs a time zone"),
        ("generate_fleet_report", ["2026-03-03", "2026-03-02"], "after the start"),
        ("generate_fleet_report", ["2026-03-02", "2026-03-03", [999]], "Unknown devices: 999"),
        ("generate_daily_reports", ["soon"], "not a date"),
        ("export_report_data", [999, "json"], "no report 999"),
        ("export_report_data", [999, "exe"], "Unknown format"),
    ],
)
def test_a_job_that_can_never_succeed_fails_once_and_says_why(device, run_jobs, name, args, message):
    job_id = enqueue(name, *[device.pk if arg == "DEVICE" else arg for arg in args])
    run_jobs("reports")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count) == (JobState.FAILED, 1)
    assert message in job.error_message


def test_a_redelivered_job_makes_no_second_report(device):
    job_id = uuid.uuid4()
    task = get_task("generate_device_report")
    try:
        for attempt in (1, 2):
            set_current_job(CurrentJob(job_id=job_id, attempt=attempt))
            result = task(device.pk, "2026-03-02", "2026-03-03")
            # The worker died before the acknowledgement, once even before the result was stored.
            Report.objects.filter(job_id=job_id).update(
                state=ReportState.RUNNING if attempt == 1 else ReportState.READY
            )
    finally:
        set_current_job(None)
    assert Report.objects.count() == 1
    assert result == {"report_id": Report.objects.get().pk, "state": "ready", "rows": 1 + 1 + len(EventKind)}


def test_a_ready_report_is_not_built_again(device):
    report = build("summary", device=device)
    drive(device)
    assert generate_report(report.pk) == {"report_id": report.pk, "state": "ready"}
    assert totals_of(report, "days")["fixes"] == 0


def test_a_report_another_job_works_on_is_left_alone(device):
    report, _is_due = create_report(
        kind="summary", device=device, range_start=DAY, range_end=LATER, job_id=uuid.uuid4()
    )
    Report.objects.filter(pk=report.pk).update(state=ReportState.RUNNING)
    assert generate_report(report.pk) == {"report_id": report.pk, "state": "running"}


def test_a_failure_is_kept_on_the_report_and_raised(device, monkeypatch):
    monkeypatch.setattr("reports_app.builders.base.MAX_ROWS", 3)
    store_fixes(fixes(device), received_at=ELEVEN)
    report, _is_due = create_report(kind="detailed", device=device, range_start=DAY, range_end=LATER)
    with pytest.raises(PermanentError, match="11 rows"):
        generate_report(report.pk)
    report.refresh_from_db()
    assert report.state == ReportState.FAILED
    assert "choose a shorter range" in report.error
    assert report.finished_at is not None


def test_a_cancelled_report_stops_between_devices_and_says_so(device, fleet):
    report, _is_due = create_report(kind="fleet", fleet=fleet, range_start=DAY, range_end=LATER)
    set_current_job(CurrentJob(job_id=uuid.uuid4(), is_cancelled=lambda: True))
    try:
        with pytest.raises(JobCancelled):
            generate_report(report.pk)
    finally:
        set_current_job(None)
    report.refresh_from_db()
    assert (report.state, report.error) == (ReportState.CANCELLED, "The report was cancelled.")


def test_a_failed_report_can_be_tried_again(device):
    report, _is_due = create_report(kind="summary", device=device, range_start=DAY, range_end=LATER)
    Report.objects.filter(pk=report.pk).update(state=ReportState.FAILED, error="The disk was full.")
    assert generate_report(report.pk)["state"] == "ready"
    report.refresh_from_db()
    assert report.error == ""


# --- files


def test_an_export_job_writes_the_file(device, run_jobs):
    drive(device)
    report = build("summary", device=device)
    job_id = enqueue("export_report_data", report.pk, "csv")
    run_jobs("reports")
    result = Job.objects.get(pk=job_id).result
    written = ReportFile.objects.get()
    assert (result["file"], result["size_bytes"]) == (written.file.name, written.file.size)
    assert written.file.name.startswith("reports/")


def test_each_format_opens_again_and_says_the_same(device):
    drive(device)
    report = build("trips", device=device)
    (trip,) = rows_of(report, "trips")
    files = {format: export_report(report.pk, format).file.read() for format in ("json", "csv", "xlsx")}
    assert json.loads(files["json"])["sections"][0]["rows"][0]["distance_km"] == trip["distance_km"]
    line = next(csv.DictReader(io.StringIO(files["csv"].decode("utf-8-sig"))))
    assert (float(line["Distance (km)"]), float(line["Start longitude"])) == (
        trip["distance_km"],
        trip["start_longitude"],
    )
    sheet = openpyxl.load_workbook(io.BytesIO(files["xlsx"])).active
    assert sheet["A2"].value == datetime(2026, 3, 2, 11, 0)  # São Paulo's clock
    assert sheet["D2"].value == pytest.approx(trip["distance_km"])


def test_the_same_export_twice_is_one_file(device, media):
    report = build("summary", device=device)
    first, second = export_report(report.pk, "json"), export_report(report.pk, "json")
    assert first == second
    assert len([path for path in media.rglob("*") if path.is_file()]) == 1


def test_people_who_read_differently_do_not_get_each_others_file(device, operator, staff):
    drive(device)
    report = build("trips", device=device)
    NotificationPreference.objects.create(user=operator, language="pt-br", time_zone="UTC", distance_unit="mi")
    files = {user: export_report(report.pk, "csv", reader=reader_for(user, report)) for user in (operator, staff, None)}
    assert files[staff] == files[None] != files[operator]
    headers = [next(csv.reader(io.StringIO(files[user].file.read().decode("utf-8-sig")))) for user in (operator, staff)]
    assert [[title for title in header if "(mi)" in title or "(km)" in title] != [] for header in headers] == [
        True,
        True,
    ]
    assert any("(mi)" in title for title in headers[0])
    assert any("(km)" in title for title in headers[1])
    machine = [export_report(report.pk, "json", reader=reader_for(user, report)) for user in (operator, staff)]
    assert machine[0] == machine[1]


def test_an_export_job_writes_for_whoever_asked(device, operator, run_jobs):
    drive(device)
    report = build("trips", device=device)
    NotificationPreference.objects.create(user=operator, distance_unit="nmi")
    get_task("export_report_data").apply_async((report.pk, "csv"), requested_by=operator)
    run_jobs("reports")
    assert "(nmi)" in ReportFile.objects.get().file.read().decode("utf-8-sig")


def test_a_disk_that_fills_up_half_way_leaves_nothing_behind(device, media, monkeypatch):
    drive(device)
    report = build("route", device=device)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        for format in formats_of("route"):
            with pytest.raises(FileNotWritten, match="File too large"):
                export_report(report.pk, format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert list((media / PARTIAL_FOLDER).iterdir()) == []
    assert not ReportFile.objects.exists()
    assert export_report(report.pk, "xlsx").size_bytes > 500


def test_a_file_that_vanished_is_written_again(device):
    report = build("summary", device=device)
    first = export_report(report.pk, "json")
    default_storage.delete(first.file.name)
    assert default_storage.exists(export_report(report.pk, "json").file.name)
    assert ReportFile.objects.count() == 1


def test_an_export_that_fails_half_way_leaves_nothing_behind(device, media, monkeypatch):
    report = build("summary", device=device)

    def full(file, section):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports_app.exporters.json_file._write_section", full)
    with pytest.raises(FileNotWritten, match="could not be written: No space left on device"):
        export_report(report.pk, "json")
    assert [path for path in media.rglob("*") if path.is_file()] == []
    assert list((media / PARTIAL_FOLDER).iterdir()) == []
    assert not ReportFile.objects.exists()


def test_a_file_whose_row_another_job_wrote_first_is_thrown_away(device, media, monkeypatch):
    report = build("summary", device=device)
    write = JsonExporter.write

    def slow(self, table, target, reader):
        monkeypatch.undo()
        export_report(report.pk, "json")
        write(self, table, target, reader)

    monkeypatch.setattr("reports_app.exporters.json_file.JsonExporter.write", slow)
    written = export_report(report.pk, "json")
    assert written == ReportFile.objects.get()
    assert [path.name for path in media.rglob("*.json")] == [os.path.basename(written.file.name)]


def test_a_failed_or_unfinished_report_is_not_exported(device):
    report, _is_due = create_report(kind="summary", device=device, range_start=DAY, range_end=LATER)
    with pytest.raises(ReportNotReady):
        export_report(report.pk, "json")
    Report.objects.filter(pk=report.pk).update(state=ReportState.FAILED, error="No luck.")
    with pytest.raises(InvalidReport, match=r"failed: No luck\."):
        export_report(report.pk, "json")


# --- the fleet's day


def test_every_fleet_gets_yesterdays_report_once(device, foreign, run_jobs):
    drive(device)
    now = NEXT_DAY + timedelta(minutes=1)
    generate_daily_reports(now=now)
    again = generate_daily_reports(now=now + timedelta(hours=1))
    run_jobs("reports")
    assert set(again["reports"]) == set(Report.objects.values_list("pk", flat=True))
    ours, other = (Report.objects.get(fleet=each.fleet) for each in (device, foreign))
    assert (ours.state, ours.range_start, ours.range_end) == (ReportState.READY, DAY, NEXT_DAY)
    assert (other.state, other.range_start) == (ReportState.READY, datetime(2026, 3, 2, tzinfo=UTC))
    assert totals_of(ours, "devices")["distance_km"] == pytest.approx(10 * STEP_KM, rel=0.01)


def test_the_daily_task_writes_the_reports(device, run_jobs):
    job_id = enqueue("generate_daily_reports", "2026-03-02")
    run_jobs("reports")
    report = Report.objects.get()
    assert (report.kind, report.state, report.range_start) == ("daily", ReportState.READY, DAY)
    assert Job.objects.get(pk=job_id).result == {"reports": [report.pk], "skipped": []}


def test_a_broken_fleet_never_stops_the_others(device, foreign):
    Fleet.objects.filter(pk=device.fleet_id).update(time_zone="Mars/Olympus")
    result = generate_daily_reports(now=LATER)
    assert [each["fleet_id"] for each in result["skipped"]] == [device.fleet_id]
    assert list(Report.objects.values_list("fleet", flat=True)) == [foreign.fleet_id]


def test_a_day_that_is_not_over_has_no_report(fleet):
    result = generate_daily_reports(date(2026, 3, 3), now=LATER - timedelta(seconds=1))
    assert result["reports"] == []
    assert "not over" in result["skipped"][0]["reason"]


def test_a_failed_daily_report_is_tried_again(fleet, run_jobs):
    generate_daily_reports(now=LATER)
    Report.objects.update(state=ReportState.FAILED, error="The disk was full.")
    generate_daily_reports(now=LATER)
    run_jobs("reports")
    assert Report.objects.get().state == ReportState.READY


# --- sweep, retention


def stuck_report(device, **fields) -> Report:
    report, _is_due = create_report(
        kind="summary", device=device, range_start=DAY, range_end=LATER, job_id=uuid.uuid4()
    )
    Report.objects.filter(pk=report.pk).update(created_at=LATER - timedelta(hours=1), **fields)
    return report


@pytest.mark.parametrize("state", [ReportState.PENDING, ReportState.RUNNING])
def test_a_report_whose_job_was_lost_is_built_after_all(device, run_jobs, state):
    report = stuck_report(device, state=state)
    assert sweep_stuck_reports(now=LATER) == {"enqueued": 1, "failed": 0}
    assert sweep_stuck_reports(now=LATER) == {"enqueued": 1, "failed": 0}  # its job lives now: nothing is made twice
    assert run_jobs("reports") == 1
    report.refresh_from_db()
    assert report.state == ReportState.READY
    assert sweep_stuck_reports(now=LATER) == {"enqueued": 0, "failed": 0}


def test_a_report_asked_for_just_now_is_not_stuck(device):
    report, _is_due = create_report(
        kind="summary", device=device, range_start=DAY, range_end=LATER, job_id=uuid.uuid4()
    )
    assert sweep_stuck_reports(now=report.created_at + timedelta(minutes=9)) == {"enqueued": 0, "failed": 0}


@pytest.mark.parametrize(
    ("state", "message", "reason"),
    [(JobState.FAILED, "Three workers died.", "Three workers died."), (JobState.CANCELLED, "", "cancelled")],
)
def test_a_report_whose_job_ended_without_it_ends_like_it(device, state, message, reason):
    report = stuck_report(device, state=ReportState.RUNNING)
    moments = {"created_at": DAY, "finished_at": DAY}
    Job.objects.create(
        id=report.job_id, task="generate_device_report", queue="reports", state=state, error_message=message, **moments
    )
    assert sweep_stuck_reports(now=LATER) == {"enqueued": 0, "failed": 1}
    report.refresh_from_db()
    assert report.state == state
    assert reason in report.error


def test_retention_makes_storage_and_rows_agree(device, media):
    report = build("summary", device=device)
    kept, lost = export_report(report.pk, "json"), export_report(report.pk, "csv")
    default_storage.delete(lost.file.name)
    old, fresh = (default_storage.save(f"reports/2026/01/{name}.json", ContentFile(b"{}")) for name in ("old", "fresh"))
    long_ago = time.time() - 7200
    os.utime(default_storage.path(old), (long_ago, long_ago))
    (media / PARTIAL_FOLDER / "dead").mkdir(parents=True)
    os.utime(media / PARTIAL_FOLDER / "dead", (0, 0))
    expected = {"files": 1, "rows": 1, "partials": 1}
    assert delete_orphaned_files(dry_run=True) == expected
    assert delete_orphaned_files() == expected
    assert delete_orphaned_files() == {"files": 0, "rows": 0, "partials": 0}
    assert list(ReportFile.objects.all()) == [kept]
    assert (default_storage.exists(old), default_storage.exists(fresh)) == (False, True)


def test_the_cleanup_of_orphans_takes_report_files_along(device, run_jobs):
    lost = export_report(build("summary", device=device).pk, "csv")
    default_storage.delete(lost.file.name)
    job_id = enqueue("cleanup_orphaned_data")
    run_jobs("cleanup")
    assert Job.objects.get(pk=job_id).result["report_rows"] == 1
    assert not ReportFile.objects.exists()


# --- the command


def test_the_command_writes_a_report_to_a_file(device, tmp_path, capsys):
    drive(device)
    target = tmp_path / "trips.csv"
    options = ["--device", "van-1", "--from", "2026-03-02", "--to", "2026-03-04", "--format", "csv"]
    call_command("report", "trips", *options, "--output", str(target))
    assert len(target.read_text("utf-8-sig").splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["trips.csv"]
    assert "Trips" in capsys.readouterr().out


def test_the_command_covers_one_day_unless_told_otherwise(fleet, capsys):
    call_command("report", "daily", "--fleet", fleet.name, "--from", "2026-03-02", "--format", "xlsx")
    report = Report.objects.get()
    assert (report.range_start, report.range_end) == (DAY, NEXT_DAY)
    assert report.files.get().file.name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summary", "--device", "nobody"], "no device"),
        (["fleet", "--fleet", "nobody"], "no fleet"),
        (["summary"], "needs a device"),
        (["summary", "--device", "van-1", "--from", "soon"], "not an ISO"),
        (["summary", "--device", "van-1", "--output", "/nonexistent/folder/x.json"], "No such file"),
    ],
)
def test_the_command_says_what_is_wrong(device, arguments, message):
    with pytest.raises(CommandError, match=message):
        call_command("report", *arguments)


@pytest.mark.parametrize("kind", sorted({*BUILDERS} - {"daily"}))
def test_every_kind_is_written_in_every_format_it_has(kind, device, fleet):
    drive(device)
    subject = {"fleet": fleet} if kind == "fleet" else {"device": device}
    report = build(kind, **subject)
    places = {key for section in stored_table(report.pk).sections for key in (c.key for c in section.columns)}
    has_places = bool(places & {"latitude", "start_latitude"})
    assert ("gpx" in formats_of(kind)) == has_places
    for format in formats_of(kind):
        assert export_report(report.pk, format).size_bytes > 0
