"""The jobs pages: what they show, and who may do what."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tasks_app.engine import JobState, get_task
from tasks_app.models import Job, JobAction
from tasks_app.queries.jobs import find_job
from tests.support.probe.tasks import probe_fail_for_good

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = "admin:tasks_app_job_changelist"


@pytest.fixture
def failed_id(run_jobs) -> UUID:
    """A job that failed for good."""
    job_id = probe_fail_for_good.delay("There is no van 424242.")
    run_jobs("positions")
    return job_id


def staff_with(make_user, *codenames: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def job_page(job_id) -> str:
    return reverse("admin:tasks_app_job_change", args=[job_id])


def state_of(job_id, user) -> JobState:
    view = find_job(job_id, user=user)
    assert view is not None
    return view.state


def test_it_lists_live_and_finished_jobs_together(page, failed_id):
    queued_id = get_task("cleanup_expired_sessions").delay()
    text = page.get(reverse(JOBS)).content.decode()
    assert job_page(queued_id) in text
    assert job_page(failed_id) in text
    assert "There is no van 424242" in text


@pytest.mark.parametrize(
    ("query", "sees_queued", "sees_failed"),
    [
        ({"state": "queued"}, True, False),
        ({"state": "failed"}, False, True),
        ({"state": "succeeded"}, False, False),
        ({"queue": "cleanup"}, True, False),
        ({"task": "probe_fail_for_good"}, False, True),
        ({"search": "424242"}, False, True),
        # What is not understood filters nothing.
        ({"state": "nonsense"}, True, True),
    ],
)
def test_it_filters_jobs(page, failed_id, query, sees_queued, sees_failed):
    queued_id = get_task("cleanup_expired_sessions").delay()
    text = page.get(reverse(JOBS), query).content.decode()
    assert (job_page(queued_id) in text) is sees_queued
    assert (job_page(failed_id) in text) is sees_failed


def test_it_counts_jobs_in_the_tabs(page, failed_id):
    get_task("cleanup_expired_sessions").delay()
    counts = {str(tab.label): tab.count for tab in page.get(reverse(JOBS)).context["tabs"]}
    assert (counts["Queued"], counts["Failed"], counts["Succeeded"]) == ("1", "1", "0")


def test_it_pages_through_finished_jobs_with_a_cursor(page, run_jobs):
    for _ in range(55):
        get_task("sweep_stuck_deliveries").delay()
    run_jobs("notifications")
    first = page.get(reverse(JOBS)).context
    second = page.get(reverse(JOBS) + first["older_url"]).context
    assert len(first["rows"]) == 50
    assert len(second["rows"]) == 5
    assert not {row.job.id for row in first["rows"]} & {row.job.id for row in second["rows"]}


@pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "9" * 500])
def test_it_answers_404_to_a_cursor_of_nowhere(page, cursor):
    assert page.get(reverse(JOBS), {"cursor": cursor}).status_code == 404


def test_it_shows_a_failed_job_with_its_traceback(page, failed_id):
    text = page.get(job_page(failed_id)).content.decode()
    for expected in ("probe_fail_for_good", "PermanentError", "Traceback (most recent call last)", "424242"):
        assert expected in text
    assert reverse("admin:tasks_app_job_retry", args=[failed_id]) in text
    assert reverse("admin:tasks_app_job_cancel", args=[failed_id]) not in text


@pytest.mark.parametrize(
    "object_id", ["5ad0f1a6-8b7f-4f0e-9d6c-1f2f63b2f5a1", "none", "1", "00000000-0000-0000-0000-00000000000g"]
)
def test_it_answers_404_for_jobs_that_are_none(page, object_id):
    assert page.get(f"/admin/tasks_app/job/{object_id}/change/").status_code == 404


def test_it_escapes_what_a_job_was_given(page):
    job_id = get_task("send_system_alert").delay("<script>alert(1)</script>", "text")
    for url in (reverse(JOBS), job_page(job_id), reverse("admin:tasks_app_queues")):
        assert "<script>alert(1)" not in page.get(url).content.decode()


def test_it_cancels_a_queued_job_and_keeps_who_and_why(page, staff):
    job_id = get_task("cleanup_expired_sessions").delay()
    url = reverse("admin:tasks_app_job_cancel", args=[job_id])
    assert "Cancel this job?" in page.get(url).content.decode()
    assert state_of(job_id, staff) is JobState.QUEUED
    answer = page.post(url, {"reason": "not today"}, follow=True)
    assert state_of(job_id, staff) is JobState.CANCELLED
    assert "not today" in answer.content.decode()
    assert JobAction.objects.get(job_id=job_id, verb="cancel").user == staff


def test_it_says_so_when_a_job_to_cancel_has_ended(page, failed_id):
    answer = page.post(reverse("admin:tasks_app_job_cancel", args=[failed_id]), {"reason": ""}, follow=True)
    assert "already ended: Failed" in answer.content.decode()


def test_it_retries_a_failed_job_as_a_new_one(page, staff, failed_id):
    answer = page.post(reverse("admin:tasks_app_job_retry", args=[failed_id]), {"reason": "again"})
    new_id = answer["Location"].split("/")[-3]
    assert new_id != str(failed_id)
    retried = find_job(new_id, user=staff)
    assert retried is not None
    assert (retried.state, retried.retry_of, retried.args) == (JobState.QUEUED, failed_id, ["There is no van 424242."])


def test_it_says_so_when_a_job_to_retry_still_lives(page):
    job_id = get_task("cleanup_expired_sessions").delay()
    answer = page.post(reverse("admin:tasks_app_job_retry", args=[job_id]), {"reason": ""}, follow=True)
    assert "has not ended yet" in answer.content.decode()


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_it_refuses_to_act_for_staff_who_may_only_see(make_user, staff, verb):
    job_id = get_task("cleanup_expired_sessions").delay()
    client = staff_with(make_user, "view_job")
    text = client.get(job_page(job_id)).content.decode()
    assert reverse("admin:tasks_app_job_cancel", args=[job_id]) not in text
    url = reverse(f"admin:tasks_app_job_{verb}", args=[job_id])
    assert client.get(url).status_code == 403
    assert client.post(url, {"reason": "x"}).status_code == 403
    assert state_of(job_id, staff) is JobState.QUEUED


def test_it_refuses_everything_to_staff_without_permissions(make_user, failed_id):
    client = staff_with(make_user)
    urls = [reverse(JOBS), job_page(failed_id), reverse("admin:tasks_app_job_start")]
    urls.append(reverse("admin:tasks_app_job_start_task", args=["cleanup_expired_sessions"]))
    assert [client.get(url).status_code for url in urls] == [403] * 4
    assert client.post(urls[-1], {}).status_code == 403


def test_it_refuses_to_act_without_a_csrf_token(staff):
    client = Client(enforce_csrf_checks=True)
    client.force_login(staff)
    job_id = get_task("cleanup_expired_sessions").delay()
    assert client.post(reverse("admin:tasks_app_job_cancel", args=[job_id]), {"reason": "x"}).status_code == 403
    assert state_of(job_id, staff) is JobState.QUEUED


def test_it_lists_the_tasks_to_start_without_running_one(page):
    text = page.get(reverse("admin:tasks_app_job_start")).content.decode()
    assert "generate_device_report" in text
    assert not Job.objects.exists()


@pytest.mark.parametrize("name", ["os.system", "nonsense", "tasks_app.tasks.cleanup_tasks.nonsense"])
def test_it_knows_no_task_that_is_not_registered(page, name):
    assert page.get(reverse("admin:tasks_app_job_start_task", args=[name])).status_code == 404


def test_it_shows_queues_and_failures_on_the_overview(page, failed_id):
    text = page.get(reverse("admin:index")).content.decode()
    for expected in ("positions", "cleanup", "No worker", "There is no van 424242.", job_page(failed_id)):
        assert expected in text


def test_it_says_so_when_the_queue_server_does_not_answer(page, settings, monkeypatch):
    job_id = get_task("cleanup_expired_sessions").delay()
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "redis://127.0.0.1:1/0"}
    for module in ("tasks_app.queries.jobs.client", "tasks_app.services.jobs.actions.client"):
        monkeypatch.setattr(module, _nobody)
    for url in (reverse(JOBS), job_page(job_id)):
        answer = page.get(url)
        assert answer.status_code == 503
        assert "does not answer" in answer.content.decode()
    assert "does not answer" in page.get(reverse("admin:index")).content.decode()


def _nobody():
    """A real client of a port where nobody listens."""
    import redis

    return redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
