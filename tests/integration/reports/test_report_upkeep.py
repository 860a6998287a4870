"""The fleet's day, reports whose job was lost, and what retention leaves."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from reports_app.models import Report, ReportFile, ReportSchedule, ReportScheduleRun, ReportState
from reports_app.services.files import delete_orphaned_files, export_report, orphans
from reports_app.services.files.export import PARTIAL_FOLDER
from reports_app.services.generation import sweep_stuck_reports
from reports_app.services.requests import create_report
from reports_app.services.requests.daily import generate_daily_reports
from reports_app.services.retention import remove_old_reports
from tasks_app.engine import JobState, enqueue
from tasks_app.models import Fleet, Job
from tests.support.reports import (
    DAY,
    LATER,
    NEXT_DAY,
    STEP_KM,
    build,
    drive,
    totals_of,
)

pytestmark = pytest.mark.usefixtures("media")


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
    times = {"created_at": DAY, "finished_at": DAY}
    Job.objects.create(
        id=report.job_id, task="generate_device_report", queue="reports", state=state, error_message=message, **times
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
    (media / PARTIAL_FOLDER / ".nfs0001").touch()
    for name in ("dead", ".nfs0001"):
        os.utime(media / PARTIAL_FOLDER / name, (1, 1))
    expected = {"files": 1, "rows": 1, "partials": 2}
    assert delete_orphaned_files(dry_run=True) == expected
    assert delete_orphaned_files() == expected
    assert delete_orphaned_files() == {"files": 0, "rows": 0, "partials": 0}
    assert list(ReportFile.objects.all()) == [kept]
    assert (default_storage.exists(old), default_storage.exists(fresh)) == (False, True)


@pytest.mark.django_db
def test_retention_meets_exports_and_expiry_that_end_meanwhile(media, monkeypatch):
    """Files that it found in a folder may be gone before it looks at them."""
    (media / PARTIAL_FOLDER).mkdir(parents=True)
    monkeypatch.setattr(orphans, "stored_files", lambda storage, folder: ["reports/2026/01/expired.json"])
    monkeypatch.setattr(Path, "iterdir", lambda folder: [folder / "ended"])
    assert delete_orphaned_files() == {"files": 0, "rows": 0, "partials": 0}


def test_runs_of_report_schedules_go_with_what_was_asked_for_unless_they_go_on(fleet, operator):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    schedule = ReportSchedule.objects.create(
        name="x", owner=operator, fleet=fleet, kinds=["trips"], formats=["csv"], period="daily", local_time=clock(7),
        time_zone="UTC",
    )  # fmt: skip
    for state, days in (("delivered", 401), ("failed", 402), ("running", 403), ("delivered", 399)):
        at = now - timedelta(days=days)
        run = ReportScheduleRun.objects.create(
            schedule=schedule, state=state, due_at=at, range_start=at - timedelta(days=1), range_end=at
        )
        ReportScheduleRun.objects.filter(pk=run.pk).update(started_at=at)
    assert remove_old_reports(now=now, dry_run=True)["rows"] == 2
    assert remove_old_reports(now=now)["rows"] == 2
    assert sorted(ReportScheduleRun.objects.values_list("state", flat=True)) == ["delivered", "running"]


def test_the_cleanup_of_orphans_takes_report_files_along(device, run_jobs):
    lost = export_report(build("summary", device=device).pk, "csv")
    default_storage.delete(lost.file.name)
    job_id = enqueue("cleanup_orphaned_data")
    run_jobs("cleanup")
    assert Job.objects.get(pk=job_id).result["report_rows"] == 1
    assert not ReportFile.objects.exists()
