"""Reports through the API: asked for, listed, downloaded."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
from django.utils import timezone

from reports_app.models import Report, ReportFile
from tasks_app.models import Position
from tasks_app.services.partitions import ensure_partitions

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)  # midnight in the fleet's zone, São Paulo


@pytest.fixture(autouse=True)
def _files_in_a_folder_of_the_test(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def driven(device):
    rows = [
        Position(
            device=device,
            fix_time=DAY + timedelta(hours=8, seconds=10 * number),
            received_at=DAY,
            latitude=-23.5,
            longitude=-46.6 + number * 0.001,
            speed_kph=36.0,
        )
        for number in range(60)
    ]
    ensure_partitions(row.fix_time for row in rows)
    Position.objects.bulk_create(rows)
    return device


def body_of(response) -> bytes:
    assert response.status_code == 200, getattr(response, "content", b"")
    return b"".join(response.streaming_content)


@pytest.mark.parametrize(
    "kind", ["summary", "detailed", "route", "trips", "stops", "events", "visits", "overspeed", "fuel"]
)
def test_it_writes_a_device_report_in_every_format(api, driven, run_jobs, kind):
    body = {"device_id": driven.pk, "start": "2026-03-01", "end": "2026-03-02", "kind": kind}
    accepted = api.post("/api/tasks/report/device", body, format="json")
    assert accepted.status_code == 202, accepted.content
    too_early = api.get(f"/api/reports/{accepted.json()['report_id']}/download")
    assert (too_early.status_code, too_early.json()["code"], too_early.json()["state"]) == (
        409,
        "report_not_ready",
        "pending",
    )
    run_jobs("reports")
    assert api.get(accepted.json()["status_url"]).json()["state"] == "succeeded"
    report = api.get(accepted.json()["report_url"]).json()
    assert (report["state"], report["task_id"]) == ("ready", accepted.json()["task_id"])
    assert report["range_start"] == "2026-03-01T03:00:00Z"
    url = report["download_url"]
    assert json.loads(body_of(api.get(url)))
    as_csv = api.get(url, {"format": "csv"})
    assert 'attachment; filename="' in as_csv["Content-Disposition"]
    assert as_csv["Content-Type"].startswith("text/csv")
    assert list(csv.reader(io.StringIO(body_of(as_csv).decode("utf-8-sig"))))
    assert openpyxl.load_workbook(io.BytesIO(body_of(api.get(url, {"format": "xlsx"})))).sheetnames
    assert ReportFile.objects.count() == 3


def test_it_refuses_formats_nobody_writes(api, driven, run_jobs):
    body = {"device_id": driven.pk, "start": "2026-03-01", "end": "2026-03-02"}
    number = api.post("/api/tasks/report/device", body, format="json").json()["report_id"]
    run_jobs("reports")
    response = api.get(f"/api/reports/{number}/download?format=exe")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["format"])


def test_it_exports_as_a_job(api, driven, run_jobs):
    body = {"device_id": driven.pk, "start": "2026-03-01", "end": "2026-03-02"}
    number = api.post("/api/tasks/report/device", body, format="json").json()["report_id"]
    run_jobs("reports")
    accepted = api.post("/api/tasks/report/export", {"report_id": number, "format": "csv"}, format="json")
    assert (accepted.status_code, accepted.json()["task"]) == (202, "export_report_data")
    run_jobs("reports")
    assert api.get(accepted.json()["status_url"]).json()["result"]["format"] == "csv"


def test_a_report_that_is_still_made_is_not_exported(api, driven):
    body = {"device_id": driven.pk, "start": "2026-03-01", "end": "2026-03-02"}
    number = api.post("/api/tasks/report/device", body, format="json").json()["report_id"]
    refused = api.post("/api/tasks/report/export", {"report_id": number, "format": "csv"}, format="json")
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        409,
        "report_not_ready",
        "pending",
    )


def test_a_fleets_day_is_written_once(api, driven, fleet, run_jobs):
    body = {"fleet_id": fleet.pk, "day": "2026-03-01"}
    first = api.post("/api/tasks/report/daily", body, format="json").json()
    second = api.post("/api/tasks/report/daily", body, format="json").json()
    assert (first["report_id"], first["task_id"]) == (second["report_id"], second["task_id"])
    run_jobs("reports")
    again = api.post("/api/tasks/report/daily", body, format="json")
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (200, first["report_id"], "ready")
    assert again.json()["task_id"] == first["task_id"]
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": "2026-03-02", "end": "2026-03-01"}, "end"),
        ({"start": "2020-03-02", "end": "2026-03-01"}, "end"),
        ({"start": "soon"}, "start"),
        ({"start": "2026-03-01T00:00:00"}, "start"),
        ({"start": 5}, "start"),
        ({"start": "0001-01-01"}, "start"),
        ({"end": "9999-12-31"}, "end"),
        ({"kind": "fleet"}, "kind"),
        ({"device_id": "1"}, "device_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_it_names_what_is_wrong_with_a_request(api, device, changes, field):
    body = {"device_id": device.pk, "start": "2026-03-01", "end": "2026-03-02", **changes}
    response = api.post("/api/tasks/report/device", body, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, [field]), response.content
    assert not Report.objects.exists()


def test_it_refuses_a_day_that_is_not_over(api, fleet):
    body = {"fleet_id": fleet.pk, "day": (timezone.now() + timedelta(days=2)).date().isoformat()}
    response = api.post("/api/tasks/report/daily", body, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["day"])


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_it_survives_days_at_the_ends_of_the_calendar(api, fleet, day):
    response = api.post("/api/tasks/report/daily", {"fleet_id": fleet.pk, "day": day}, format="json")
    assert response.status_code == 400


def test_it_lists_reports_by_kind_and_state(api, device, operator):
    for kind in ("summary", "summary", "route"):
        Report.objects.create(
            kind=kind, device=device, range_start=DAY, range_end=DAY + timedelta(days=1), requested_by=operator
        )
    assert len(api.get("/api/reports/").json()["results"]) == 3
    first = api.get("/api/reports/?kind=summary&state=pending&limit=1").json()
    second = api.get(first["next"]).json()
    assert first["results"][0]["id"] > second["results"][0]["id"]
    assert second["next"] is None
    assert first["results"][0]["download_url"] is None


def test_a_failed_report_says_why(api, device, operator):
    report = Report.objects.create(
        kind="summary",
        device=device,
        range_start=DAY,
        range_end=DAY + timedelta(days=1),
        requested_by=operator,
        state="failed",
        error="It took too long.",
    )
    response = api.get(f"/api/reports/{report.pk}/download")
    assert (response.status_code, response.json()["state"]) == (409, "failed")
    assert response.json()["detail"] == "It took too long."
