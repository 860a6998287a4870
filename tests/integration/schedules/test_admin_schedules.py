"""Schedules in the admin: only tasks that may be scheduled, only arguments that fit, actions for those who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Schedule

from tasks_app.admin.schedules.pages import ScheduleAdmin
from tasks_app.models import Job, JobAction, ScheduleState
from tasks_app.services.schedules.actions import run_due_schedules
from tests.support.page_forms import inputs_of

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "admin:django_q_schedule_changelist"


@pytest.fixture
def schedule(db) -> Schedule:
    return Schedule.objects.create(
        name="sessions", func="cleanup_expired_sessions", schedule_type="C", cron="0 3 * * *"
    )


def form_of(**fields: str) -> dict[str, str]:
    """Return the input of the page of a schedule of cleanup_old_events."""
    return {
        "arg-days_to_keep": "30",
        "when-name": "events",
        "when-schedule_type": "C",
        "when-cron": "0 3 * * *",
        "when-repeats": "-1",
        "when-time_zone": "America/Sao_Paulo",
        **fields,
    }


@pytest.fixture
def events(db) -> Schedule:
    return Schedule.objects.create(func="cleanup_old_events", kwargs="{'days_to_keep': 90}", schedule_type="D")


def page_of(schedule: Schedule) -> str:
    return reverse("admin:django_q_schedule_change", args=[schedule.pk])


def test_adding_one_begins_with_the_choice_of_a_task(page):
    answer = page.get(reverse("admin:django_q_schedule_add"), follow=True)
    assert answer.redirect_chain[-1][0] == f"{reverse('admin:tasks_app_job_start')}?start=repeat"
    assert "process_position_batch" not in answer.content.decode()


@pytest.mark.parametrize("pointless", [{"when-minutes": "15"}, {"when-repeats": "0"}])
def test_values_that_no_run_would_heed_are_refused_beside_their_field(pointless, page, events):
    answer = page.post(page_of(events), form_of(**pointless))
    assert (answer.status_code, answer.content.decode().count("aria-invalid")) == (200, 1)
    checked = page.post(f"/admin/django_q/schedule/{events.pk}/check/", form_of(**pointless)).json()
    assert set(checked["errors"]) == set(pointless)


def test_a_run_since_the_page_was_opened_is_not_made_again(page, events, run_jobs):
    due = timezone.now() - timedelta(minutes=5)
    Schedule.objects.filter(pk=events.pk).update(next_run=due, repeats=5)
    opened = inputs_of(page.get(page_of(events)).content.decode())
    run_due_schedules(timezone.now())
    form = {**opened, "when-schedule_type": "D", "when-name": "renamed"}
    assert page.post(page_of(events), form).status_code == 302
    run_due_schedules(timezone.now())
    events.refresh_from_db()
    assert (events.name, events.repeats, events.next_run) == ("renamed", 4, due + timedelta(days=1))
    assert run_jobs("cleanup") == 1
    form["version"] = inputs_of(page.get(page_of(events)).content.decode())["version"]
    assert page.post(page_of(events), {**form, "when-repeats": "9", "when-time_zone": "Asia/Tokyo"}).status_code == 302
    events.refresh_from_db()
    there = datetime.fromisoformat(opened["when-next_run"][0]).replace(tzinfo=ZoneInfo("Asia/Tokyo"))
    assert (events.repeats, events.next_run) == (9, there)


def test_a_schedule_that_goes_while_it_is_saved_stays_gone(page, events, monkeypatch):
    def gone(*_args):
        Schedule.objects.filter(pk=events.pk).delete()
        return True

    monkeypatch.setattr(ScheduleAdmin, "_may_edit", gone)
    assert page.post(page_of(events), form_of()).status_code == 404
    assert not Schedule.objects.filter(func=events.func).exists()


def test_it_stores_a_schedule_with_its_time_zone_and_next_run(page, events):
    answer = page.post(page_of(events), form_of())
    assert answer.status_code == 302
    row = Schedule.objects.get(name="events")
    assert (row.kwargs, row.state.time_zone) == ("{'days_to_keep': 30, 'dry_run': False}", "America/Sao_Paulo")
    assert row.next_run.strftime("%H:%M") == "06:00"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"arg-days_to_keep": "many"}, "arg-days_to_keep"),
        ({"arg-days_to_keep": "0"}, "arg-days_to_keep"),
        ({"when-cron": "61 * * * *"}, "when-cron"),
        ({"when-cron": ""}, "when-cron"),
        ({"when-time_zone": "Mars/Olympus"}, "when-time_zone"),
        ({"when-time_zone": "../../etc/passwd"}, "when-time_zone"),
        ({"when-schedule_type": "I", "when-minutes": "0"}, "when-minutes"),
        ({"when-schedule_type": "D", "when-next_run": "28/11/2026"}, "when-next_run"),
        ({"raw-is_used": "on", "raw-kwargs": '{"days_to_keep": "many"}'}, "raw-kwargs"),
        ({"raw-is_used": "on", "raw-kwargs": "__import__('os').system('true')"}, "raw-kwargs"),
        ({"raw-is_used": "on", "raw-args": "((((("}, "raw-args"),
        ({"raw-is_used": "on", "raw-kwargs": "x" * 100_000}, "raw-kwargs"),
    ],
)
def test_it_refuses_a_schedule_that_cannot_run_and_names_the_field(page, events, fields, field):
    answer = page.post(page_of(events), form_of(**fields))
    assert answer.status_code == 200
    shown = answer.context["page"]
    wrong = {form.add_prefix(name) for form in shown.bound for name in form.errors}
    assert wrong == {field}
    assert not Schedule.objects.filter(name="events").exists()


def test_the_check_while_typing_says_the_same_and_shows_the_next_runs(page, events):
    url = reverse("admin:django_q_schedule_check", args=[events.pk])
    assert list(page.post(url, form_of(**{"arg-days_to_keep": "0"})).json()["errors"]) == ["arg-days_to_keep"]
    good = page.post(url, form_of()).json()
    assert good["errors"] == {}
    assert good["preview"].startswith("At 03:00 · ")
    assert page.get(url).status_code == 405


def test_the_arguments_may_be_written_as_json(page, events):
    page.post(page_of(events), form_of(**{"raw-is_used": "on", "raw-kwargs": '{"days_to_keep": 7}'}))
    assert Schedule.objects.get(pk=events.pk).kwargs == '{"days_to_keep": 7}'


def test_a_stored_relative_range_is_shown_as_its_words(page, device):
    row = Schedule.objects.create(
        func="generate_device_report", schedule_type="D",
        kwargs=repr({"device_id": device.pk, "start": "Last_Week", "end": "last week"}),
    )  # fmt: skip
    shown = page.get(page_of(row)).context["page"].call
    assert shown["in-words"].value() in ("last week", "")
    row.kwargs = repr({"device_id": device.pk, "start": "last week", "end": "last week"})
    row.save()
    assert page.get(page_of(row)).context["page"].call["in-words"].value() == "last week"


def test_it_opens_a_schedule_with_its_next_runs_in_its_zone(page, schedule):
    Schedule.objects.update(next_run=datetime(2030, 1, 1, 6, tzinfo=UTC))
    ScheduleState.objects.update_or_create(schedule=schedule, defaults={"time_zone": "America/Sao_Paulo"})
    text = page.get(page_of(schedule)).content.decode()
    assert "Next three runs" in text
    assert "Enabled" in text
    assert "At 03:00 · America/Sao_Paulo" in text
    assert text.count("03:00:00 UTC−3") == 3


def test_its_name_is_in_the_breadcrumb(page, schedule):
    text = page.get(page_of(schedule)).content.decode()
    assert "sessions" in text[: text.index("<main")]
    assert "sessions" in page.get(reverse("admin:django_q_schedule_delete", args=[schedule.pk])).content.decode()


def ended(schedule: Schedule, state: str, minutes_ago: int, **fields: object) -> Job:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    return Job.objects.create(
        id=uuid4(), task=schedule.func, queue="cleanup", state=state, args=[], kwargs={}, schedule_id=schedule.pk,
        created_at=at, started_at=at, finished_at=at, **fields,
    )  # fmt: skip


def test_the_last_ten_results_stand_in_the_list_in_words_too(page, schedule, django_assert_max_num_queries):
    ended(schedule, "failed", 60)
    for minutes in range(9, 0, -1):
        ended(schedule, "succeeded", minutes)
    newest = ended(schedule, "failed", 0, error_class="ValueError", error_message="no <van>")
    others = [Schedule.objects.create(func="cleanup_expired_sessions", schedule_type="H") for _ in range(20)]
    with django_assert_max_num_queries(25):
        text = page.get(reverse(LIST)).content.decode()
    strip = text[text.index('<ol class="tk-strip"') :].split("</ol>")[0]
    assert (strip.count("Succeeded"), strip.count("✗")) == (9 * 2, 1)
    assert "ValueError: no &lt;van&gt;" in strip
    assert reverse("admin:tasks_app_job_change", args=[newest.pk]) in strip
    assert text.count('<ol class="tk-strip"') == 1
    assert len(others) == 20


@pytest.mark.parametrize("verb", ["run-now", "enable", "disable", "duplicate"])
def test_each_step_of_the_page_works(page, schedule, verb):
    if verb == "enable":
        ScheduleState.objects.update_or_create(schedule=schedule, defaults={"is_enabled": False})
    url = reverse("admin:django_q_schedule_step", args=[schedule.pk, verb])
    assert page.get(url).status_code == 405
    assert page.post(url).status_code == 302
    if verb == "run-now":
        assert JobAction.objects.get().verb == "start"
    elif verb == "duplicate":
        copy = Schedule.objects.get(name="Copy of sessions")
        assert (copy.cron, copy.func, copy.state.is_enabled) == ("0 3 * * *", schedule.func, False)
    else:
        assert ScheduleState.objects.get(schedule=schedule).is_enabled is (verb == "enable")
    assert page.post(reverse("admin:django_q_schedule_step", args=[schedule.pk, "nonsense"])).status_code == 404


def test_a_schedule_of_a_task_that_is_gone_says_so(page):
    row = Schedule.objects.create(name="gone", func="no.such_task", schedule_type="D", kwargs="{'a': '</script>'}")
    answer = page.get(page_of(row))
    assert "No task is registered as no.such_task" in answer.content.decode()
    assert page.post(page_of(row), form_of()).status_code == 403
    step = reverse("admin:django_q_schedule_step", args=[row.pk, "run-now"])
    assert "No task is registered" in page.post(step, follow=True).content.decode()


def test_it_shows_why_a_schedule_was_stopped(page, schedule):
    ScheduleState.objects.update_or_create(
        schedule=schedule, defaults={"is_enabled": False, "last_error": "No such task."}
    )
    text = page.get(reverse(LIST)).content.decode()
    assert "Stopped by an error" in text
    assert "No such task." in text


def test_it_runs_a_schedule_now_and_links_its_job(page, schedule):
    answer = page.post(reverse(LIST), {"action": "run_selected_now", "_selected_action": [schedule.pk]}, follow=True)
    job_id = JobAction.objects.get().job_id
    assert reverse("admin:tasks_app_job_change", args=[job_id]) in answer.content.decode()


def test_it_disables_and_enables_schedules(page, schedule):
    page.post(reverse(LIST), {"action": "disable_selected", "_selected_action": [schedule.pk]})
    assert ScheduleState.objects.get(schedule=schedule).is_enabled is False
    page.post(reverse(LIST), {"action": "enable_selected", "_selected_action": [schedule.pk]})
    assert ScheduleState.objects.get(schedule=schedule).is_enabled is True


def test_it_offers_no_action_to_staff_who_may_only_see(make_user, schedule):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_schedule"))
    client = Client()
    client.force_login(user)
    client.post(reverse(LIST), {"action": "run_selected_now", "_selected_action": [schedule.pk]})
    assert not JobAction.objects.exists()
