"""Queues and many jobs in the admin: what is offered, asked, done and shown, and to whom."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tasks_app.engine import JobState, get_task
from tasks_app.models import BulkAction, Job, JobAction, QueueAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job, queue_stats
from tests.support.jobs import queue_limit
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
    ("verb", "codename"), [("pause", "pause_queue"), ("resume", "pause_queue"), ("purge", "purge_queue")]
)
def test_it_refuses_steps_to_staff_without_the_permission(make_user, verb, codename):
    get_task(CLEANUP).delay()
    others = {"pause_queue", "purge_queue", "cancel_job", "change_job", "delete_job"} - {codename}
    client = staff_with(make_user, "view_job", *others)
    assert verb.capitalize() not in offered(client)
    assert [client.get(step_url(verb)).status_code, client.post(step_url(verb)).status_code] == [403, 403]
    assert not QueueAction.objects.exists()
    assert staff_with(make_user, "view_job", codename).post(step_url(verb), {"reason": ""}).status_code == 302


@pytest.mark.parametrize(("queue", "verb"), [("nonsense", "pause"), ("cleanup", "burn")])
def test_it_knows_no_other_queues_and_steps(page, queue, verb):
    assert page.get(step_url(verb, queue)).status_code == 404
    assert page.post(step_url(verb, queue)).status_code == 404


# --- Many jobs ---


def test_it_counts_the_selected_jobs_and_leads_to_the_job_that_cancels_them(page, staff, run_jobs):
    ended = get_task(CLEANUP).delay()
    run_jobs("cleanup")
    waiting = [get_task(CLEANUP).apply_async(countdown=99) for _ in range(2)]
    other = get_task(CLEANUP).apply_async(countdown=99)
    asked = page.get(bulk_url("cancel"), {"id": [ended, *waiting], "picked": "1"})
    text = asked.content.decode()
    for expected in ("Cancel 2 jobs?", "Will be cancelled", "Scheduled", "Will be left", "The job has ended already."):
        assert expected in text
    assert not JobAction.objects.exists()
    answer = page.post(bulk_url("cancel"), {"ids": asked.context["job_ids"], "reason": "no need"})
    job_url = answer["Location"]
    text = page.get(job_url).content.decode()
    assert "0 jobs were cancelled." in text
    assert "3 jobs are still to come." in text
    run_jobs("cleanup")
    text = page.get(job_url).content.decode()
    assert "2 jobs were cancelled." in text
    assert "Skipped 1 job: The job has ended already." in text
    assert reverse("admin:tasks_app_job_change", args=[ended]) in text
    assert find_job(other, user=SHELL).state is JobState.SCHEDULED
    assert set(JobAction.objects.values_list("reason", flat=True)) == {"no need"}


def test_it_retries_all_that_match_and_no_others(page, run_jobs):
    failed = [probe_fail_for_good.delay(str(number)) for number in range(3)]
    run_jobs("positions")
    url = f"{bulk_url('retry')}?queue=positions&state=failed"
    asked = page.get(url)
    assert "Run 3 jobs again?" in asked.content.decode()
    late = probe_fail_for_good.delay("late")
    run_jobs("positions")
    answer = page.post(url, {"until": asked.context["until"], "reason": ""}, follow=True)
    assert "The jobs that match are looked for first." in answer.content.decode()
    run_jobs("cleanup")
    assert "3 jobs run again as new jobs." in page.get(answer.redirect_chain[-1][0]).content.decode()
    run_jobs("positions")
    assert Job.objects.filter(retry_of__in=failed).count() == 3
    assert not Job.objects.filter(retry_of=late).exists()
    again = Job.objects.get(retry_of=failed[0])
    for one, other, label in ((failed[0], again.pk, "Run again as"), (again.pk, failed[0], "Repeats the job")):
        text = page.get(reverse("admin:tasks_app_job_change", args=[one])).content.decode()
        assert label in text
        assert reverse("admin:tasks_app_job_change", args=[other]) in text


def test_it_takes_all_that_match_however_many(page, run_jobs):
    get_task("sweep_stuck_deliveries").enqueue_many([[]] * 1105)
    url = f"{bulk_url('cancel')}?queue=notifications"
    asked = page.get(url)
    assert "Cancel 1,105 jobs?" in asked.content.decode()
    page.post(url, {"until": asked.context["until"], "reason": ""})
    run_jobs("cleanup")
    assert next(queue for queue in queue_stats() if queue.name == "notifications").depth == 0


@pytest.mark.parametrize("query", ["", "?picked=1", "?id=x&picked=1", "?state=nonsense", "?id=%00", "?search=after:x"])
def test_it_never_means_all_jobs_by_mistake(page, query):
    get_task(CLEANUP).delay()
    answer = page.get(bulk_url("cancel") + query)
    assert "No job was selected" in answer.content.decode()
    for body in ({"reason": ""}, {"ids": "", "reason": ""}, {"ids": "x", "reason": ""}, {"until": "x", "reason": ""}):
        text = page.post(bulk_url("cancel") + query, body, follow=True).content.decode()
        assert "No job was selected" in text
    assert not JobAction.objects.exists()
    assert not BulkAction.objects.exists()


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_it_refuses_many_jobs_to_staff_who_may_only_see(make_user, verb):
    job_id = get_task(CLEANUP).delay()
    client = staff_with(make_user, "view_job", "change_job", "delete_job", "run_job_now")
    assert 'name="id"' not in client.get(reverse(JOBS)).content.decode()
    assert client.get(bulk_url(verb), {"id": job_id}).status_code == 403
    assert client.post(bulk_url(verb), {"ids": job_id}).status_code == 403
    assert not JobAction.objects.exists()


def test_a_full_queue_is_said_on_the_page_that_asks(page, settings):
    job_id = get_task(CLEANUP).delay()
    with queue_limit(settings, 1):
        answer = page.post(bulk_url("cancel"), {"ids": str(job_id), "reason": ""})
    assert answer.status_code == 200
    assert "which is its limit" in answer.content.decode()


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
    client = staff_with(make_user, "view_job", "change_job", "cancel_job", "retry_job")
    assert url not in client.get(reverse("admin:tasks_app_job_change", args=[job_id])).content.decode()
    assert [client.get(url).status_code, client.post(url).status_code] == [403, 403]
    assert (
        staff_with(make_user, "run_job_now", "view_job")
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
