"""Schedules in the admin: only tasks that may be scheduled, only arguments that fit, actions for those who may."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django_q.models import Schedule

from tasks_app.models import JobAction, ScheduleState

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "admin:django_q_schedule_changelist"


@pytest.fixture
def schedule(db) -> Schedule:
    return Schedule.objects.create(
        name="sessions", func="cleanup_expired_sessions", schedule_type="C", cron="0 3 * * *"
    )


def schedule_form(**fields: str) -> dict[str, str]:
    return {
        "name": "reports",
        "func": "cleanup_old_events",
        "args": "",
        "kwargs": '{"days_to_keep": 30}',
        "schedule_type": "C",
        "cron": "0 3 * * *",
        "minutes": "",
        "repeats": "-1",
        "next_run_0": "2030-01-01",
        "next_run_1": "00:00:00",
        "time_zone": "America/Sao_Paulo",
        **fields,
    }


def test_it_stores_a_schedule_with_its_time_zone_and_next_run(page):
    page.post(reverse("admin:django_q_schedule_add"), schedule_form())
    row = Schedule.objects.get(name="reports")
    assert row.state.time_zone == "America/Sao_Paulo"
    assert row.next_run.strftime("%H:%M") == "06:00"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"func": "os.system"}, "func"),
        ({"func": "process_position_batch"}, "func"),
        ({"kwargs": '{"days_to_keep": "many"}'}, "kwargs"),
        ({"kwargs": "__import__('os').system('true')"}, "kwargs"),
        ({"args": "((((("}, "args"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"schedule_type": "I", "minutes": "0"}, "minutes"),
    ],
)
def test_it_refuses_a_schedule_that_cannot_run_and_names_the_field(page, fields, field):
    answer = page.post(reverse("admin:django_q_schedule_add"), schedule_form(**fields))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors[field]
    assert not Schedule.objects.filter(name="reports").exists()


def test_it_opens_a_schedule_with_its_next_runs(page, schedule):
    text = page.get(reverse("admin:django_q_schedule_change", args=[schedule.pk])).content.decode()
    assert "Next three runs" in text
    assert "Enabled" in text


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
