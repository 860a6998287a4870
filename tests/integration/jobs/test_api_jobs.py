"""Jobs through the API: list, detail, cancel, retry, queues, figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from tasks_app.models import Job, JobAction
from tasks_app.services.jobs.actions import start_task
from tests.support.rights import api_of, give

pytestmark = pytest.mark.django_db


@pytest.fixture
def make_job():
    def make(**fields) -> Job:
        values = {
            "id": uuid4(),
            "task": "update_device_status",
            "queue": "positions",
            "state": "succeeded",
            "created_at": timezone.now(),
            "finished_at": timezone.now(),
            "attempt_count": 1,
            "args": [1],
            "worker_host": "one",
        }
        return Job.objects.create(**{**values, **fields})

    return make


def ids(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [job["task_id"] for job in response.json()["results"]]


def test_it_follows_a_job_from_queued_to_succeeded(api, operator, device, run_jobs):
    accepted = api.post("/api/tasks/position/status", {"device_id": device.pk}, format="json")
    assert accepted.status_code == 202
    assert accepted["Location"] == accepted.json()["status_url"]
    waiting = api.get(accepted.json()["status_url"]).json()
    assert (waiting["state"], waiting["task"], waiting["requested_by"]) == (
        "queued",
        "update_device_status",
        operator.pk,
    )
    run_jobs("positions")
    done = api.get(accepted.json()["status_url"]).json()
    assert (done["state"], done["attempt_count"], done["args"]) == ("succeeded", 1, [device.pk, None])
    assert done["created_at"].endswith("Z")
    assert done["run_seconds"] >= 0
    assert JobAction.objects.get(job_id=done["task_id"]).verb == "start"
    assert api.get(f"/api/tasks/task/{done['task_id'].upper()}").json() == done


def test_it_lists_live_and_finished_jobs_by_filter(staff_api, staff, make_job):
    failed = make_job(
        state="failed", task="cleanup_cache", queue="cleanup", requested_by_id=staff.pk, worker_host="two"
    )
    make_job(created_at=timezone.now() - timedelta(days=2))
    queued = start_task(task_name="cleanup_expired_sessions", user=staff)
    assert len(ids(staff_api.get("/api/tasks/"))) == 3
    assert ids(staff_api.get("/api/tasks/?state=failed")) == [str(failed.pk)]
    assert ids(staff_api.get("/api/tasks/?state=FAILURE")) == [str(failed.pk)]
    assert ids(staff_api.get("/api/tasks/?state=PENDING")) == [str(queued)]
    assert set(ids(staff_api.get("/api/tasks/?queue=cleanup"))) == {str(failed.pk), str(queued)}
    for state in ("", "&state=queued", "&state=running", "&state=scheduled"):
        assert ids(staff_api.get(f"/api/tasks/?queue=there-is-none{state}")) == []
    assert ids(staff_api.get("/api/tasks/?task=cleanup_cache")) == [str(failed.pk)]
    assert ids(staff_api.get("/api/tasks/?worker=two")) == [str(failed.pk)]
    assert set(ids(staff_api.get(f"/api/tasks/?requested_by={staff.pk}"))) == {str(failed.pk), str(queued)}
    assert ids(staff_api.get("/api/tasks/?search=cleanup_cache")) == [str(failed.pk)]
    yesterday = (timezone.now() - timedelta(days=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(ids(staff_api.get(f"/api/tasks/?created_after={yesterday}"))) == 2


def test_it_pages_through_all_jobs_once(staff_api, make_job):
    at = timezone.now()
    made = {str(make_job(finished_at=at).pk) for _number in range(7)}
    seen: list[str] = []
    url = "/api/tasks/?limit=3"
    for _page in range(3):
        page = staff_api.get(url)
        seen += ids(page)
        url = page.json()["next"]
    assert url is None
    assert (len(seen), set(seen)) == (7, made)


def test_others_jobs_do_not_exist_for_those_who_are_not_staff(api, operator, charlie, device, make_job):
    foreign = make_job(requested_by_id=charlie.pk, args=[device.pk])
    own = make_job(requested_by_id=operator.pk, args=[device.pk])
    assert ids(api.get("/api/tasks/")) == [str(own.pk)]
    assert ids(api.get(f"/api/tasks/?requested_by={charlie.pk}")) == []
    for address in ("", "/cancel", "/retry"):
        method = api.post if address else api.get
        response = method(f"/api/tasks/task/{foreign.pk}{address}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert api.get(f"/api/tasks/task/{uuid4()}").status_code == 404


def test_it_cancels_a_waiting_job_and_again_is_fine(api, device):
    url = api.post("/api/tasks/position/status", {"device_id": device.pk}, format="json").json()["status_url"]
    for _time in range(2):
        response = api.post(f"{url}/cancel", {"reason": "wrong device"}, format="json")
        assert (response.status_code, response.json()["state"]) == (200, "cancelled")
    assert api.get(url).json()["state"] == "cancelled"
    assert JobAction.objects.get(verb="cancel").reason == "wrong device"


def test_it_names_the_state_in_which_a_job_cannot_be_cancelled_or_retried(staff_api, staff, make_job):
    done = make_job()
    response = staff_api.post(f"/api/tasks/task/{done.pk}/cancel", {}, format="json")
    assert (response.status_code, response.json()["code"], response.json()["state"]) == (
        409,
        "job_already_finished",
        "succeeded",
    )
    live = start_task(task_name="cleanup_expired_sessions", user=staff)
    response = staff_api.post(f"/api/tasks/task/{live}/retry", {}, format="json")
    assert (response.status_code, response.json()["code"], response.json()["state"]) == (
        409,
        "job_still_live",
        "queued",
    )


def test_it_retries_a_failed_job_as_a_new_one(staff_api, make_job):
    failed = make_job(state="failed", task="cleanup_expired_sessions", queue="cleanup", args=[])
    response = staff_api.post(f"/api/tasks/task/{failed.pk}/retry", {"reason": "fixed"}, format="json")
    assert response.status_code == 202
    assert response.json()["retry_of"] == str(failed.pk)
    assert staff_api.get(response.json()["status_url"]).json()["retry_of"] == str(failed.pk)


def test_it_says_when_a_job_cannot_be_made_again(staff_api, make_job):
    gone = make_job(state="failed", task="a_task_of_the_past", args=[])
    response = staff_api.post(f"/api/tasks/task/{gone.pk}/retry", {}, format="json")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_task")


def test_changing_others_jobs_needs_the_permission(make_user, staff, operator, make_job):
    helper = give(make_user(is_staff=True), "tasks_app.view_job")
    client = api_of(helper)
    live = start_task(task_name="cleanup_expired_sessions", user=staff)
    done = make_job(state="failed", task="cleanup_expired_sessions", queue="cleanup", args=[])
    assert client.get(f"/api/tasks/task/{live}").status_code == 200
    assert client.post(f"/api/tasks/task/{live}/cancel", {}, format="json").status_code == 403
    assert client.post(f"/api/tasks/task/{done.pk}/retry", {}, format="json").status_code == 403
    client = api_of(give(helper, "tasks_app.view_job", "tasks_app.cancel_job"))
    assert client.post(f"/api/tasks/task/{live}/cancel", {}, format="json").status_code == 200
    assert client.post(f"/api/tasks/task/{done.pk}/retry", {}, format="json").status_code == 403
    client = api_of(give(helper, "tasks_app.view_job", "tasks_app.retry_job"))
    assert client.post(f"/api/tasks/task/{done.pk}/retry", {}, format="json").json()["code"] == "task_not_permitted"
    client = api_of(give(helper, "tasks_app.view_job", "tasks_app.retry_job", "sessions.delete_session"))
    assert client.post(f"/api/tasks/task/{done.pk}/retry", {}, format="json").status_code == 202


def test_who_is_not_staff_cannot_retry_not_even_own_jobs(api, operator, device, make_job):
    own = make_job(state="failed", requested_by_id=operator.pk, args=[device.pk])
    assert api.post(f"/api/tasks/task/{own.pk}/retry", {}, format="json").status_code == 403


def test_it_tells_how_queues_stand(api, staff):
    start_task(task_name="cleanup_expired_sessions", user=staff)
    start_task(task_name="cleanup_expired_sessions", user=staff, countdown=100)
    queues = {queue["name"]: queue for queue in api.get("/api/tasks/queues").json()["results"]}
    assert list(queues) == ["positions", "reports", "cleanup", "notifications"]
    cleanup = queues["cleanup"]
    assert (cleanup["depth"], cleanup["scheduled"], cleanup["running"], cleanup["paused"]) == (1, 1, 0, False)
    assert cleanup["oldest_age_seconds"] >= 0


def test_it_tells_the_overall_state(api, make_job):
    make_job()
    make_job(state="failed")
    make_job(finished_at=timezone.now() - timedelta(days=2))
    body = api.get("/api/tasks/status").json()
    assert body["last_24_hours"] == {"succeeded": 1, "failed": 1, "cancelled": 0}
    assert (body["workers"], len(body["queues"])) == (0, 4)


def test_it_computes_figures_per_task(staff_api, make_job):
    for seconds in range(1, 101):
        make_job(run_seconds=seconds, wait_seconds=0.5)
    make_job(state="failed", attempt_count=5)
    make_job(finished_at=timezone.now() - timedelta(hours=3), run_seconds=9999)
    body = staff_api.get("/api/tasks/stats?hours=2").json()
    (figures,) = body["tasks"]
    assert (figures["runs"], figures["succeeded"], figures["failures"], figures["retried"]) == (101, 100, 1, 1)
    assert figures["run_seconds"] == {"p50": 50.5, "p95": pytest.approx(95.05), "p99": pytest.approx(99.01)}
    assert figures["wait_seconds"]["p50"] == 0.5
    assert body["step_seconds"] == 60
    assert sum(point["succeeded"] for point in body["throughput"]) == 100
    assert datetime.fromisoformat(body["throughput"][0]["start"]).second == 0


def test_it_has_no_figures_without_jobs(staff_api):
    body = staff_api.get("/api/tasks/stats").json()
    del body["storage"]
    assert body == {"hours": 24, "step_seconds": 600, "tasks": [], "throughput": []}


def test_it_lists_a_bounded_number_of_queries(staff_api, make_job, django_assert_num_queries):
    for _number in range(20):
        make_job()
    with django_assert_num_queries(1):
        assert len(ids(staff_api.get("/api/tasks/?limit=20"))) == 20
