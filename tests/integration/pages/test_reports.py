"""Reports at /: asked for, followed, looked at, downloaded, compared and deleted, each by those who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from notifications_app.models import NotificationPreference
from reports_app.models import Report, ReportSchedule
from reports_app.periods import days_before
from reports_app.queries import RECIPIENT
from reports_app.services.generation import generate_report, lifecycle
from reports_app.services.requests import create_report
from tasks_app.engine import QueueUnavailable
from tasks_app.models import Fleet, FleetMembership, FleetRole
from tests.support.reports import DAY, LATER, NEXT_DAY, drive, requested_report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
DAYS = {"days": "custom", "first_day": "2026-03-02", "last_day": "2026-03-03"}


@pytest.fixture
def member(operator) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"pages:{name}", args=args)


def text_of(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def made(device, user, **fields) -> Report:
    drive(device)
    report = requested_report(device, user, **fields)
    generate_report(report.pk)
    return Report.objects.get(pk=report.pk)


def test_it_asks_for_the_fields_that_a_kind_uses(member, device):
    assert "Every trip of a device" in text_of(member.get(url("report_ask")))
    trips, fleet, daily = (text_of(member.get(url("report_ask_kind", kind))) for kind in ("trips", "fleet", "daily"))
    assert ('name="devices"' in trips, 'name="fleet"' in trips) == (True, False)
    assert ('name="devices"' in fleet, 'name="fleet"' in fleet) == (True, True)
    assert ('name="devices"' in daily, 'name="fleet"' in daily) == (False, True)
    assert member.get(url("report_ask_kind", "nonsense")).status_code == 404


def suggested(client: Client, text: str, kind: str = "device with reports") -> list[str]:
    return client.get(url("pick", kind), {"q": text}).json()["results"]


def test_devices_are_found_by_a_part_of_their_name_where_one_may_ask_for_reports(
    member, operator, device, make_device, make_user
):
    fleets = {role: Fleet.objects.create(name=f"Fleet of a {role}") for role in FleetRole}
    for role, fleet in fleets.items():
        FleetMembership.objects.create(user=operator, fleet=fleet, role=role)
    own = [make_device(name=f"Lorry {role}", fleet=fleet) for role, fleet in fleets.items()]
    make_device(name="Lorry of others", fleet=Fleet.objects.create(name="Others"))
    assert suggested(member, "lorry fleet") == []
    assert suggested(member, "lorry") == [
        f"{one.name} · {one.fleet.name} #{one.pk}"
        for one in sorted(own, key=lambda one: one.name)
        if "viewer" not in one.name
    ]
    assert suggested(member, "van-1") == [f"Van 1 · Depot North #{device.pk}"]
    assert len(suggested(member, "lorry", "device")) == 3
    form = {"devices": "Van 1, lorry manager", **DAYS}
    assert member.post(url("report_ask_kind", "trips"), form).status_code == 302
    assert {report.device.name for report in Report.objects.all()} == {"Van 1", "Lorry manager"}
    again = text_of(member.post(url("report_ask_kind", "trips"), {"devices": [own[0].pk, "nobody"], **DAYS}))
    assert "Nothing is called “nobody”" in again
    assert "There is no such row" not in text_of(member.get(url("report_ask_kind", "trips"), {"device": device.pk}))


@pytest.mark.parametrize(
    "text", ["", "x" * 10_000, "🚚", "\u202e", "</script>", "\x00", "%", "#", "#999999999999999999999"]
)
def test_suggestions_take_any_text(member, device, text):
    assert member.get(url("pick", "device"), {"q": text}).status_code == 200


def test_days_of_devices_of_several_fleets_are_those_of_the_zone_they_share(member, device, make_device, operator):
    other = make_device(fleet=Fleet.objects.create(name="Depot South", time_zone=device.fleet.time_zone))
    FleetMembership.objects.create(user=operator, fleet=other.fleet, role=FleetRole.OPERATOR)
    member.post(url("report_ask_kind", "fleet"), {"devices": [device.pk, other.pk], **DAYS})
    report = Report.objects.get()
    assert (report.range_start, report.range_end) == (DAY, LATER)
    assert "2 Mar 2026 – 3 Mar 2026 (America/Sao_Paulo)" in text_of(member.get(url("report", report.pk)))


def test_it_asks_for_a_report_of_each_chosen_device(member, device, make_device, operator):
    other = make_device()
    answer = member.post(url("report_ask_kind", "trips"), {"devices": [device.pk, other.pk], **DAYS})
    assert answer.url == url("reports")
    reports = Report.objects.order_by("pk")
    assert {report.device for report in reports} == {device, other}
    assert {(report.range_start, report.range_end, report.requested_by) for report in reports} == {
        (DAY, LATER, operator)
    }


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"days": "yesterday"}, "This field is required."),
        ({"devices": ["x"], "days": "yesterday"}, "Nothing is called “x”"),
        ({"devices": ["999999"], "days": "yesterday"}, "There is no such row: 999999."),
        ({"days": "next year"}, "not one of the available choices"),
        ({"days": "custom"}, "Choose a day."),
        ({"days": "custom", "first_day": "28/11/2026", "last_day": "2026-11-29"}, "Enter a valid date."),
        ({"days": "custom", "first_day": "2026-11-29", "last_day": "2026-11-01"}, "must not be before the first"),
        ({"days": "custom", "first_day": "2024-01-01", "last_day": "2026-01-01"}, "A report covers at most 366 days."),
        ({"days": "custom", "first_day": "1700-01-01", "last_day": "2026-11-01"}, "The year must lie between"),
    ],
)
def test_wrong_input_is_refused_beside_the_field(member, device, form, sentence):
    form = {"devices": [device.pk], **form} if sentence != "This field is required." else form
    assert sentence in text_of(member.post(url("report_ask_kind", "trips"), form))
    assert not Report.objects.exists()


def test_a_foreign_device_cannot_be_asked_about(member, device, foreign):
    answer = member.post(url("report_ask_kind", "trips"), {"devices": [foreign.pk], **DAYS})
    assert "There is no such row" in text_of(answer)
    answer = member.post(url("report_ask_kind", "fleet"), {"devices": [foreign.pk], "fleet": foreign.fleet_id, **DAYS})
    assert "There is no such row" in text_of(answer)


def test_viewers_see_reports_and_may_not_ask(member, device, operator, fleet):
    report = made(device, None)
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.VIEWER)
    assert "Ask for a report" not in text_of(member.get(url("reports")))
    assert member.get(url("report_ask")).status_code == 403
    assert member.post(url("report_ask_kind", "trips"), {"devices": [device.pk], **DAYS}).status_code == 403
    assert "Delete" not in text_of(member.get(url("report", report.pk)))
    assert member.post(url("report_delete", report.pk)).status_code == 403


def test_the_list_has_names_that_tell_reports_apart(member, device, operator, run_jobs):
    made(device, operator)
    text = text_of(member.get(url("reports")))
    assert "Device summary · Van 1 · 2 Mar 2026" in text
    assert "Ready" in text
    assert "Device summary" not in text_of(member.get(url("reports") + "?whose=own&page=x&device=" + "9" * 30))[:0]
    waiting = requested_report(device, operator, fresh=True)
    assert "data-live" in text_of(member.get(url("report", waiting.pk)))


def test_a_ready_report_is_shown_downloaded_and_shared(member, device, operator):
    report = made(device, operator)
    text = text_of(member.get(url("report", report.pk)))
    assert "11.1" in text
    link = text.split('id="report-link" readonly value="')[1].split('"')[0]
    assert (
        Client().get(link.split("//", 1)[1].partition("/")[1] + link.split("//", 1)[1].partition("/")[2]).status_code
        == 200
    )
    answer = member.get(url("report_download", report.pk, "csv"))
    assert b"11" in b"".join(answer.streaming_content)
    refused = member.get(url("report_download", report.pk, "nonsense"), follow=True)
    assert "nonsense" in text_of(refused)


def test_its_page_has_the_totals_of_its_files_and_says_whose_clock_its_times_are(member, device, operator):
    NotificationPreference.objects.create(user=operator, time_zone="Asia/Tokyo")
    drive(device)
    report, _is_due = create_report(kind="trips", device=device, range_start=DAY, range_end=LATER)
    generate_report(report.pk)
    text = text_of(member.get(url("report", report.pk)))
    assert '<th scope="col">Start (Asia/Tokyo)</th>' in text
    assert re.findall("<strong>(.*?)</strong>", text.split("<tfoot>")[1])[:3] == ["Total", "10 min 0 s", "11.13"]


def test_titles_of_percentages_say_so(member, device, fleet):
    drive(device)
    report, other = (
        create_report(kind="fleet", fleet=fleet, range_start=DAY, range_end=end)[0] for end in (NEXT_DAY, LATER)
    )
    for each in (report, other):
        generate_report(each.pk)
    assert '<th scope="col">Utilisation (%)</th>' in text_of(member.get(url("report", report.pk)))
    compared = text_of(member.get(url("report_compare", report.pk), {"with": other.pk}))
    assert "Utilisation (%)" in compared


def test_a_route_report_is_drawn_on_the_map(member, page, device):
    drive(device)
    member.post(url("report_ask_kind", "route"), {"devices": [device.pk], **DAYS})
    report = Report.objects.get()
    generate_report(report.pk)
    for text in (
        text_of(member.get(url("report", report.pk))),
        text_of(page.get(reverse("admin:reports_app_report_change", args=[report.pk]))),
    ):
        assert 'id="route-points"' in text
        assert "[0.0, -46.0]" in text


def test_it_is_deleted_after_a_question(member, device, operator):
    report = made(device, operator)
    assert "Delete this report?" in text_of(member.get(url("report_delete", report.pk)))
    assert "was deleted" in text_of(member.post(url("report_delete", report.pk), follow=True))
    assert not Report.objects.exists()


def test_an_unfinished_report_that_cannot_be_cancelled_now_is_not_deleted(member, device, operator, staff, monkeypatch):
    def away(**_) -> None:
        raise QueueUnavailable("Redis is away.")

    report, office = requested_report(device, operator), Client()
    office.force_login(staff)
    monkeypatch.setattr(lifecycle, "cancel_job", away)
    listed = reverse("admin:reports_app_report_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [report.pk], "post": "yes"}
    for client, address, body in (
        (member, url("report_delete", report.pk), {}),
        (office, reverse("admin:reports_app_report_delete", args=[report.pk]), {"post": "yes"}),
        (office, listed, chosen),
    ):
        assert "Redis is away." in text_of(client.post(address, body, follow=True))
    assert Report.objects.get().state == "pending"


def test_a_report_of_others_is_unknown(member, charlie, device, operator):
    report = made(device, operator)
    stranger = Client()
    stranger.force_login(charlie)
    for name in ("report", "report_compare", "report_cancel", "report_retry", "report_delete"):
        assert stranger.get(url(name, report.pk)).status_code == 404
    assert stranger.get(url("report_download", report.pk, "csv")).status_code == 404


def test_two_periods_are_compared_by_their_totals(member, device, operator):
    report = made(device, operator)
    answer = member.post(url("report_compare", report.pk))
    before = Report.objects.exclude(pk=report.pk).get()
    assert (before.range_end, before.range_start) == (report.range_start, datetime(2026, 3, 1, 3, tzinfo=UTC))
    assert "not ready yet" in text_of(member.get(answer.url))
    generate_report(before.pk)
    text = text_of(member.get(url("report_compare", before.pk) + f"?with={report.pk}"))
    assert "-100 %" in text
    assert "2 Mar 2026" in text


def test_viewers_compare_and_may_not_ask_for_the_period_before(member, device, operator):
    report = made(device, operator)
    FleetMembership.objects.filter(user=operator).update(role=FleetRole.VIEWER)
    assert member.get(url("report_compare", report.pk)).status_code == 200
    assert member.post(url("report_compare", report.pk)).status_code == 403
    assert Report.objects.count() == 1


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        (DAY, NEXT_DAY, datetime(2026, 3, 1, 3, tzinfo=UTC)),
        (datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 4, 1, 3, tzinfo=UTC), datetime(2026, 2, 1, 3, tzinfo=UTC)),
        (datetime(2026, 3, 2, 5, tzinfo=UTC), datetime(2026, 3, 2, 7, tzinfo=UTC), DAY),
    ],
)
def test_the_period_before_is_as_long_or_the_month_before(fleet, start, end, before):
    assert days_before(start, end, fleet.zone) == (before, start)


SCHEDULE = {
    "name": "Weekly",
    "kinds": ["trips"],
    "formats": ["pdf"],
    "period": "weekly",
    "local_time": "07:00",
    "weekday": "0",
    "month_day": "1",
    "time_zone": "America/Sao_Paulo",
    "delivery": "link",
}


def test_a_schedule_is_made_switched_and_removed(member, device, fleet, operator):
    assert 'name="kinds"' in text_of(member.get(url("report_schedule_add")))
    form = {**SCHEDULE, "fleet": fleet.pk, "recipients": [operator.pk]}
    assert "Name at least one recipient" in text_of(member.post(url("report_schedule_add"), {**form, "recipients": []}))
    assert member.post(url("report_schedule_add"), form).url == url("report_schedules")
    schedule = ReportSchedule.objects.get()
    assert (schedule.owner, schedule.is_active) == (operator, True)
    assert schedule.next_due_at is not None
    assert "Weekly" in text_of(member.get(url("report_schedules")))
    member.post(url("report_schedule_switch", schedule.pk), {"on": "0"})
    schedule.refresh_from_db()
    assert (schedule.is_active, schedule.next_due_at) == (False, None)
    assert member.post(url("report_schedule", schedule.pk), {**form, "name": "Monday"}).status_code == 302
    assert member.post(url("report_schedule_remove", schedule.pk)).status_code == 302
    assert not ReportSchedule.objects.exists()


def test_recipients_are_found_among_people_whom_one_may_see(member, fleet, operator, make_user):
    mara = make_user(username="mara", first_name="Mara", last_name="Lima")
    FleetMembership.objects.create(user=mara, fleet=fleet, role=FleetRole.VIEWER)
    stranger = make_user(username="marek")
    FleetMembership.objects.create(user=stranger, fleet=Fleet.objects.create(name="Other"), role=FleetRole.MANAGER)
    assert suggested(member, "mar", RECIPIENT) == [f"Mara Lima (mara) #{mara.pk}"]
    assert suggested(member, "", RECIPIENT) == [f"ana #{operator.pk}", f"Mara Lima (mara) #{mara.pk}"]
    viewer = Client()
    viewer.force_login(mara)
    assert suggested(viewer, "", RECIPIENT) == [f"Mara Lima (mara) #{mara.pk}"]

    # Without scripts names are typed; a person of another fleet is none, by name or by number.
    form = {**SCHEDULE, "fleet": fleet.pk}
    for typed in ("marek", f"#{stranger.pk}", f"ana, {stranger.pk}"):
        answer = member.post(url("report_schedule_add"), {**form, "recipients": typed})
        assert answer.context["form"].errors.keys() == {"recipients"}
    assert member.post(url("report_schedule_add"), {**form, "recipients": "ana, mara"}).status_code == 302
    schedule = ReportSchedule.objects.get()
    assert set(schedule.recipients.all()) == {operator, mara}
    assert suggested(viewer, "ana", RECIPIENT) == [f"ana #{operator.pk}"]

    # One who has left the fleet is still named where they are to be taken off.
    mara.memberships.all().delete()
    text = text_of(member.get(url("report_schedule", schedule.pk)))
    assert f'name="recipients" value="{mara.pk}" checked> Mara Lima (mara)' in text


def test_a_schedule_of_another_fleet_is_unknown_and_viewers_only_look(
    member, device, fleet, operator, staff, make_user
):
    other = Fleet.objects.create(name="Other")
    values = {"kinds": ["trips"], "formats": ["pdf"], "time_zone": "UTC"}
    foreign = ReportSchedule.objects.create(name="Theirs", owner=staff, fleet=other, **values)
    ours = ReportSchedule.objects.create(name="Ours", owner=staff, fleet=fleet, **values)
    for name in ("report_schedule", "report_schedule_remove"):
        assert member.get(url(name, foreign.pk)).status_code == 404
    text = text_of(member.get(url("report_schedule", ours.pk)))
    assert "Ours" in text
    assert "<form" not in text.split("<main")[1]
    for name in ("report_schedule", "report_schedule_switch", "report_schedule_run", "report_schedule_remove"):
        assert member.post(url(name, ours.pk), {**SCHEDULE}).status_code == 403
