"""Asking for reports: by request, by the task names of the user's document, again, and by people who may not."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportState
from reports_app.queries import visible_reports
from reports_app.services.generation import generate_report
from reports_app.services.requests import create_report, request_report
from tasks_app.engine import InvalidArguments, JobCancelled, JobState, PermanentError, enqueue, get_task
from tasks_app.engine.context import CurrentJob, set_current_job
from tasks_app.models import Device, EventKind, Fleet, FleetMembership, FleetRole, Job, Position
from tasks_app.services.devices import refresh_days
from tasks_app.services.positions.store import store_fixes
from tests.support.reports import (
    DAY,
    ELEVEN,
    LATER,
    NEXT_DAY,
    STEP_KM,
    build,
    drive,
    fixes,
    rows_of,
    totals_of,
)

pytestmark = pytest.mark.usefixtures("media")


# --- asking


@pytest.fixture
def two_fleets(device, make_device, operator) -> list[Device]:
    """Devices of two fleets in one time zone, which is not the server's."""
    other = Fleet.objects.create(name="Depot South", time_zone=device.fleet.time_zone)
    FleetMembership.objects.create(user=operator, fleet=other, role=FleetRole.OPERATOR)
    return [device, make_device(fleet=other)]


@pytest.mark.parametrize("is_named", [True, False])
def test_days_of_several_fleets_are_those_of_the_zone_they_share(api, two_fleets, run_jobs, is_named):
    """They come from roll-ups, which are there when the positions are gone."""
    for one in two_fleets:
        drive(one)
        drive(one, ELEVEN + timedelta(days=1), west=-45.9)
    refresh_days(two_fleets, DAY.date(), NEXT_DAY.date(), now=LATER)
    Position.objects.all().delete()
    named = {"device_ids": [one.pk for one in two_fleets]} if is_named else {}
    body = {"start": "2026-03-02", "end": "2026-03-04", **named}
    assert api.post("/api/tasks/report/fleet", body, format="json").status_code == 202
    run_jobs("reports")
    report = Report.objects.get()
    assert (report.range_start, report.range_end, str(report.zone)) == (DAY, LATER, "America/Sao_Paulo")
    assert [row["distance_km"] for row in rows_of(report, "days")] == pytest.approx([20 * STEP_KM] * 2, rel=0.01)


def test_days_of_fleets_in_several_zones_are_those_of_the_server(api, two_fleets, settings):
    Fleet.objects.filter(pk=two_fleets[1].fleet_id).update(time_zone="Asia/Tokyo")
    settings.TIME_ZONE = "Europe/Lisbon"
    assert api.post("/api/tasks/report/fleet", {"start": "2026-07-02", "end": "2026-07-03"}, format="json").data
    report = Report.objects.get()
    assert (report.range_start, str(report.zone)) == (datetime(2026, 7, 1, 23, tzinfo=UTC), "Europe/Lisbon")


def test_days_of_fleets_in_several_zones_are_no_zeros_once_their_positions_are_gone(two_fleets):
    far = two_fleets[1]
    Fleet.objects.filter(pk=far.fleet_id).update(time_zone="Asia/Tokyo")
    for one in two_fleets:
        drive(one)
    refresh_days(Device.objects.select_related("fleet"), DAY.date(), NEXT_DAY.date(), now=LATER)
    span = {"range_start": DAY.replace(hour=0), "range_end": LATER.replace(hour=0)}
    before = rows_of(build("fleet", **span), "days")
    Position.objects.all().delete()
    after = rows_of(build("fleet", **span), "days")
    assert [row["distance_km"] for row in after] == pytest.approx([row["distance_km"] for row in before])
    assert after[0]["distance_km"] == pytest.approx(20 * STEP_KM, rel=0.01)


def test_a_job_about_several_fleets_takes_days_of_the_zone_they_share(two_fleets, operator, run_jobs):
    get_task("generate_fleet_report").apply_async(("2026-03-02", "2026-03-03"), requested_by=operator.pk)
    run_jobs("reports")
    report = Report.objects.get()
    assert (report.state, report.range_start, str(report.zone)) == (ReportState.READY, DAY, "America/Sao_Paulo")


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
        ("generate_device_report", [999_999_999, "2026-03-02", "2026-03-03"], "no device 999999999"),
        ("generate_fleet_report", ["2026-03-03", "2026-03-02"], "after the start"),
        ("generate_fleet_report", ["2026-03-02", "2026-03-03", [999_999_999]], "Unknown devices: 999999999"),
        ("export_report_data", [999_999_999, "json"], "no report 999999999"),
        ("generate_daily_reports", ["9999-12-31"], "The year must lie between 1980 and 2200"),
    ],
)
def test_a_job_that_can_never_succeed_fails_once_and_says_why(device, run_jobs, name, args, message):
    job_id = enqueue(name, *[device.pk if arg == "DEVICE" else arg for arg in args])
    run_jobs("reports")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count) == (JobState.FAILED, 1)
    assert message in job.error_message


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("generate_device_report", [1, "2026-03-02", "2026-03-03", "nonsense"], "“nonsense” is none of summary"),
        ("generate_device_report", [1, "2026-03-02", "2026-03-03", "fleet"], "“fleet” is none of"),
        ("generate_device_report", [1, "soon", "2026-03-03"], "not an ISO 8601 time"),
        ("generate_device_report", [1, "28/11/2026", "2026-11-29"], "not an ISO 8601 time"),
        ("generate_device_report", [1, "2026-03-02T10:00:00", "2026-03-03"], "needs a time zone"),
        # Relative times are for schedules and forms, which know the zone they are meant in.
        ("generate_device_report", [1, "yesterday", "yesterday"], "not an ISO 8601 time"),
        ("generate_daily_reports", ["soon"], "not a date"),
        ("export_report_data", [1, "exe"], "“exe” is none of json"),
    ],
)
def test_no_job_is_made_of_arguments_that_can_never_do(name, args, message):
    with pytest.raises(InvalidArguments, match=message):
        enqueue(name, *args)


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
