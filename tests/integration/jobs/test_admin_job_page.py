"""The page of one job: who cancelled it, where it failed, what it can be run again as, what ran with its arguments."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tasks_app.engine import get_task
from tasks_app.models import Job
from tasks_app.services.jobs import cancel_job

pytestmark = pytest.mark.django_db
REPORT = "generate_device_report"
TRACEBACK = """Traceback (most recent call last):
  File "/srv/tasks_app/engine/attempt.py", line 9, in run
    engine_line()
  File "/srv/reports_app/services/generation.py", line 7, in generate
    own_line()
ValueError: no van"""


def make_job(**fields) -> Job:
    usual = {"id": uuid4(), "task": REPORT, "queue": "reports", "state": "failed"}
    return Job.objects.create(**{**usual, "created_at": timezone.now(), "finished_at": timezone.now(), **fields})


def job_page(job_id) -> str:
    return reverse("admin:tasks_app_job_change", args=[job_id])


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_job_says_who_and_why_and_shows_no_error(page, staff):
    job = get_task("cleanup_cache").delay()
    cancel_job(job_id=job, user=staff, reason="the disk is full")
    text = page.get(job_page(job)).content.decode()
    assert "Cancelled by staff" in text
    assert text.index("the disk is full") < text.index("Timeline")
    assert "tk-alert" not in text
    assert "JobCancelled" not in text


def test_own_code_comes_first_in_a_traceback_and_all_of_it_is_one_step_away(page):
    text = page.get(job_page(make_job(traceback=TRACEBACK, error_class="ValueError").pk)).content.decode()
    own, everything = text.split("Full traceback")
    assert "own_line" in own
    assert "engine_line" not in own
    assert "engine_line" in everything


def test_jobs_with_the_same_arguments_are_listed(page, device):
    arguments = [device.pk, "2026-01-01", "2026-01-02"]
    job, same, other = make_job(args=arguments), make_job(args=arguments, state="succeeded"), make_job(args=[1])
    answer = page.get(job_page(job.pk))
    assert [row.job.id for row in answer.context["history_rows"]] == [same.pk]
    assert job_page(other.pk) not in answer.content.decode()


def test_what_cannot_be_run_again_is_not_offered_and_says_why(page):
    gone = make_job(task="import_positions_file", kwargs={"upload_id": 10**6})
    text = page.get(job_page(gone.pk)).content.decode()
    assert "Upload its file again" in text
    assert reverse("admin:tasks_app_job_retry", args=[gone.pk]) not in text
    whole = make_job(args=[1, "2026-01-01", "2026-01-02"])
    assert reverse("admin:tasks_app_job_retry", args=[whole.pk]) in page.get(job_page(whole.pk)).content.decode()


def test_a_job_is_run_again_with_other_arguments_from_those_it_had(page, device):
    job = make_job(args=[device.pk, "2026-01-01"], kwargs={"end": "2026-01-02", "kind": "route"})
    url = page.get(job_page(job.pk)).context["again_url"]
    answer = page.get(url)
    assert answer.status_code == 200
    initial = answer.context["form"].initial
    given = {"device_id": device.pk, "start": "2026-01-01", "end": "2026-01-02", "kind": "route"}
    assert given.items() <= initial.items()


@pytest.mark.parametrize("given", ["", "x", "\x00", "87ea0af8-75b2-417d-a4a1-8fd134dcb65b"])
def test_arguments_of_no_job_leave_the_form_empty(page, given):
    answer = page.get(reverse("admin:tasks_app_job_start_task", args=[REPORT]), {"from": given})
    assert answer.status_code == 200
    assert "start" not in answer.context["form"].initial


def test_who_may_only_look_is_offered_nothing(make_user, device):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_job"))
    client = Client()
    client.force_login(user)
    job = make_job(args=[device.pk, "2026-01-01", "2026-01-02"])
    text = client.get(job_page(job.pk)).content.decode()
    assert reverse("admin:tasks_app_job_retry", args=[job.pk]) not in text
    assert "Run with other arguments" not in text


@pytest.mark.parametrize(
    "progress",
    [
        {"current": 3, "total": "many"},
        {"current": "3", "total": 9},
        {"current": [1]},
        {"current": 1, "total": 10**-320},
    ],
)
def test_progress_of_another_program_that_is_no_number_is_shown_as_it_is(page, progress):
    job = make_job(progress=progress)
    assert page.get(job_page(job.pk)).status_code == 200
