"""Reports and their schedules in the admin: asked for, followed, looked at, downloaded, changed only by who may."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from notifications_app.models import NotificationPreference
from reports_app.models import Report, ReportFile, ReportSchedule, ReportScheduleRun
from reports_app.periods import preset_days
from reports_app.services.files import export_report
from reports_app.services.generation import generate_report
from reports_app.services.requests import request_report
from tasks_app.ingest.fix import Fix
from tasks_app.models import Fleet, FleetMembership
from tasks_app.services.positions.store import store_fixes

pytestmark = pytest.mark.usefixtures("media")
DAY, LATER = datetime(2026, 3, 2, 3, tzinfo=UTC), datetime(2026, 3, 4, 3, tzinfo=UTC)


@pytest.fixture
def driven(device):
    track = [
        Fix(device.unique_id, DAY + timedelta(hours=9, minutes=minute), -23.5, -46.6 + minute * 0.01, speed_kph=60.0)
        for minute in range(20)
    ]
    store_fixes(track, received_at=DAY)
    return device


@pytest.fixture
def ready(driven) -> Report:
    report = request_report(kind="summary", device=driven, range_start=DAY, range_end=LATER)
    generate_report(report.pk)
    return Report.objects.get(pk=report.pk)


def url(name: str, *args: object) -> str:
    return reverse(f"admin:reports_app_{name}", args=args)


def text_of(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


# --- asking


def form(**changes) -> dict:
    return {"kind": "summary", "device": "", "fleet": "", "days": "custom", "first_day": "", "last_day": "", **changes}


def test_it_asks_for_a_report_of_local_days(page, device, run_jobs, staff):
    assert 'name="days"' in text_of(page.get(url("report_add")))
    days = {"first_day": "2026-03-02", "last_day": "2026-03-03"}
    answer = page.post(url("report_add"), form(device=device.pk, notify="on", **days))
    report = Report.objects.get()
    assert answer.url == url("report_change", report.pk)
    assert (report.range_start, report.range_end, report.requested_by) == (DAY, LATER, staff)
    assert report.followers.get().wants_notice
    waiting = text_of(page.get(answer.url))
    assert "data-live" in waiting
    assert "It waits for a worker." in waiting
    run_jobs("reports")
    assert "data-live=" not in text_of(page.get(answer.url))


def test_it_asks_for_a_report_of_several_devices(page, device, make_device, staff, fleet):
    other, foreign = make_device(), make_device(fleet=Fleet.objects.create(name="Elsewhere"))
    days = {"first_day": "2026-03-02", "last_day": "2026-03-03"}
    page.post(url("report_add"), form(kind="fleet", devices=[other.pk, device.pk], **days))
    assert Report.objects.get().device_ids == sorted([device.pk, other.pk])
    refused = page.post(url("report_add"), form(kind="fleet", fleet=fleet.pk, devices=[foreign.pk], **days))
    assert f"Unknown devices: {foreign.pk}." in text_of(refused)
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "needs a device"),
        ({"kind": "nonsense"}, "Select a valid choice"),
        ({"kind": "fleet", "first_day": ""}, "Choose a day."),
        ({"kind": "fleet", "first_day": "2026-03-05"}, "must not be before the first"),
        ({"kind": "fleet", "first_day": "2020-03-05"}, "covers at most"),
        ({"kind": "fleet", "last_day": "9999-12-31"}, "The year must lie between"),
        ({"kind": "fleet", "first_day": "0001-01-01"}, "The year must lie between"),
    ],
)
def test_it_says_what_is_wrong_with_a_request(page, db, changes, words):
    days = {"first_day": "2026-03-02", "last_day": "2026-03-03"}
    assert words in text_of(page.post(url("report_add"), form(**{**days, **changes})))
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("preset", "first", "end"),
    [
        ("today", date(2026, 3, 1), date(2026, 3, 2)),
        ("yesterday", date(2026, 2, 28), date(2026, 3, 1)),
        ("this_week", date(2026, 2, 23), date(2026, 3, 2)),
        ("last_week", date(2026, 2, 16), date(2026, 2, 23)),
        ("this_month", date(2026, 3, 1), date(2026, 4, 1)),
        ("last_month", date(2026, 2, 1), date(2026, 3, 1)),
    ],
)
def test_presets_are_whole_local_days(preset, first, end):
    assert preset_days(preset, date(2026, 3, 1)) == (first, end)


# --- looking


def test_a_ready_report_shows_rows_a_chart_and_its_formats(page, ready):
    shown = text_of(page.get(url("report_change", ready.pk)))
    assert "<rect" in shown
    assert "2 Mar 2026" in shown
    assert url("report_as", ready.pk, "xlsx") in shown
    assert url("report_as", ready.pk, "csv") in text_of(page.get(url("report_changelist")))


def test_rows_and_chart_are_in_the_units_of_who_looks(page, ready, staff):
    assert "Distance (km)" in text_of(page.get(url("report_change", ready.pk)))
    NotificationPreference.objects.create(user=staff, distance_unit="mi", speed_unit="mph")
    shown = text_of(page.get(url("report_change", ready.pk)))
    assert "<h2>Distance (mi)" in shown
    assert "Top speed (mph)" in shown
    assert ">38.1<" in shown  # 61.3 km/h: the mean of the way is above the 60 that were sent, and the top not below it.
    assert "(km" not in shown


def test_it_sends_a_report_in_a_format_as_an_attachment(page, ready):
    answer = page.get(url("report_as", ready.pk, "csv"))
    assert b"Van 1" in b"".join(answer.streaming_content)
    assert answer["Content-Disposition"].startswith("attachment")
    stored = ReportFile.objects.get()
    assert page.get(url("report_download", ready.pk, stored.pk)).status_code == 200
    assert page.get(url("report_download", ready.pk + 1, stored.pk)).status_code == 404
    stored.file.delete(save=False)
    assert page.get(url("report_download", ready.pk, stored.pk)).status_code == 404


@pytest.mark.parametrize("format", ["exe", "gpx"])
def test_it_says_why_there_is_no_such_file(page, ready, format):
    answer = page.get(url("report_as", ready.pk, format), follow=True)
    assert answer.redirect_chain[0][0] == url("report_change", ready.pk)
    assert "format" in text_of(answer)


def test_it_names_pages_that_are_not_there(page, db):
    assert page.get(url("report_change", 999_999_999)).status_code == 404
    assert page.get("/admin/reports_app/report/nonsense/change/").status_code == 404


# --- changing


def test_it_cancels_retries_and_deletes_after_asking(page, device, run_jobs):
    request_report(kind="summary", device=device, range_start=DAY, range_end=LATER)
    report = Report.objects.get()
    assert "Cancel this report?" in text_of(page.get(url("report_cancel", report.pk)))
    page.post(url("report_cancel", report.pk), {"reason": "Wrong week"})
    report.refresh_from_db()
    assert report.state == "cancelled"
    assert "reason" not in page.get(url("report_retry", report.pk)).context["form"].fields
    page.post(url("report_retry", report.pk), {})
    run_jobs("reports")
    export_report(report.pk, "csv")
    page.post(url("report_delete", report.pk), {"post": "yes"})
    assert not Report.objects.exists()
    assert not ReportFile.objects.exists()


@pytest.mark.parametrize("name", ["report_cancel", "report_retry", "report_delete", "report_add"])
def test_staff_who_may_only_look_change_nothing(client, make_user, ready, name):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_report"))
    client.force_login(user)
    assert client.get(url("report_change", ready.pk)).status_code == 200
    assert client.post(url(name, *([] if name == "report_add" else [ready.pk])), {}).status_code == 403


def test_staff_without_the_permission_and_others_get_nothing(client, make_user, charlie, ready):
    export_report(ready.pk, "csv")
    places = [url("report_change", ready.pk), url("report_as", ready.pk, "csv")]
    places.append(url("report_download", ready.pk, ReportFile.objects.get().pk))
    client.force_login(make_user(is_staff=True))
    assert [client.get(place).status_code for place in places] == [403] * 3
    client.force_login(charlie)
    assert [client.get(place).status_code for place in places] == [302] * 3


# --- schedules


def schedule_form(fleet, user, **changes) -> dict:
    return {
        "name": "Monday letter",
        "fleet": fleet.pk,
        "kinds": ["trips", "stops"],
        "formats": ["xlsx", "csv"],
        "period": "weekly",
        "local_time": "07:00",
        "weekday": "0",
        "month_day": "1",
        "time_zone": "America/Sao_Paulo",
        "recipients": [user.pk],
        "extra_emails": "",
        "delivery": "attachment",
        "is_active": "on",
        "runs-TOTAL_FORMS": "0",
        "runs-INITIAL_FORMS": "0",
        **changes,
    }


def test_a_schedule_is_made_run_and_shown_with_its_runs(page, device, fleet, operator, staff, run_jobs):
    page.post(url("reportschedule_add"), schedule_form(fleet, operator))
    schedule = ReportSchedule.objects.get()
    assert (schedule.owner, schedule.next_due_at > timezone.now()) == (staff, True)
    sentence = "Every Monday 07:00 (America/Sao_Paulo): trips and stops of Depot North as XLSX and CSV to ana"
    assert sentence in text_of(page.get(url("reportschedule_changelist")))
    page.post(
        url("reportschedule_changelist"), {"action": "run_chosen_now", "_selected_action": [schedule.pk], "index": 0}
    )
    run_jobs("reports")
    assert ReportScheduleRun.objects.get().state == "delivered"
    shown = text_of(page.get(url("reportschedule_change", schedule.pk)))
    assert "Delivered" in shown
    assert "E-mail · Pending" in shown
    page.post(url("reportschedule_changelist"), {"action": "disable", "_selected_action": [schedule.pk], "index": 0})
    schedule.refresh_from_db()
    assert (schedule.is_active, schedule.next_due_at) == (False, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recipients": []}, "Name at least one recipient."),
        ({"kinds": []}, "This field is required."),
        ({"extra_emails": "boss@example.net,nonsense"}, "Address 2: Enter a valid email"),
        ({"time_zone": "Mars/Olympus"}, "not a known time zone"),
        ({"month_day": "32"}, "less than or equal to 31"),
    ],
)
def test_the_form_of_a_schedule_says_what_is_wrong(page, device, fleet, operator, changes, words):
    assert words in text_of(page.post(url("reportschedule_add"), schedule_form(fleet, operator, **changes)))
    assert not ReportSchedule.objects.exists()


def test_devices_of_another_fleet_and_strangers_are_refused(page, make_device, fleet, operator, charlie):
    foreign = make_device(fleet=Fleet.objects.create(name="Elsewhere"))
    shown = text_of(page.post(url("reportschedule_add"), schedule_form(fleet, charlie, devices=[foreign.pk])))
    assert "Choose only devices of the fleet." in shown
    assert "No members of the fleet: charlie." in shown


# --- preview through the API


def test_the_api_shows_the_first_rows_and_a_chart(api, ready, operator):
    body = api.get(f"/api/reports/{ready.pk}/preview?rows=1").json()
    days = next(section for section in body["sections"] if section["key"] == "days")
    assert (len(days["rows"]), days["row_count"], days["rows"][0][0]) == (1, 2, "2026-03-02")
    assert (body["chart"]["section"], body["chart"]["y"]["kind"]) == ("days", "distance_km")
    assert body["chart"]["names"] == ["2026-03-02", "2026-03-03"]
    assert api.get(f"/api/reports/{ready.pk}/preview?rows=0").status_code == 400
    FleetMembership.objects.all().delete()
    assert api.get(f"/api/reports/{ready.pk}/preview").status_code == 404


def test_the_api_shows_nothing_of_a_report_that_is_not_ready(api, device):
    report = request_report(kind="summary", device=device, range_start=DAY, range_end=LATER)
    assert api.get(f"/api/reports/{report.pk}/preview").status_code == 409


# --- the chart


def fast_at_the_end(device) -> None:
    """A thousand slow fixes, one fast one at half past ten, a hundred slow ones."""
    start = DAY + timedelta(hours=6)
    speeds = [6.7] * 1000 + [77.2] + [6.7] * 100
    track = [
        Fix(device.unique_id, start + timedelta(seconds=15 * n), -23.5, -46.6 + n * 0.0003, speed_kph=speed)
        for n, speed in enumerate(speeds)
    ]
    store_fixes(track, received_at=LATER)


@pytest.mark.parametrize("kind", ["detailed", "route"])
def test_the_chart_of_a_track_is_about_its_whole_range(page, api, device, operator, kind):
    fast_at_the_end(device)
    report = request_report(
        kind=kind, device=device, range_start=DAY, range_end=LATER, requested_by=operator, follow=False
    )
    generate_report(report.pk)
    assert "at most 77.2" in text_of(page.get(url("report_change", report.pk)))
    chart = api.get(f"/api/reports/{report.pk}/preview").json()["chart"]
    assert (chart["y"]["key"], max(chart["values"])) == ("speed_kph", 77.2)
    assert chart["names"][chart["values"].index(77.2)] == "2026-03-02T13:10:00Z"
