"""Queues and many jobs in the admin: what is offered, asked, done and shown, and to whom."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tasks_app.engine import JobState, get_task
from tasks_app.models import Job, JobAction, QueueAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, queue_stats
from tasks_app.services.jobs.bulk import MAX_JOBS
from tests.support.probe.tasks import probe_fail, probe_fail_for_good

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "admin:tasks_app_job_changelist"
CLEANUP = "cleanup_expired_sessions"


def staff_with(make_user, *codenames: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def step_url(verb: str, queue: str = "cleanup") -> str:
    return reverse("admin:tasks_app_queue_step", args=[queue, verb])


def bulk_url(verb: str) -> str:
    return reverse("admin:tasks_app_job_bulk", args=[verb])


def offered(client: Client) -> set[str]:
    """The steps that are offered for the queue cleanup."""
    rows = client.get(reverse("admin:tasks_app_queues")).context["queue_rows"]
    (row,) = [row for row in rows if row["stats"].name == "cleanup"]
    return {str(step["label"]) for step in row["steps"]}


# --- Queues ---


def test_it_offers_the_steps_that_make_sense_now(page):
    assert offered(page) == {"Pause"}
    get_task(CLEANUP).delay()
    assert offered(page) == {"Pause", "Purge"}
    page.post(step_url("pause"), {"reason": ""})
    assert offered(page) == {"Resume", "Purge"}


def test_it_pauses_after_asking_and_marks_the_queue(page, staff):
    text = page.get(step_url("pause")).content.decode()
    assert "Pause the queue cleanup?" in text
    assert not QueueAction.objects.exists()
    text = page.post(step_url("pause"), {"reason": "disk full"}, follow=True).content.decode()
    for expected in ("The queue cleanup is paused.", "Paused", "disk full", "staff"):
        assert expected in text
    assert [queue.name for queue in queue_stats() if queue.paused] == ["cleanup"]
    assert "disk full" in page.get(reverse("admin:tasks_app_queues")).content.decode()
    assert "disk full" in page.get(step_url("purge")).content.decode(), "what was done to the queue before"
    assert "goes on" in page.post(step_url("resume"), {"reason": ""}, follow=True).content.decode()
    assert list(QueueAction.objects.order_by("pk").values_list("verb", "user", "reason")) == [
        ("pause", staff.pk, "disk full"),
        ("resume", staff.pk, ""),
    ]


def test_it_purges_after_saying_how_many(page):
    get_task(CLEANUP).delay()
    get_task(CLEANUP).apply_async(countdown=99)
    answer = page.get(step_url("purge"))
    assert ("Waiting jobs", 2) in answer.context["facts"]
    assert (
        "2 waiting jobs were cancelled." in page.post(step_url("purge"), {"reason": "x"}, follow=True).content.decode()
    )
    assert Job.objects.filter(state="cancelled").count() == 2


@pytest.mark.parametrize(
    ("verb", "codename"), [("pause", "change_job"), ("resume", "change_job"), ("purge", "delete_job")]
)
def test_it_refuses_steps_to_staff_without_the_permission(make_user, verb, codename):
    get_task(CLEANUP).delay()
    wrong = {"change_job": "delete_job", "delete_job": "change_job"}[codename]
    client = staff_with(make_user, "view_job", wrong)
    assert verb.capitalize() not in offered(client)
    assert [client.get(step_url(verb)).status_code, client.post(step_url(verb)).status_code] == [403, 403]
    assert not QueueAction.objects.exists()
    assert staff_with(make_user, "view_job", codename).post(step_url(verb), {"reason": ""}).status_code == 302


@pytest.mark.parametrize(("queue", "verb"), [("nonsense", "pause"), ("cleanup", "burn")])
def test_it_knows_no_other_queues_and_steps(page, queue, verb):
    assert page.get(step_url(verb, queue)).status_code == 404
    assert page.post(step_url(verb, queue)).status_code == 404


# --- Many jobs ---


def test_it_cancels_the_selected_jobs_after_asking_and_tells_what_it_skipped(page, run_jobs):
    ended = get_task(CLEANUP).delay()
    run_jobs("cleanup")
    waiting = [get_task(CLEANUP).delay() for _ in range(2)]
    other = get_task(CLEANUP).delay()
    asked = page.get(bulk_url("cancel"), {"id": [ended, *waiting], "picked": "1"})
    assert "Cancel 3 jobs?" in asked.content.decode()
    assert not JobAction.objects.exists()
    answer = page.post(bulk_url("cancel"), {"ids": asked.context["job_ids"], "reason": "no need"}, follow=True)
    text = answer.content.decode()
    assert "2 jobs were cancelled." in text
    assert "Skipped 1 job: The job has ended already." in text
    assert find_job(other, user=SHELL).state is JobState.QUEUED
    assert set(JobAction.objects.values_list("reason", flat=True)) == {"no need"}


def test_it_retries_all_that_match_and_no_others(page, run_jobs):
    failed = [probe_fail_for_good.delay(str(number)) for number in range(3)]
    run_jobs("positions")
    asked = page.get(bulk_url("retry"), {"queue": "positions", "state": "failed"})
    assert "Run 3 jobs again?" in asked.content.decode()
    url = f"{bulk_url('retry')}?queue=positions&state=failed"
    answer = page.post(url, {"ids": asked.context["job_ids"], "reason": ""})
    assert answer["Location"].endswith("?state=failed&queue=positions")
    run_jobs("positions")
    assert Job.objects.filter(retry_of__in=failed).count() == 3


def test_it_takes_no_more_than_its_limit_and_says_so(page):
    get_task("sweep_stuck_deliveries").enqueue_many([[]] * (MAX_JOBS + 5))
    asked = page.get(bulk_url("cancel"), {"queue": "notifications"})
    assert f"Cancel {MAX_JOBS} jobs?" in asked.content.decode()
    assert "More jobs match" in asked.content.decode()
    text = page.post(bulk_url("cancel"), {"ids": asked.context["job_ids"], "reason": ""}, follow=True).content.decode()
    assert f"{MAX_JOBS} jobs were cancelled." in text
    assert next(queue for queue in queue_stats() if queue.name == "notifications").depth == 5


@pytest.mark.parametrize("query", ["", "?picked=1", "?id=x&picked=1", "?state=nonsense", "?id=%00"])
def test_it_never_means_all_jobs_by_mistake(page, query):
    get_task(CLEANUP).delay()
    answer = page.get(bulk_url("cancel") + query)
    assert answer.context["job_ids"] == ""
    assert "No job was selected" in answer.content.decode()
    text = page.post(bulk_url("cancel") + query, {"reason": ""}, follow=True).content.decode()
    assert "No job was selected" in text
    assert not JobAction.objects.exists()


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_it_refuses_many_jobs_to_staff_who_may_only_see(make_user, verb):
    job_id = get_task(CLEANUP).delay()
    client = staff_with(make_user, "view_job", "delete_job")
    assert 'name="id"' not in client.get(reverse(JOBS)).content.decode()
    assert client.get(bulk_url(verb), {"id": job_id}).status_code == 403
    assert client.post(bulk_url(verb), {"ids": job_id}).status_code == 403
    assert not JobAction.objects.exists()


def test_it_knows_no_other_verbs(page):
    assert page.get(bulk_url("burn")).status_code == 404


# --- One job ---


def test_it_offers_run_now_for_what_waits_only(page, run_jobs):
    scheduled = get_task(CLEANUP).apply_async(countdown=999)
    queued = get_task(CLEANUP).delay()
    retrying = probe_fail.delay("broken")
    run_jobs("positions")
    for job_id, is_offered in ((scheduled, True), (queued, False), (retrying, True)):
        text = page.get(reverse("admin:tasks_app_job_change", args=[job_id])).content.decode()
        assert (reverse("admin:tasks_app_job_run_now", args=[job_id]) in text) is is_offered


def test_it_runs_a_scheduled_job_now(page, staff, run_jobs):
    job_id = get_task(CLEANUP).apply_async(countdown=999)
    url = reverse("admin:tasks_app_job_run_now", args=[job_id])
    assert "Run this job now?" in page.get(url).content.decode()
    text = page.post(url, {"reason": "urgent"}, follow=True).content.decode()
    assert "as soon as a worker is free" in text
    assert "urgent" in text
    assert "does not wait" in page.post(url, {"reason": ""}, follow=True).content.decode()
    assert run_jobs("cleanup") == 1
    assert JobAction.objects.get().user == staff


def test_it_refuses_run_now_to_staff_who_may_only_see(make_user):
    job_id = get_task(CLEANUP).apply_async(countdown=999)
    url = reverse("admin:tasks_app_job_run_now", args=[job_id])
    client = staff_with(make_user, "view_job")
    assert url not in client.get(reverse("admin:tasks_app_job_change", args=[job_id])).content.decode()
    assert [client.get(url).status_code, client.post(url).status_code] == [403, 403]
    assert (
        staff_with(make_user, "change_job", "view_job")
        .get(reverse("admin:tasks_app_job_run_now", args=[uuid4()]))
        .status_code
        == 404
    )


def test_it_shows_log_and_priority(page, run_jobs):
    job_id = get_task(CLEANUP).apply_async(priority="high")
    assert "High priority" in page.get(reverse(JOBS)).content.decode()
    run_jobs("cleanup")
    Job.objects.filter(pk=job_id).update(logs=["looked <everywhere>", "found it"])
    text = page.get(reverse("admin:tasks_app_job_change", args=[job_id])).content.decode()
    assert "looked &lt;everywhere&gt;\nfound it" in text
    assert "High" in text


def test_it_pages_through_queued_jobs(page):
    get_task("sweep_stuck_deliveries").enqueue_many([[]] * 120)
    url, seen = reverse(JOBS) + "?state=queued", set()
    for _ in range(3):
        context = page.get(url).context
        seen |= {row.job.id for row in context["rows"]}
        url = reverse(JOBS) + context["older_url"]
    assert len(seen) == 120
    assert context["older_url"] == ""
