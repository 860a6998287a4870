"""Files of reports: every format, whole or not at all, one for all who read alike; and the command."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
from datetime import datetime

import openpyxl
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from notifications_app.models import NotificationPreference
from reports_app.exceptions import FileNotWritten, InvalidReport, ReportNotReady
from reports_app.exporters.json_file import JsonExporter
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import report_display_settings
from reports_app.services.files import export_report, formats_of
from reports_app.services.files.export import PARTIAL_FOLDER
from reports_app.services.requests import create_report
from tasks_app.engine import enqueue, get_task
from tasks_app.models import Job
from tests.support.reports import (
    DAY,
    LATER,
    NEXT_DAY,
    build,
    drive,
    rows_of,
)

pytestmark = pytest.mark.usefixtures("media")


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
    files = {
        user: export_report(report.pk, "csv", display=report_display_settings(user, report))
        for user in (operator, staff, None)
    }
    assert files[staff] == files[None] != files[operator]
    headers = [next(csv.reader(io.StringIO(files[user].file.read().decode("utf-8-sig")))) for user in (operator, staff)]
    assert [[title for title in header if "(mi)" in title or "(km)" in title] != [] for header in headers] == [
        True,
        True,
    ]
    assert any("(mi)" in title for title in headers[0])
    assert any("(km)" in title for title in headers[1])
    machine = [
        export_report(report.pk, "json", display=report_display_settings(user, report)) for user in (operator, staff)
    ]
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

    def slow(self, table, target, display):
        monkeypatch.undo()
        export_report(report.pk, "json")
        write(self, table, target, display)

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


# --- the command


def test_the_command_writes_a_report_to_a_file(device, tmp_path, capsys):
    drive(device)
    target = tmp_path / "trips.csv"
    options = ["--device", "van-1", "--from", "2026-03-02", "--to", "2026-03-04", "--format", "csv"]
    call_command("report", "trips", *options, "--output", str(target))
    assert len(target.read_text("utf-8-sig").splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["trips.csv"]
    assert "Trips" in capsys.readouterr().out


def test_the_command_makes_a_fleets_day_anew(device, fleet, tmp_path):
    target = tmp_path / "day.json"

    def trips() -> int:
        call_command("report", "daily", "--fleet", fleet.name, "--from", "2026-03-02", "--output", str(target))
        return json.loads(target.read_bytes())["sections"][0]["totals"]["trips"]

    assert trips() == 0
    drive(device)
    assert trips() == 1


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
