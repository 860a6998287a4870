"""Scheduled reports: due, made, delivered by e-mail, caught up, refused, switched off."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone, translation

from notifications_app.models import Notification, NotificationPreference
from reports_app.models import Report, ReportSchedule, ReportScheduleRun
from reports_app.services.generation import cancel_report, generate_report
from reports_app.services.schedules import (
    describe_schedule,
    run_due_report_schedules,
    run_now,
    save_report_schedule,
    switch,
)
from tasks_app.engine import get_task
from tasks_app.models import AuditEntry, Device, Fleet, FleetMembership, FleetRole, Job
from tasks_app.services.rows import RowGone

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media", "site")]
# Monday 2 March 2026, 07:00 in São Paulo, and the week before it.
DUE = datetime(2026, 3, 2, 10, tzinfo=UTC)
WEEK = datetime(2026, 2, 23, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)


@pytest.fixture
def manager(operator):
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.MANAGER)
    return operator


@pytest.fixture
def make_schedule(device, fleet, operator):
    def make(*, devices=(), recipients=None, now=DUE - timedelta(days=3), owner=operator, **fields) -> ReportSchedule:
        values = {
            "name": "Monday letter",
            "owner": owner,
            "fleet": fleet,
            "kinds": ["trips", "fleet"],
            "formats": ["xlsx", "csv"],
            "period": "weekly",
            "local_time": time(7, 0),
            "time_zone": "America/Sao_Paulo",
            **fields,
        }
        chosen = [operator] if recipients is None else recipients
        return save_report_schedule(ReportSchedule(**values), devices=devices, recipients=chosen, editor=owner, now=now)

    return make


def tick(now=DUE):
    return run_due_report_schedules(now=now)


def attachments(mail) -> dict[str, bytes]:
    return {part.get_filename(): part.get_payload(decode=True) for part in mail.iter_attachments()}


# --- running


def test_a_due_schedule_is_made_and_delivered_with_its_files(make_schedule, sink, run_jobs, operator):
    schedule = make_schedule()
    assert schedule.next_due_at == DUE
    assert tick(DUE - timedelta(seconds=1))["started"] == 0
    assert tick()["started"] == 1
    run_jobs("reports", "notifications")
    run = ReportScheduleRun.objects.get()
    assert (run.state, run.error, (run.range_start, run.range_end)) == ("delivered", "", WEEK)
    assert sorted(report.kind for report in run.reports.all()) == ["fleet", "trips"]
    (mail,) = sink.messages
    assert mail["To"] == operator.email
    assert mail["Subject"].strip() == "Monday letter: Depot North, 23 February 2026 – 1 March 2026"
    files = attachments(mail)
    assert sorted(name.split("-")[0] + name[name.rindex(".") :] for name in files) == [
        "fleet.csv", "fleet.xlsx", "trips.csv", "trips.xlsx",
    ]  # fmt: skip
    assert all(content[:2] == b"PK" for name, content in files.items() if name.endswith("xlsx"))
    assert "Trips · Van 1 (XLSX)" in mail.get_body(("plain",)).get_content()
    schedule.refresh_from_db()
    assert schedule.next_due_at == DUE + timedelta(days=7)
    assert Notification.objects.get().kind == "report_ready"


def test_a_tick_that_is_repeated_starts_nothing_twice(make_schedule, run_jobs):
    schedule = make_schedule()
    tick()
    ReportSchedule.objects.update(next_due_at=DUE)  # as if the tick had died before its commit
    assert tick() == {"started": 0, "failed": 0, "delivering": 0}
    run_jobs("reports")
    assert (schedule.runs.count(), Report.objects.count()) == (1, 2)


def test_a_fleet_without_an_active_device_is_told_as_such(make_schedule, device):
    make_schedule(kinds=["trips"])
    Device.objects.update(is_active=False)
    assert tick()["failed"] == 1
    run = ReportScheduleRun.objects.get()
    assert (run.state, run.error) == ("failed", "The fleet has no active device.")


def test_a_run_whose_delivery_was_lost_is_delivered_at_the_next_tick(make_schedule, run_jobs, monkeypatch):
    make_schedule()
    tick()
    monkeypatch.setattr("reports_app.services.generation.outcome.advance_runs", lambda report_id: None)
    run_jobs("reports")
    assert ReportScheduleRun.objects.get().state == "running"
    assert tick(DUE + timedelta(minutes=1))["delivering"] == 1
    run_jobs("reports")
    assert ReportScheduleRun.objects.get().state == "delivered"


def test_of_what_was_missed_while_all_was_down_the_latest_is_made_up_for(make_schedule):
    daily = make_schedule(period="daily")
    back = DUE + timedelta(days=4, hours=3)
    assert tick(back)["started"] == 1
    assert tick(back + timedelta(minutes=1))["started"] == 0
    run = daily.runs.get()
    assert run.due_at == DUE + timedelta(days=4)
    daily.refresh_from_db()
    assert daily.next_due_at == DUE + timedelta(days=5)


@pytest.mark.parametrize(("period", "days"), [("daily", 1), ("weekly", 7), ("monthly", 30)])
def test_a_schedule_that_ran_by_a_clock_that_was_ahead_goes_on_when_it_is_right(make_schedule, period, days):
    """It waited for ten years."""
    schedule = make_schedule(period=period)
    tick(DUE + timedelta(days=3650))
    tick(DUE)
    schedule.refresh_from_db()
    assert DUE < schedule.next_due_at <= DUE + timedelta(days=days)


def test_what_was_missed_too_long_ago_is_left_out(make_schedule, settings):
    schedule = make_schedule()
    settings.REPORT_CATCH_UP_DAYS = 2
    assert tick(DUE + timedelta(days=3))["started"] == 0
    schedule.refresh_from_db()
    assert (schedule.runs.count(), schedule.next_due_at) == (0, DUE + timedelta(days=7))


def test_a_broken_schedule_never_stops_the_others_and_is_switched_off(make_schedule, operator):
    broken, whole = make_schedule(name="Broken"), make_schedule(name="Whole")
    ReportSchedule.objects.filter(pk=broken.pk).update(time_zone="Mars/Olympus")
    assert tick() == {"started": 1, "failed": 1, "delivering": 0}
    broken.refresh_from_db()
    assert (broken.is_active, whole.runs.count()) == (False, 1)
    assert "Mars/Olympus" in broken.last_error
    notification = Notification.objects.get(kind="report_failed")
    assert (notification.user, notification.subject) == (operator, "Scheduled report “Broken” is switched off")


def test_failures_in_a_row_switch_it_off_and_one_success_forgets_them(make_schedule, run_jobs, settings, monkeypatch):
    settings.REPORT_SCHEDULE_MAX_FAILURES = 2
    schedule = make_schedule(kinds=["fleet"])

    def fail(report):
        raise RuntimeError("The disk was full.")

    for number, (is_broken, failures, active) in enumerate([(1, 1, True), (0, 0, True), (1, 1, True), (1, 2, False)]):
        with monkeypatch.context() as patch:
            if is_broken:
                patch.setattr("reports_app.services.generation.generating.build_table", fail)
                patch.setattr(
                    "reports_app.services.generation.outcome.FailureRecorder._is_tried_again", lambda *args: False
                )
            tick(DUE + timedelta(days=7 * number))
            run_jobs("reports")
        schedule.refresh_from_db()
        assert (schedule.failure_count, schedule.is_active) == (failures, active), number
    assert "The disk was full." in schedule.last_error
    assert schedule.next_due_at is None
    switch(schedule, on=True, now=DUE)
    assert (schedule.is_active, schedule.failure_count, schedule.last_error) == (True, 0, "")


def test_what_could_be_made_is_delivered_and_the_rest_named(make_schedule, sink, run_jobs, operator):
    make_schedule()
    tick()
    cancel_report(Report.objects.get(kind="trips"), user=operator)
    run_jobs("reports", "notifications")
    run = ReportScheduleRun.objects.get()
    assert (run.state, run.error) == ("delivered", "Trips · Van 1: The report was cancelled.")
    (mail,) = sink.messages
    assert len(attachments(mail)) == 2
    assert "Trips · Van 1 could not be made: The report was cancelled." in mail.get_body(("plain",)).get_content()


def test_an_owner_who_lost_the_fleet_gets_nothing(make_schedule, sink, run_jobs):
    make_schedule()
    FleetMembership.objects.all().delete()
    assert tick()["failed"] == 1
    run_jobs("reports", "notifications")
    run = ReportScheduleRun.objects.get()
    assert (run.state, run.reports.count()) == ("failed", 0)
    assert "no longer an operator" in run.error
    assert not any(list(mail.iter_attachments()) for mail in sink.messages)


@pytest.mark.parametrize("is_lost_before", [True, False])
def test_an_owner_reads_in_their_language_why_a_run_failed(is_lost_before, make_schedule, run_jobs, operator):
    NotificationPreference.objects.create(user=operator, language="pt-br")
    make_schedule()
    if is_lost_before:
        FleetMembership.objects.all().delete()
    tick()
    FleetMembership.objects.all().delete()
    run_jobs("reports", "notifications")
    reason = "O responsável não é mais operador da frota."
    assert ReportScheduleRun.objects.get().error == reason
    assert reason in Notification.objects.get(kind="report_failed").body_text


def test_access_is_looked_at_again_when_it_is_delivered(make_schedule, sink, run_jobs, fleet, make_user):
    viewer = make_user(username="bruno")
    membership = FleetMembership.objects.create(user=viewer, fleet=fleet, role=FleetRole.VIEWER)
    make_schedule(recipients=[viewer])
    tick()
    membership.delete()
    run_jobs("reports", "notifications")
    run = ReportScheduleRun.objects.get()
    assert (run.state, "None of its recipients" in run.error) == ("failed", True)
    assert not any(mail["To"] == viewer.email for mail in sink.messages)


def test_a_run_whose_reports_nobody_may_see_any_longer_is_not_said_to_be_delivered(make_schedule, device, run_jobs):
    make_schedule(devices=[device], kinds=["trips"])
    tick()
    for report in Report.objects.all():
        generate_report(report.pk)
    device.fleet = Fleet.objects.create(name="Elsewhere")
    device.save()
    assert tick(DUE + timedelta(minutes=1))["delivering"] == 1
    run_jobs("reports")
    run = ReportScheduleRun.objects.get()
    assert (run.state, run.error) == ("failed", "None of its recipients may see its reports any longer.")


def test_people_without_an_account_get_it_while_the_owner_manages_the_fleet(make_schedule, sink, run_jobs, manager):
    make_schedule(recipients=[], extra_emails=["boss@example.net"], owner=manager)
    tick()
    run_jobs("reports", "notifications")
    (mail,) = sink.messages
    assert (mail["To"], len(attachments(mail))) == ("boss@example.net", 4)
    FleetMembership.objects.update(role=FleetRole.OPERATOR)
    tick(DUE + timedelta(days=7))
    run_jobs("reports", "notifications")
    assert [mail["To"] for mail in sink.messages if attachments(mail)] == ["boss@example.net"]


@pytest.mark.parametrize("why", ["asked for", "too large"])
def test_links_are_sent_where_they_are_wanted_or_files_are_too_large(
    make_schedule, sink, run_jobs, settings, client, why
):
    settings.REPORT_MAX_ATTACHMENT_BYTES = 10 if why == "too large" else 10**9
    make_schedule(kinds=["fleet"], formats=["csv"], delivery="link" if why == "asked for" else "attachment")
    tick()
    run_jobs("reports", "notifications")
    (mail,) = sink.messages
    assert attachments(mail) == {}
    text = mail.get_body(("plain",)).get_content()
    link = next(word for word in text.split() if "/reports/shared/" in word)
    answer = client.get(link.removeprefix("https://tracker.example.org"))
    assert b"Van 1" in b"".join(answer.streaming_content)
    assert "The links work until" in text


def test_only_chosen_devices_that_are_still_in_the_fleet_are_reported(make_schedule, make_device, run_jobs, device):
    other, moved = make_device(), make_device()
    schedule = make_schedule(devices=[other, moved])
    elsewhere = Fleet.objects.create(name="Elsewhere")
    Device.objects.filter(pk=moved.pk).update(fleet=elsewhere)
    tick()
    (trips,) = schedule.runs.get().reports.filter(kind="trips")
    assert trips.device == other
    assert schedule.runs.get().reports.get(kind="fleet").device_ids == [other.pk]
    Device.objects.filter(pk=other.pk).update(fleet=elsewhere)
    tick(DUE + timedelta(days=7))
    assert "None of its devices" in schedule.runs.first().error


def test_run_now_leaves_the_times_of_the_schedule_alone(make_schedule, sink, run_jobs):
    schedule = make_schedule()
    run_now(schedule, now=DUE + timedelta(days=2))
    run_jobs("reports", "notifications")
    schedule.refresh_from_db()
    assert (schedule.next_due_at, len(sink.messages)) == (DUE, 1)
    assert (schedule.runs.get().range_start, schedule.runs.get().range_end) == WEEK


def test_who_ran_it_is_in_the_audit_and_one_that_is_gone_is_not_found(make_schedule, run_jobs):
    """Its reports may be there already: then nothing else says that a person had them sent."""
    schedule = make_schedule()
    for _ in range(2):
        run_now(schedule, now=timezone.now())
    assert AuditEntry.objects.filter(verb="run_report_schedule", object_id=str(schedule.pk)).count() == 2
    ReportSchedule.objects.all().delete()
    with pytest.raises(RowGone):
        run_now(schedule, now=timezone.now())


def test_the_task_runs_what_is_due(make_schedule, run_jobs):
    make_schedule(now=timezone.now() - timedelta(days=8))
    job_id = get_task("run_report_schedules").delay()
    run_jobs("reports")
    assert Job.objects.get(pk=job_id).result["started"] == 1


def test_a_schedule_whose_last_device_is_deleted_is_switched_off_rather_than_about_the_fleet(
    make_schedule, make_device, device, operator
):
    old = [make_device(unique_id=unique_id) for unique_id in ("old-1", "old-2")]
    lost, kept = make_schedule(name="Lost", devices=old), make_schedule(name="Kept", devices=[device, *old])
    Device.objects.filter(pk__in=[each.pk for each in old]).delete()
    for schedule in (lost, kept):
        schedule.refresh_from_db()
    assert (lost.is_active, lost.next_due_at) == (False, None)
    assert "was deleted" in lost.last_error
    assert kept.is_active
    said = Notification.objects.get()
    assert (said.user, said.subject) == (operator, "Scheduled report “Lost” is switched off")
    assert "in a row" not in said.body_text
    assert "was deleted" in said.body_text
    tick()
    assert set(ReportScheduleRun.objects.values_list("schedule_id", flat=True)) == {kept.pk}


def test_a_schedule_that_is_off_says_that_its_last_device_was_deleted(make_schedule, device):
    schedule = make_schedule(devices=[device])
    switch(schedule, on=False, now=DUE)
    device.delete()
    schedule.refresh_from_db()
    assert "was deleted" in schedule.last_error
    assert Notification.objects.get().kind == "report_failed"


# --- rules


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kinds": []}, "kinds"),
        ({"kinds": ["daily"]}, "kinds"),
        ({"kinds": ["trips", "trips"]}, "kinds"),
        ({"formats": ["exe"]}, "formats"),
        ({"recipients": []}, "recipients"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"month_day": 32}, "month_day"),
        ({"name": ""}, "name"),
        ({"extra_emails": ["boss@example.net"]}, "extra_emails"),
        ({"extra_emails": ["boss"]}, "extra_emails"),
        ({"extra_emails": ["boss@☃.example"]}, "extra_emails"),
    ],
)
def test_it_names_what_is_wrong(make_schedule, changes, field):
    with pytest.raises(ValidationError) as raised:
        make_schedule(**changes)
    assert field in raised.value.message_dict
    assert not ReportSchedule.objects.exists()


def test_strangers_foreign_devices_and_too_many_reports_are_refused(make_schedule, charlie, make_device, monkeypatch):
    elsewhere = Fleet.objects.create(name="Elsewhere")
    for changes, field in [
        ({"recipients": [charlie]}, "recipients"),
        ({"devices": [make_device(fleet=elsewhere)]}, "devices"),
        ({"fleet": elsewhere}, "fleet"),
    ]:
        with pytest.raises(ValidationError) as raised:
            make_schedule(**changes)
        assert field in raised.value.message_dict
    monkeypatch.setattr("reports_app.services.schedules.editing.MAX_REPORTS_PER_RUN", 1)
    with pytest.raises(ValidationError, match="2 reports"):
        make_schedule()


def test_it_is_told_in_a_sentence(make_schedule, make_user, fleet, operator):
    bruno = make_user(username="bruno", first_name="Bruno")
    FleetMembership.objects.create(user=bruno, fleet=fleet)
    schedule = make_schedule(kinds=["trips", "stops"], formats=["xlsx", "csv"], recipients=[operator, bruno])
    assert describe_schedule(schedule) == (
        "Every Monday 07:00 (America/Sao_Paulo): trips and stops of Depot North as XLSX and CSV to ana, Bruno"
    )
    with translation.override("pt-br"):
        assert "Depot North" in describe_schedule(schedule)


def test_its_recipients_are_named_in_order(make_schedule, make_user, fleet):
    people = [make_user(username=name) for name in ("zoe", "abe")]
    for person in people:
        FleetMembership.objects.create(user=person, fleet=fleet)
    assert describe_schedule(make_schedule(recipients=people)).endswith("to abe, zoe")
