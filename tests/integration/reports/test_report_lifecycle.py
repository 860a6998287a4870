"""A report's life: cancelled, failed, notified, expired, deleted; in any storage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from notifications_app.models import Notification
from reports_app.exceptions import InvalidReport, ReportExpired
from reports_app.models import Report, ReportFile, ReportState
from reports_app.queries import may_change_report
from reports_app.services.files import export_report, report_link
from reports_app.services.generation import generate_report
from reports_app.services.requests import request_report
from reports_app.services.retention import expire_reports
from reports_app.table import section_from_content
from tasks_app.engine import JobCancelled, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import FleetMembership, FleetRole, Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job
from tasks_app.services.cleanup import Run
from tests.support.reports import DAY, NEXT_DAY, ask, requested_report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media")]
BODY = {"start": "2026-03-02", "end": "2026-03-03"}
MEMORY = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


# --- cancel, retry, delete


def test_a_report_that_waits_is_cancelled_at_once(api, device):
    asked = ask(api, device).json()
    answer = api.post(f"/api/reports/{asked['report_id']}/cancel", {"reason": "Wrong day"}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert api.get(asked["status_url"]).json()["state"] == "cancelled"
    assert api.post(f"/api/reports/{asked['report_id']}/cancel").status_code == 200
    assert not Notification.objects.exists()


def test_a_report_follows_its_job_that_somebody_cancelled(api, device):
    asked = ask(api, device).json()
    api.post(f"/api/tasks/task/{asked['task_id']}/cancel", {}, format="json")
    assert api.get(asked["report_url"]).json()["state"] == "cancelled"
    download = api.get(f"/api/reports/{asked['report_id']}/download")
    assert (download.status_code, download.json()["code"]) == (409, "report_cancelled")


def test_a_cancelled_report_can_be_retried(api, device, run_jobs):
    number = ask(api, device).json()["report_id"]
    api.post(f"/api/reports/{number}/cancel")
    again = api.post(f"/api/reports/{number}/retry")
    assert (again.status_code, again.json()["state"], again.json()["error"]) == (202, "pending", "")
    run_jobs("reports")
    assert api.get(f"/api/reports/{number}").json()["state"] == "ready"
    conflict = api.post(f"/api/reports/{number}/retry")
    assert (conflict.status_code, conflict.json()["state"]) == (409, "ready")
    assert api.post(f"/api/reports/{number}/cancel").status_code == 409


def test_a_deleted_report_takes_its_files_along(api, device, run_jobs, media):
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    export_report(number, "csv")
    assert api.delete(f"/api/reports/{number}").status_code == 204
    assert api.get(f"/api/reports/{number}").status_code == 404
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_deleting_a_report_that_is_being_made_cancels_its_job(api, device):
    asked = ask(api, device).json()
    assert api.delete(f"/api/reports/{asked['report_id']}").status_code == 204
    assert Job.objects.get(pk=asked["task_id"]).state == "cancelled"


@pytest.mark.parametrize("step", ["cancel", "retry", "delete"])
def test_only_its_requester_and_managers_change_a_report(api, device, fleet, make_user, operator, step):
    report = requested_report(device, make_user())
    if step == "retry":
        Report.objects.filter(pk=report.pk).update(state="failed")

    def attempt() -> int:
        if step == "delete":
            return api.delete(f"/api/reports/{report.pk}").status_code
        return api.post(f"/api/reports/{report.pk}/{step}").status_code

    assert attempt() == 403
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    assert attempt() in (200, 202, 204)


def test_staff_change_reports_of_others_only_with_the_permission(device, operator, make_user):
    report = requested_report(device, operator)
    assert not may_change_report(make_user(is_staff=True), report)
    assert may_change_report(make_user(is_staff=True, is_superuser=True), report)


# --- notified


def test_a_failed_report_tells_its_requester_why(device, operator, run_jobs, monkeypatch):
    def refuse(report):
        raise InvalidReport("too_many_rows", "The report would be too long: choose a shorter range.", field="end")

    monkeypatch.setattr("reports_app.services.generation.generating.build_table", refuse)
    report = request_report(kind="route", device=device, range_start=DAY, range_end=NEXT_DAY, requested_by=operator)
    run_jobs("reports")
    report.refresh_from_db()
    notification = Notification.objects.get()
    assert (notification.user, notification.kind, report.state) == (operator, "report_failed", "failed")
    assert "choose a shorter range" in notification.body_text
    assert "Route: Van 1, 2 March 2026" in notification.subject


def test_nobody_is_told_while_its_job_will_try_again(device, operator, monkeypatch):
    report = requested_report(device, operator)
    monkeypatch.setattr("reports_app.services.generation.generating.build_table", lambda report: 1 / 0)
    for attempt, state in ((1, "pending"), (2, "failed")):
        set_current_job(CurrentJob(job_id=report.job_id, attempt=attempt))
        try:
            with pytest.raises(ZeroDivisionError):
                generate_report(report.pk)
        finally:
            set_current_job(None)
        report.refresh_from_db()
        assert (report.state, "ZeroDivisionError" in report.error) == (state, True)
        assert Notification.objects.count() == attempt - 1


def test_it_tells_that_it_is_ready_whoever_asked_for_that_or_waited_long(
    api, device, operator, staff, settings, run_jobs, client
):
    requested_report(device, operator, wants_notice=True)
    requested_report(device, staff)
    run_jobs("reports")
    notification = Notification.objects.get()
    assert (notification.user, notification.kind) == (operator, "report_ready")
    settings.REPORT_NOTICE_AFTER_SECONDS = 0
    requested_report(device, staff, fresh=True)
    run_jobs("reports")
    assert Notification.objects.filter(user=staff, kind="report_ready").count() == 1


def test_it_tells_nobody_who_lost_the_fleet(device, operator, run_jobs):
    requested_report(device, operator, wants_notice=True)
    FleetMembership.objects.all().delete()
    run_jobs("reports")
    assert not Notification.objects.exists()


# --- links


def path_of(url: str) -> str:
    return url[url.index("/reports/") :]


def test_a_link_works_without_logging_in_until_its_reader_loses_the_fleet(device, operator, run_jobs, client):
    report = requested_report(device, operator)
    link = path_of(report_link(report, operator))
    assert client.get(link).status_code == 409
    run_jobs("reports")
    page = client.get(link)
    assert (page.status_code, page["Referrer-Policy"]) == (200, "no-referrer")
    assert "Device summary: Van 1" in page.content.decode()
    report.refresh_from_db()
    in_portuguese = client.get(link, headers={"accept-language": "pt-br"}).content.decode()
    assert f"até {report.expires_at:%d/%m/%Y %H:%M:%S} UTC." in in_portuguese
    file = client.get(path_of(report_link(report, operator, "csv")))
    assert b"Van 1" in b"".join(file.streaming_content)
    assert client.get(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 404
    FleetMembership.objects.all().delete()
    assert client.get(link).status_code == 404


# --- expiry


def test_an_expired_report_loses_content_and_files_and_says_so(api, device, run_jobs, media, client, operator):
    report = requested_report(device, operator)
    run_jobs("reports")
    export_report(report.pk, "csv")
    report.refresh_from_db()
    assert report.expires_at - report.finished_at == timedelta(days=30)
    for at, dry_run, count in (
        (report.expires_at - timedelta(seconds=1), False, 0),
        (report.expires_at, True, 1),
        (report.expires_at, False, 1),
    ):
        done = expire_reports(now=at, dry_run=dry_run)
        assert (done["reports"], done["files"]) == (count, count)
    report.refresh_from_db()
    assert (report.state, report.content) == (ReportState.EXPIRED, None)
    assert [path for path in media.rglob("*") if path.is_file()] == []
    download = api.get(f"/api/reports/{report.pk}/download")
    assert (download.status_code, download.json()["code"]) == (410, "report_expired")
    export = api.post("/api/tasks/report/export", {"report_id": report.pk, "format": "csv"}, format="json")
    assert export.status_code == 410
    assert client.get(path_of(report_link(report, operator))).status_code == 410
    with pytest.raises(ReportExpired):
        export_report(report.pk, "csv")
    assert ask(api, device).json()["report_id"] != report.pk


def test_a_report_that_is_made_again_while_others_expire_is_kept(api, device, run_jobs, media, monkeypatch):
    ask(api, device)
    run_jobs("reports")
    report = Report.objects.get()
    now = report.expires_at + timedelta(seconds=1)

    def made_again(run) -> bool:
        Report.objects.update(expires_at=now + timedelta(days=30))
        return True

    monkeypatch.setattr(Run, "has_time", made_again)
    assert expire_reports(now=now)["reports"] == 0
    report.refresh_from_db()
    assert (report.state, bool(report.content), report.chunks.exists()) == ("ready", True, True)


def test_the_task_expires_reports(device, run_jobs):
    report = requested_report(device)
    run_jobs("reports")
    Report.objects.update(expires_at=timezone.now())
    job_id = get_task("expire_reports").delay()
    run_jobs("cleanup")
    result = Job.objects.get(pk=job_id).result
    assert (result["reports"], result["files"], result["finished"]) == (1, 0, True)
    report.refresh_from_db()
    assert report.state == ReportState.EXPIRED


def test_a_file_written_while_its_report_expired_goes_again(device, run_jobs, media, monkeypatch):
    report = requested_report(device)
    run_jobs("reports")
    monkeypatch.setattr(
        "reports_app.services.files.export._MovableFile.temporary_file_path",
        lambda self: (expire_reports(now=timezone.now() + timedelta(days=99)), str(self.path))[1],
    )
    with pytest.raises(ReportExpired):
        export_report(report.pk, "csv")
    assert [path for path in media.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/reports/{}/", (200, 404)),
        ("/admin/reports_app/report/{}/change/", (200, 404)),
        ("/api/reports/{}/preview", (410, 404)),
        ("/api/reports/{}/download", (410, 404)),
    ],
)
def test_a_report_that_goes_while_it_is_read_is_told_so(
    device, operator, run_jobs, media, monkeypatch, page, client, path, expected, deletes
):
    report = requested_report(device, operator)
    run_jobs("reports")

    def expired_first(*args):
        expire_reports(now=timezone.now() + timedelta(days=99))
        if deletes:
            Report.objects.all().delete()
        return section_from_content(*args)

    monkeypatch.setattr("reports_app.queries.content.section_from_content", expired_first)
    client.force_login(operator)
    answer = (page if "admin" in path else client).get(path.format(report.pk))
    assert answer.status_code == expected[deletes]
    assert deletes or b"xpired" in answer.content


# --- another storage


def test_files_live_in_any_storage_of_django(api, device, run_jobs, settings, media):
    settings.STORAGES = {**settings.STORAGES, **MEMORY}
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    file = api.get(f"/api/reports/{number}/download", {"format": "csv"})
    assert b"Van 1" in b"".join(file.streaming_content)
    name = ReportFile.objects.get().file.name
    assert (default_storage.exists(name), media.exists()) == (True, False)
    job_id = get_task("cleanup_orphaned_data").delay()
    run_jobs("cleanup")
    job = find_job(job_id, user=SHELL)
    assert job.state == "succeeded", job.attempts
    assert default_storage.exists(name)
    api.delete(f"/api/reports/{number}")
    assert not default_storage.exists(name)


def test_a_storage_that_refuses_is_told_and_leaves_nothing(api, device, run_jobs, settings):
    backend = {"default": {"BACKEND": "tests.support.storage.UnreachableStorage"}}
    settings.STORAGES = {**settings.STORAGES, **backend}
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    answer = api.get(f"/api/reports/{number}/download", {"format": "csv"})
    assert (answer.status_code, answer.json()["code"]) == (507, "file_not_written")
    assert "the bucket does not answer" in answer.json()["detail"]
    assert not ReportFile.objects.exists()


# --- large reports


def test_an_export_tells_how_far_it_is_and_stops_when_cancelled(device, run_jobs, media):
    report = requested_report(device)
    run_jobs("reports")
    answers = iter([False, False, True])
    job = CurrentJob(is_cancelled=lambda: next(answers))
    set_current_job(job)
    try:
        with pytest.raises(JobCancelled):
            export_report(report.pk, "csv")
    finally:
        set_current_job(None)
    assert (job.last_progress["current"], job.last_progress["message"]) == (2, "writing CSV")
    assert [path for path in media.rglob("*") if path.is_file()] == []


def test_a_large_report_is_written_by_a_job_that_is_shared(api, staff_api, device, run_jobs, settings):
    settings.REPORT_INLINE_ROWS = 0
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    url = f"/api/reports/{number}/download"
    first, second = (each.get(url, {"format": "csv"}) for each in (api, staff_api))
    assert (first.status_code, first.json()["task_id"]) == (202, second.json()["task_id"])
    run_jobs("reports")
    file = api.get(url, {"format": "csv"})
    assert file.status_code == 200
    assert file["Cache-Control"] == "private, no-store"
    assert api.get(url, {"format": "csv"}, HTTP_IF_NONE_MATCH=file["ETag"]).status_code == 304


def test_who_lost_the_fleet_no_longer_sees_the_report(api, device, fleet, operator, run_jobs):
    number = ask(api, device).json()["report_id"]
    chosen = api.post("/api/tasks/report/fleet", {"device_ids": [device.pk], **BODY}, format="json").json()["report_id"]
    assert api.get(f"/api/reports/{chosen}").status_code == 200
    FleetMembership.objects.all().delete()
    assert api.get(f"/api/reports/{number}").status_code == 404
    assert api.get(f"/api/reports/{chosen}").status_code == 404
