"""A user who lost a fleet or a device no longer reads what was made of it: reports, files, links, mails, jobs, imports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from notifications_app.models import Delivery
from reports_app.models import Report, ReportState
from reports_app.queries import visible_report, visible_reports
from reports_app.services.files import report_link
from tasks_app.models import Device, Fleet, FleetMembership, FleetRole
from tests.support.rights import api_of, give

pytestmark = pytest.mark.django_db(transaction=True)
RANGE = {"start": "2026-01-01", "end": "2026-01-02"}


@pytest.fixture
def south(operator) -> Device:
    """A device of a second fleet that Ana operates."""
    fleet = Fleet.objects.create(name="Depot South")
    FleetMembership.objects.create(user=operator, fleet=fleet, role=FleetRole.OPERATOR)
    return Device.objects.create(fleet=fleet, unique_id="south-1", name="South 1")


def ready_report_id(api, run_jobs, **body) -> int:
    """The number of a report that is ready."""
    answer = api.post("/api/tasks/report/fleet", {**RANGE, **body}, format="json")
    assert answer.status_code == 202, answer.content
    run_jobs("reports")
    number = answer.json()["report_id"]
    assert Report.objects.get(pk=number).state == ReportState.READY
    return number


def reads(api, number: int) -> dict[str, int]:
    """Answers of each way of reading a report; `list` is 200 where the list names it."""
    listed = {row["id"] for row in api.get("/api/reports/").json()["results"]}
    codes = {
        "detail": api.get(f"/api/reports/{number}"),
        "preview": api.get(f"/api/reports/{number}/preview"),
        "download": api.get(f"/api/reports/{number}/download?format=json"),
        "export": api.post("/api/tasks/report/export", {"report_id": number, "format": "csv"}, format="json"),
        "retry": api.post(f"/api/reports/{number}/retry"),
    }
    return {"list": 200 if number in listed else 404} | {name: answer.status_code for name, answer in codes.items()}


ALL_GONE = dict.fromkeys(["list", "detail", "preview", "download", "export", "retry"], 404)


def leave(operator, device: Device) -> None:
    FleetMembership.objects.filter(user=operator, fleet=device.fleet).delete()


@pytest.mark.parametrize("body", ["everything", "both devices", "the fleet"])
@pytest.mark.parametrize("loss", ["membership", "device"])
def test_a_report_is_gone_with_a_device_that_is_in_it(body, loss, api, operator, device, south, run_jobs, media):
    bodies = {
        "everything": {},
        "both devices": {"device_ids": [device.pk, south.pk]},
        "the fleet": {"fleet_id": south.fleet_id},
    }
    number = ready_report_id(api, run_jobs, **bodies[body])
    assert reads(api, number) == {
        "list": 200, "detail": 200, "preview": 200, "download": 200, "export": 202, "retry": 409,
    }  # fmt: skip
    link = report_link(Report.objects.get(pk=number), operator, "json").partition("://")[2].partition("/")[2]
    assert Client().get(f"/{link}").status_code == 200
    if loss == "membership":
        leave(operator, south)
    else:
        Device.objects.filter(pk=south.pk).update(fleet=Fleet.objects.create(name="Sold"))
    assert reads(api, number) == ALL_GONE
    assert Client().get(f"/{link}").status_code == 404


def test_a_report_stays_when_a_device_of_it_was_deleted(api, device, south, run_jobs, media):
    number = ready_report_id(api, run_jobs)
    south.delete()
    assert reads(api, number)["detail"] == 200


@pytest.mark.parametrize("body", ["everything", "both devices"])
@pytest.mark.parametrize("way", ["membership", "device", "fleet"])
def test_what_was_lost_does_not_come_back_when_the_device_is_deleted(
    body, way, api, operator, device, south, run_jobs, media
):
    named = {} if body == "everything" else {"device_ids": [device.pk, south.pk]}
    number = ready_report_id(api, run_jobs, **named)
    link = report_link(Report.objects.get(pk=number), operator, "json").partition("://")[2].partition("/")[2]
    if way == "device":
        Device.objects.filter(pk=south.pk).update(fleet=Fleet.objects.create(name="Sold"))
    else:
        leave(operator, south)
    Device.objects.filter(pk=south.pk).delete()
    if way == "fleet":
        south.fleet.delete()
    assert reads(api, number) == ALL_GONE
    assert Client().get(f"/{link}").status_code == 404


def test_it_holds_what_was_seen_when_it_was_made(api, operator, device, south, run_jobs, media):
    answer = api.post("/api/tasks/report/fleet", RANGE, format="json")
    leave(operator, south)
    run_jobs("reports")
    report = Report.objects.get(pk=answer.json()["report_id"])
    assert report.held_device_ids == [device.pk]
    assert reads(api, report.pk)["detail"] == 200


def test_a_report_of_before_whose_devices_nobody_knows_is_hidden(api, operator, device):
    now = timezone.now()
    span = {"range_start": now - timedelta(days=2), "range_end": now - timedelta(days=1)}
    old = Report.objects.create(kind="fleet", requested_by=operator, state="ready", content={"sections": []}, **span)
    assert visible_report(operator, old.pk) is None
    assert not visible_reports(operator).exists()


def test_the_list_and_the_detail_agree_for_staff_with_and_without_the_permission(
    api, device, run_jobs, media, make_user
):
    number = ready_report_id(api, run_jobs)
    clerk = make_user(is_staff=True)
    assert reads(api_of(clerk), number) == ALL_GONE
    assert reads(api_of(give(clerk, "reports_app.view_report")), number)["detail"] == 200


def test_a_job_tells_its_requester_nothing_of_a_lost_device(api, operator, south, run_jobs):
    made = api.post("/api/tasks/position/statistics", {"device_id": south.pk, "period": "7d"}, format="json")
    run_jobs("positions")
    url = made.json()["status_url"]
    assert api.get(url).json()["result"]["device_id"] == south.pk
    leave(operator, south)
    assert api.get(url).status_code == 404
    assert api.get("/api/tasks/").json()["results"] == []


def test_an_attachment_waits_for_nobody_who_lost_the_fleet(
    api, operator, south, run_jobs, media, settings, django_capture_on_commit_callbacks
):
    settings.SITE_URL = "https://tracker.example.org"
    body = {
        "name": "Letter", "fleet_id": south.fleet_id, "kinds": ["trips"], "formats": ["csv"], "period": "weekly",
        "local_time": "07:00", "recipient_ids": [operator.pk],
    }  # fmt: skip
    made = api.post("/api/report-schedules", body, format="json")
    assert made.status_code == 201, made.content
    assert api.post(f"/api/report-schedules/{made.json()['id']}/run-now").status_code == 202
    run_jobs("reports")
    deliveries = Delivery.objects.filter(channel="email")
    assert deliveries.exists()
    leave(operator, south)
    run_jobs("notifications")
    assert {one.state for one in deliveries.all()} == {"failed"}
