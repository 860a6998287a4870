"""Starting tasks in the admin: typed fields, times in the reader's zone, sentences beside the fields, and schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.engine import JobState, get_task
from tasks_app.models import Geofence, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, JobView, find_job, list_jobs, repeats_of
from tasks_app.services.jobs import start_task
from tests.support.faults import own_valkey, using_redis
from tests.support.rights import give, pages_of
from tests.support.task_starts import product_tasks

pytestmark = pytest.mark.django_db(transaction=True)
TEN_KB = "x" * 10_240
EVERY_KIND_OF_FIELD = (
    "generate_fleet_report", "generate_daily_reports", "export_report_data", "send_geofence_alert", "send_speed_alert",
    "send_system_alert", "send_maintenance_reminder", "cleanup_cache", "process_position_batch",
)  # fmt: skip
ODD = [
    "nonsense",
    TEN_KB,
    "🚚🚚",
    "\u202e\u0645\u0631\u062d\u0628\u0627",
    "</script><script>alert(1)</script>",
    "\x00x",
    "999999999",
    "-1",
    "9" * 40,
    "9" * 5000,
    "[" * 5000,
]


def address(task_name: str) -> str:
    return reverse("admin:tasks_app_job_start_task", args=[task_name])


def only_job() -> JobView:
    (job,) = list_jobs(user=SHELL, filters=JobFilters(), limit=10).jobs
    return job


def sentences(client: Client, task_name: str, **arguments: object) -> dict[str, list[str]]:
    """Return what the check and the page say of this input; both say the same."""
    data = {f"arg-{name}": value for name, value in arguments.items()}
    checked = client.post(reverse("admin:tasks_app_job_start_check", args=[task_name]), data)
    answer = client.post(address(task_name), data)
    assert (checked.status_code, answer.status_code) == (200, 200)
    for texts in checked.json()["errors"].values():
        for text in texts:
            assert text[:40].encode() in answer.content or "&" in text or "“" in text or "<" in text
    assert not JobAction.objects.exists()
    return checked.json()["errors"]


def test_pages_say_that_redis_is_away(page, settings, tmp_path):
    with own_valkey(tmp_path) as server, using_redis(settings, server.places.redis_url):
        job_id = get_task("cleanup_cache").apply_async(countdown=99)
        server.kill()
        for where in (
            f"{address('cleanup_cache')}?from={job_id}",
            reverse("admin:tasks_app_job_start_check", args=["cleanup_cache"]) + f"?from={job_id}",
            reverse("admin:tasks_app_job_complete") + "?name=worker",
            reverse("admin:tasks_app_job_cancel", args=[job_id]),
        ):
            answer = page.get(where)
            assert answer.status_code == 503, where
            assert "The queue server does not answer" in answer.content.decode()


def test_it_lists_tasks_in_plain_words_with_the_systems_own_folded_away(page):
    text = page.get(reverse("admin:tasks_app_job_start")).content.decode()
    assert "Remove events older than so many days" in text
    assert text.index("cleanup_old_events") < text.index(
        "Tasks that the system starts by itself", text.index("cleanup_old_events")
    )
    assert "sweep_stuck_reports" in text[text.index("<details") :]


def test_it_finds_tasks_by_words(page):
    text = page.get(reverse("admin:tasks_app_job_start"), {"q": "remove EVENTS"}).content.decode()
    assert "cleanup_old_events" in text
    assert "generate_device_report" not in text
    nothing = page.get(reverse("admin:tasks_app_job_start"), {"q": "</script>"}).content.decode()
    assert "No task fits these words." in nothing


def test_every_task_has_a_form_that_opens(page):
    found = {task.name: page.get(address(task.name)).status_code for task in product_tasks() if task.is_startable}
    assert set(found.values()) == {200}, found
    assert page.get(address("change_jobs")).status_code == 403


def test_it_starts_a_report_of_a_device_chosen_by_its_name_about_yesterday(page, device):
    answer = page.post(
        address("generate_device_report"),
        {"arg-device_id": f"{device.name} · Fleet #{device.pk}", "arg-in-words": "yesterday", "arg-kind": "trips"},
    )
    assert answer.status_code == 302
    zone = timezone.get_default_timezone()
    midnight = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    job = only_job()
    assert job.kwargs["device_id"] == device.pk
    assert datetime.fromisoformat(job.kwargs["end"]) == midnight
    assert answer["Location"] == reverse("admin:tasks_app_job_change", args=[job.id])


def test_a_report_over_too_long_a_range_is_refused_beside_its_end(page, device):
    data = {"arg-device_id": str(device.pk), "arg-start": "2024-01-01", "arg-end": "2026-01-01", "arg-kind": "trips"}
    sentence = "The range has at most 366 days."
    check_url = reverse("admin:tasks_app_job_start_check", args=["generate_device_report"])
    for options in ({}, {"option-start": "repeat", "when-schedule_type": "D", "when-repeats": "-1"}):
        assert page.post(check_url, {**data, **options}).json()["errors"]["arg-end"] == [sentence]
        assert sentence in page.post(address("generate_device_report"), {**data, **options}).content.decode()
    assert not JobAction.objects.exists()
    year = {**data, "arg-start": "2025-01-01"}
    assert page.post(address("generate_device_report"), year).status_code == 302


@pytest.mark.parametrize("text", ["Van 1", "van 1", "van-1"])
def test_a_name_or_an_identifier_is_enough_without_a_script(page, device, text):
    page.post(address("calculate_device_statistics"), {"arg-device_id": text, "arg-period": "24h"})
    assert only_job().kwargs["device_id"] == device.pk


def test_times_are_those_of_the_readers_zone(page, device):
    with timezone.override("America/Sao_Paulo"):
        shown = page.get(address("generate_device_report")).content.decode()
    assert 'type="datetime-local"' in shown
    data = {
        "arg-device_id": str(device.pk),
        "arg-start": "2026-11-28T10:00",
        "arg-end": "2026-11-29",
        "arg-kind": "summary",
    }
    page.post(address("generate_device_report"), data)
    kwargs = only_job().kwargs
    here = datetime(2026, 11, 28, 10, tzinfo=ZoneInfo(timezone.get_default_timezone_name()))
    assert (datetime.fromisoformat(kwargs["start"]), kwargs["end"]) == (here, "2026-11-29")


def test_several_devices_are_chosen_with_ticks_names_and_numbers(page, make_device):
    one, two, three = (
        make_device(unique_id=f"van-{n}", name=name) for n, name in ((1, "Van 1"), (2, "Van, red"), (3, "Van 3"))
    )
    data = {
        "arg-in-words": "last week",
        "arg-device_ids": [str(one.pk), f"Van, red · Fleet #{two.pk}", "Van 3"],
    }
    page.post(address("generate_fleet_report"), data)
    assert only_job().kwargs["device_ids"] == [one.pk, two.pk, three.pk]


def test_it_starts_a_task_at_a_time(page):
    at = (datetime.now(UTC) + timedelta(hours=2)).astimezone(timezone.get_default_timezone())
    data = {"option-start": "at", "option-at": at.strftime("%Y-%m-%dT%H:%M")}
    page.post(address("cleanup_expired_sessions"), data)
    job = only_job()
    assert job.state is JobState.SCHEDULED
    assert abs(job.due_at - at.replace(second=0, microsecond=0)) < timedelta(seconds=1)


@pytest.mark.parametrize("at", ["", "2001-01-01T00:00", "9999-01-01T00:00", "nan", TEN_KB])
def test_it_refuses_a_time_that_is_none(page, at):
    answer = page.post(address("cleanup_expired_sessions"), {"option-start": "at", "option-at": at})
    assert answer.status_code == 200
    assert answer.context["options"].errors["at"]
    assert not JobAction.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "field", "sentence"),
    [
        ({"start": "28/11/2026", "end": "2026-11-29"}, "arg-start", "“28/11/2026” is not an ISO 8601 time."),
        ({"start": "yesterday", "end": "tomorrow"}, "arg-end", "“tomorrow” is not an ISO 8601 time."),
        ({"start": "2026-11-29", "end": "2026-11-28"}, "arg-end", "The end must be after the start."),
        ({}, "arg-start", "This field is required."),
        ({"in-words": "tomorrow"}, "arg-in-words", "Select a valid choice."),
        ({"in-words": "yesterday", "device_id": "Van 99"}, "arg-device_id", "Nothing is called “Van 99”"),
        ({"in-words": "yesterday", "device_id": "424242"}, "arg-device_id", "There is no such row: 424242."),
        ({"in-words": "yesterday", "kind": "fleet"}, "arg-kind", "Select a valid choice."),
    ],
)
def test_wrong_input_is_refused_with_a_sentence_at_its_field(page, device, arguments, field, sentence):
    found = sentences(page, "generate_device_report", **{"device_id": str(device.pk), "kind": "summary", **arguments})
    assert any(text.startswith(sentence) for text in found[field]), found


def test_two_of_one_name_are_told_apart(page, make_device):
    for number in (1, 2):
        make_device(unique_id=f"van-{number}", name="Van")
    found = sentences(page, "calculate_device_statistics", device_id="van", period="24h")
    assert "Several are called “van”" in found["arg-device_id"][0]


@pytest.mark.parametrize("text", ODD, ids=lambda text: text[:12])
def test_odd_input_in_fields_of_every_kind_is_a_sentence_and_no_error_of_the_server(page, text):
    broken = {}
    for name in EVERY_KIND_OF_FIELD:
        data = {f"arg-{field}": text for field in (*get_task(name).parameter_names, "in-words")}
        data |= {"option-start": "repeat", "when-schedule_type": text, "when-cron": text, "when-time_zone": text,
                 "when-next_run": text, "when-minutes": text, "when-repeats": text, "when-name": text}  # fmt: skip
        for url in (address(name), reverse("admin:tasks_app_job_start_check", args=[name])):
            status = page.post(url, data).status_code
            if status != 200:
                broken[url] = status
    assert broken == {}
    assert not Schedule.objects.exists()


def test_a_clean_up_begins_with_a_dry_run_and_says_that_it_deletes(page):
    text = page.get(address("cleanup_old_events")).content.decode()
    assert "This task deletes data for good." in text
    assert page.get(address("cleanup_old_events")).context["form"]["dry_run"].value() is True
    assert "deletes data for good" not in page.get(address("optimize_database")).content.decode()


def test_the_same_form_makes_a_schedule_with_a_relative_range(page, device):
    data = {
        "arg-device_id": str(device.pk), "arg-in-words": "yesterday", "arg-kind": "summary", "option-start": "repeat",
        "when-name": "Each day", "when-schedule_type": "C", "when-cron": "5 0 * * *",
        "when-time_zone": "America/Sao_Paulo", "when-repeats": "-1",
    }  # fmt: skip
    checked = page.post(reverse("admin:tasks_app_job_start_check", args=["generate_device_report"]), data).json()
    assert checked["errors"] == {}
    assert checked["preview"].startswith("At 00:05 · ")
    assert checked["preview"].count("UTC−3") == 3
    answer = page.post(address("generate_device_report"), data)
    schedule = Schedule.objects.get()
    assert answer["Location"] == reverse("admin:django_q_schedule_change", args=[schedule.pk])
    assert "'start': 'yesterday', 'end': 'yesterday'" in schedule.kwargs
    assert (schedule.state.time_zone, schedule.next_run.strftime("%H:%M")) == ("America/Sao_Paulo", "03:05")


def test_a_schedule_of_reports_leads_to_report_schedules(page):
    assert (
        reverse("admin:reports_app_reportschedule_add") in page.get(address("generate_device_report")).content.decode()
    )
    assert (
        reverse("admin:reports_app_reportschedule_add") not in page.get(address("cleanup_old_events")).content.decode()
    )


def picked(client: Client, kind: str, text: str = "") -> list[str]:
    return client.get(reverse("admin:tasks_app_job_pick", args=[kind]), {"q": text}).json()["results"]


def test_a_picker_finds_rows_by_parts_of_their_names(page, make_device):
    for number in (1, 2, 13):
        make_device(unique_id=f"imei{number}", name=f"Van {number:02d}")
    assert [text.split(" · ")[0] for text in picked(page, "device", "13 van")] == ["Van 13"]
    assert len(picked(page, "device", "IMEI")) == 3
    assert picked(page, "device", "%") == []
    for text in ODD:
        assert picked(page, "device", text) == [], text


def test_a_picker_shows_only_what_its_reader_may_see(make_user, device, fleet, foreign, operator):
    clerk = give(make_user(is_staff=True), "tasks_app.add_job")
    fleet.memberships.create(user=clerk, role="operator")
    Geofence.objects.create(fleet=foreign.fleet, name="Foreign", area={"type": "Circle", "coordinates": [0, 0]})
    client = pages_of(clerk)
    assert picked(client, "device") == [f"Van 1 · {fleet.name} #{device.pk}"]
    assert picked(client, "fleet") == [f"{fleet.name} #{fleet.pk}"]
    assert picked(client, "geofence") == picked(client, "report") == picked(client, "maintenance plan") == []
    assert picked(client, "user") == [f"{clerk.username} #{clerk.pk}"]
    assert client.get(reverse("admin:tasks_app_job_pick", args=["password"])).status_code == 404
    assert (
        pages_of(make_user(is_staff=True)).get(reverse("admin:tasks_app_job_pick", args=["device"])).status_code == 403
    )


def test_a_task_that_is_not_registered_has_no_form(page):
    assert page.get(address("os.system")).status_code == 404


def test_the_breadcrumbs_say_which_page_this_is(page, device):
    crumb = 'href="{}" class="align-middle'
    start = reverse("admin:tasks_app_job_start")
    assert crumb.format(start) in page.get(start).content.decode()
    text = page.get(address("cleanup_cache")).content.decode()
    assert crumb.format(start) in text
    assert crumb.format(address("cleanup_cache")) in text
    choosing = page.get(start, {"start": "repeat"}).content.decode()
    assert crumb.format(reverse("admin:django_q_schedule_changelist")) in choosing
    assert crumb.format(reverse("admin:tasks_app_job_changelist")) not in choosing


def test_a_job_run_again_with_other_arguments_leads_to_the_one_before_and_back(page, device, staff):
    first = start_task(task_name="calculate_device_statistics", kwargs={"device_id": device.pk}, user=staff)
    again = page.get(reverse("admin:tasks_app_job_change", args=[first])).context["again_url"]
    answer = page.post(again, {"arg-device_id": str(device.pk), "arg-period": "7d"})
    new_id = answer["Location"].rstrip("/").split("/")[-2]
    assert str(find_job(new_id, user=SHELL).retry_of) == str(first)
    assert [str(one) for one in repeats_of(first)] == [new_id]
    assert JobAction.objects.get(job_id=first, verb="again").user == staff


def test_another_task_is_scheduled_like_a_schedule_there_is(page, device):
    schedule = Schedule.objects.create(
        name="Each morning",
        func="generate_device_report",
        kwargs=f"{{'device_id': {device.pk}, 'start': 'yesterday', 'end': 'yesterday'}}",
        schedule_type="C",
        cron="5 6 * * *",
        next_run=timezone.now(),
    )
    text = page.get(reverse("admin:django_q_schedule_change", args=[schedule.pk])).content.decode()
    assert "A schedule keeps its task" in text
    url = f"{reverse('admin:tasks_app_job_start')}?start=repeat&amp;like={schedule.pk}"
    assert url in text
    chosen = page.get(url.replace("&amp;", "&")).content.decode()
    assert "begins with the times of “Each morning”" in chosen
    like = f"{address('calculate_device_statistics')}?start=repeat&amp;like={schedule.pk}"
    assert like in chosen
    form = page.get(like.replace("&amp;", "&")).content.decode()
    assert "5 6 * * *" in form
    assert f'value="{device.name} ' in form
    for odd in ("x", "9" * 30, "0", "", "-1", "٣"):
        assert page.get(address("calculate_device_statistics"), {"start": "repeat", "like": odd}).status_code == 200
