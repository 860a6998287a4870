"""The same report asked for twice is made once, and anew when it would say something else."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from notifications_app.models import Notification
from reports_app.models import Report, ReportFile, ReportFollower
from reports_app.services.files import export_report
from tasks_app.engine import get_task
from tasks_app.ingest.fix import Fix
from tasks_app.models import FleetMembership, Job
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import DAY, ask, requested_report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("media")]
BODY = {"start": "2026-03-02", "end": "2026-03-03"}


def late_fix(device) -> None:
    store_fixes([Fix(device.unique_id, DAY + timedelta(hours=8), -23.5, -46.6)], received_at=timezone.now())


@pytest.fixture
def aged(settings):
    """No report is young enough to be reused for its age alone."""
    settings.REPORT_REUSE_SECONDS = 0


def test_two_who_ask_at_once_share_one_job(api, device, staff_api, run_jobs):
    first, second = ask(api, device).json(), ask(staff_api, device).json()
    assert (first["report_id"], first["task_id"]) == (second["report_id"], second["task_id"])
    assert run_jobs("reports") == 1
    assert ReportFollower.objects.filter(report=first["report_id"]).count() == 2


def test_each_of_two_who_share_a_report_may_read_its_job_and_nobody_else(api, device, fleet, make_user, run_jobs):
    second, stranger = (APIClient() for _ in range(2))
    colleague = make_user(username="bruno")
    membership = FleetMembership.objects.create(user=colleague, fleet=fleet, role="operator")
    second.force_authenticate(colleague)
    stranger.force_authenticate(make_user(username="dora"))
    first, shared = ask(api, device).json(), ask(second, device).json()
    assert first["report_id"] == shared["report_id"]
    for is_done in (False, True):
        if is_done:
            run_jobs("reports")
        assert api.get(first["status_url"]).status_code == 200
        answer = second.get(shared["status_url"])
        assert (answer.status_code, answer.json()["task_id"]) == (200, shared["task_id"])
        assert stranger.get(shared["status_url"]).status_code == 404
    assert second.post(shared["status_url"] + "/cancel").status_code in (403, 404)
    membership.delete()
    assert second.get(shared["status_url"]).status_code == 404


def test_requests_in_the_very_same_moment_make_one_report(device, operator):
    def request() -> None:
        try:
            requested_report(device, operator)
        finally:
            connection.close()

    threads = [threading.Thread(target=request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert Report.objects.count() == 1


def test_a_day_that_was_over_is_read_again_only_when_a_fix_came_in(api, device, run_jobs, aged):
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    again = ask(api, device)
    assert (again.status_code, again.json()["report_id"], again.json()["state"]) == (200, number, "ready")
    late_fix(device)
    renewed = ask(api, device)
    assert renewed.status_code == 202
    assert renewed.json()["report_id"] != number
    run_jobs("reports")
    assert ask(api, device).status_code == 202  # the fix is not in the roll-up of its day yet
    run_jobs("reports")
    get_task("update_device_days").delay()
    run_jobs()
    ask(api, device)
    run_jobs("reports")
    assert ask(api, device).status_code == 200


def test_a_day_that_goes_on_is_read_again_once_its_report_is_old(api, device, run_jobs, settings):
    today = {"start": (timezone.now() - timedelta(hours=1)).isoformat(), "end": "2099-01-01T00:00:00Z"}
    body = {**today, "end": (timezone.now() + timedelta(hours=1)).isoformat()}
    number = ask(api, device, **body).json()["report_id"]
    run_jobs("reports")
    assert ask(api, device, **body).json()["report_id"] == number
    settings.REPORT_REUSE_SECONDS = 0
    assert ask(api, device, **body).json()["report_id"] != number


def test_fresh_makes_it_anew_but_not_twice_while_it_waits(api, device, run_jobs):
    first = ask(api, device).json()["report_id"]
    assert ask(api, device, fresh=True).json()["report_id"] == first
    run_jobs("reports")
    assert ask(api, device, fresh=True).json()["report_id"] != first


def test_other_parameters_make_another_report(api, device, make_device, run_jobs):
    numbers = [
        ask(api, device).json()["report_id"],
        ask(api, device, kind="trips").json()["report_id"],
        ask(api, device, end="2026-03-04").json()["report_id"],
        ask(api, make_device()).json()["report_id"],
    ]
    assert len(set(numbers)) == 4


def test_a_report_of_all_one_sees_is_shared_with_nobody(api, staff_api, device):
    body = {"start": "2026-03-02", "end": "2026-03-03"}
    mine, theirs = (each.post("/api/tasks/report/fleet", body, format="json").json() for each in (api, staff_api))
    assert mine["report_id"] != theirs["report_id"]


def test_a_fleet_that_got_another_device_is_read_again(api, fleet, device, make_device, run_jobs):
    body = {"fleet_id": fleet.pk, **BODY}
    first = api.post("/api/tasks/report/fleet", body, format="json").json()["report_id"]
    run_jobs("reports")
    make_device()
    assert api.post("/api/tasks/report/fleet", body, format="json").json()["report_id"] != first


def test_a_fleets_day_is_made_again_in_its_place_and_loses_its_old_files(api, fleet, device, run_jobs, aged):
    body = {"fleet_id": fleet.pk, "day": "2026-03-02"}
    number = api.post("/api/tasks/report/daily", body, format="json").json()["report_id"]
    run_jobs("reports")
    old = export_report(number, "csv")
    late_fix(device)
    again = api.post("/api/tasks/report/daily", body, format="json")
    assert (again.status_code, again.json()["report_id"]) == (202, number)
    run_jobs("reports")
    assert not default_storage.exists(old.file.name)
    assert not ReportFile.objects.exists()


def test_the_task_asked_for_twice_makes_one_report(device, operator, make_user, run_jobs, aged):
    args = (device.pk, "2026-03-02", "2026-03-03")
    task = get_task("generate_device_report")
    first, same = (task.apply_async(args, requested_by=operator) for _ in range(2))
    run_jobs("reports")
    report = Report.objects.get()
    results = [Job.objects.get(pk=job_id).result for job_id in (first, same)]
    assert [(each["report_id"], each["state"]) for each in results] == [(report.pk, "ready")] * 2
    assert requested_report(device, operator).pk == report.pk  # the API shares it, too
    late_fix(device)
    task.delay(*args)
    run_jobs("reports")
    assert Report.objects.count() == 2
    fleet_task = get_task("generate_fleet_report")
    for _ in range(2):
        fleet_task.apply_async(args[1:], requested_by=operator)
        fleet_task.apply_async(args[1:], requested_by=make_user(is_staff=True))
    run_jobs("reports")
    assert Report.objects.filter(kind="fleet").count() == 3  # one that is about all one sees belongs to its requester


def test_a_report_asked_for_by_task_tells_its_requester_why_it_failed(device, operator, run_jobs, monkeypatch):
    monkeypatch.setattr("reports_app.builders.base.MAX_ROWS", -1)
    args = (device.pk, "2026-03-02", "2026-03-03", "detailed")
    get_task("generate_device_report").apply_async(args, requested_by=operator)
    run_jobs("reports")
    assert (Notification.objects.get().user, Report.objects.get().state) == (operator, "failed")


@pytest.mark.parametrize("change", [{"kind": "phone"}, {"tank_liters": 55.0}, {"fleet__time_zone": "Asia/Tokyo"}])
def test_a_device_with_other_rules_gets_another_report(api, device, run_jobs, change):
    number = ask(api, device).json()["report_id"]
    run_jobs("reports")
    (name, value), row = next(iter(change.items())), device
    if name.startswith("fleet__"):
        name, row = name.removeprefix("fleet__"), device.fleet
    setattr(row, name, value)
    row.save()
    assert ask(api, device).json()["report_id"] != number
