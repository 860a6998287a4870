"""Queues, many jobs at once and run-now through the API: what they do, who may, and bad input."""

from __future__ import annotations

from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from tasks_app.engine import connection as engine_connection
from tasks_app.engine import get_task
from tasks_app.engine.clusters.orders import take_orders
from tasks_app.engine.config import engine_config
from tasks_app.engine.consumers import describe_worker
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job, JobAction, QueueAction
from tests.support.probe.tasks import probe_fail_for_good
from tests.support.rights import api_client_with

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN_ID = "5ad0f1a6-8b7f-4f0e-9d6c-1f2f63b2f5a1"
CLEANUP = "cleanup_expired_sessions"
QUEUE_STEPS = {"pause": "pause_queue", "resume": "pause_queue", "purge": "purge_queue"}
BULK_STEPS = {"cancel": "cancel_job", "retry": "retry_job", "run-now": "run_job_now"}


def post(client: APIClient, path: str, body: object = None):
    return client.post(f"/api/tasks/{path}", {} if body is None else body, format="json")


def queue_of(client: APIClient, name: str) -> dict:
    return next(queue for queue in client.get("/api/tasks/queues").json()["results"] if queue["name"] == name)


# --- Queues ---


def test_it_pauses_resumes_and_purges_a_queue(staff_api, staff):
    get_task(CLEANUP).delay()
    get_task(CLEANUP).apply_async(countdown=99)
    assert post(staff_api, "queues/cleanup/pause", {"reason": "upgrade"}).json() == {"name": "cleanup", "paused": True}
    assert queue_of(staff_api, "cleanup")["paused"]
    assert post(staff_api, "queues/cleanup/resume").json() == {"name": "cleanup", "paused": False}
    assert not queue_of(staff_api, "cleanup")["paused"]
    assert post(staff_api, "queues/cleanup/purge").json() == {"name": "cleanup", "cancelled": 2}
    assert Job.objects.filter(state="cancelled").count() == 2
    found = QueueAction.objects.order_by("pk").values_list("verb", "user", "reason", "job_count")
    assert list(found) == [("pause", staff.pk, "upgrade", 0), ("resume", staff.pk, "", 0), ("purge", staff.pk, "", 2)]


@pytest.mark.parametrize("step", QUEUE_STEPS)
def test_queues_are_controlled_by_staff_with_the_permission(step, api, make_user):
    path = f"queues/cleanup/{step}"
    other = {*QUEUE_STEPS.values(), *BULK_STEPS.values(), "change_job", "delete_job"} - {QUEUE_STEPS[step]}
    assert post(APIClient(), path).status_code == 401
    assert post(api, path).status_code == 403
    assert post(api_client_with(make_user, "view_job", *other), path).status_code == 403
    assert not QueueAction.objects.exists()
    assert post(api_client_with(make_user, QUEUE_STEPS[step]), path).status_code == 200


@pytest.mark.parametrize("step", QUEUE_STEPS)
def test_it_answers_404_for_unknown_queues_and_400_to_bad_bodies(step, staff_api):
    for name in ("nonsense", "%00", "positions%2F..", "x" * 300):
        assert post(staff_api, f"queues/{name}/{step}").status_code == 404
    assert post(staff_api, "queues/nonsense/" + step).json()["code"] == "unknown_queue"
    for body in ({"reason": 5}, {"reason": "x" * 501}, {"reason": "a\x00"}, {"why": "x"}, []):
        assert post(staff_api, f"queues/cleanup/{step}", body).status_code == 400
    assert not QueueAction.objects.exists()


# --- Tasks, workers, clusters ---


def test_it_pauses_and_resumes_one_task(staff_api, staff, run_jobs):
    get_task(CLEANUP).delay()
    path = f"queues/cleanup/tasks/{CLEANUP}"
    answer = post(staff_api, f"{path}/pause", {"reason": "a look first"})
    assert answer.json() == {"queue": "cleanup", "task": CLEANUP, "paused": True}
    run_jobs("cleanup")
    found = queue_of(staff_api, "cleanup")
    assert (found["paused_tasks"], found["depth"], found["paused"]) == ({CLEANUP: 1}, 1, False)
    assert post(staff_api, f"{path}/resume").json()["paused"] is False
    assert run_jobs("cleanup") == 1
    assert queue_of(staff_api, "cleanup")["paused_tasks"] == {}
    last_hour = queue_of(staff_api, "cleanup")["last_hour"]
    assert (sum(last_hour["finished"]), sum(last_hour["failed"])) == (1, 0)
    assert last_hour["run_seconds"]["p95"] >= 0
    for wrong in (f"queues/reports/tasks/{CLEANUP}/pause", "queues/cleanup/tasks/nonsense/pause"):
        assert post(staff_api, wrong).json()["code"] == "unknown_task"
    assert QueueAction.objects.filter(subject=CLEANUP).count() == 2


def test_it_gives_orders_to_workers_and_clusters(staff_api):
    queue = JobQueue("cleanup", engine_connection.client())
    names = [f"host-a:7:cleanup:{number}:x" for number in range(2)]
    queue.beat({name: describe_worker(1, "", most_workers=2) for name in names})
    worker = staff_api.get("/api/tasks/workers").json()["results"][0]
    assert (worker["mode"], worker["cluster"], worker["most_workers"], worker["lanes"]) == (
        "working",
        "host-a:7",
        2,
        [],
    )
    for verb in ("quiet", "wake", "stop"):
        answer = post(staff_api, f"workers/{names[0]}/{verb}")
        assert (answer.status_code, answer.json()) == (202, {"order": verb, "worker": names[0]})
    assert post(staff_api, "clusters/host-a:7/cleanup/shrink").status_code == 202
    refused = post(staff_api, "clusters/host-a:7/cleanup/grow")
    assert (refused.status_code, refused.json()["code"]) == (409, "worker_limit")
    assert [line.split(b'"')[3] for line in take_orders(queue.client, queue.keys, "host-a:7")] == [
        b"quiet", b"wake", b"stop", b"shrink",
    ]  # fmt: skip
    for wrong in ("workers/nobody/stop", "clusters/host-b:1/cleanup/grow", "clusters/host-a:7/nonsense/grow"):
        assert post(staff_api, wrong).json()["code"] == "unknown_worker"


# --- Many jobs ---


def test_it_counts_and_cancels_by_ids_and_by_filter(staff_api, run_jobs):
    ended = get_task(CLEANUP).delay()
    run_jobs("cleanup")
    ids = [str(get_task(CLEANUP).delay()) for _ in range(3)]
    body = {"ids": [ids[0], str(ended)], "reason": "no need", "dry_run": True}
    counts = post(staff_api, "cancel", body)
    assert counts.status_code == 200
    assert counts.json()["changed"] == [{"state": "queued", "count": 1, "more": False}]
    left = {"state": "succeeded", "count": 1, "more": False, "code": "job_already_finished"}
    assert counts.json()["skipped"] == [{**left, "reason": "The job has ended already."}]
    assert not JobAction.objects.exists()
    answer = post(staff_api, "cancel", {**body, "dry_run": False})
    assert (answer.status_code, answer.json()["task"], answer.json()["queue"]) == (202, "change_jobs", "cleanup")
    # It goes first: the clean-ups that it is to cancel are on its queue.
    run_jobs("cleanup")
    result = staff_api.get(answer.json()["status_url"]).json()["result"]
    assert (result["changed"], result["skipped_ids"]) == (1, {"job_already_finished": [str(ended)]})
    assert Job.objects.get(pk=ids[0]).state == "cancelled"
    scheduled = [get_task(CLEANUP).apply_async(countdown=99) for _ in range(2)]
    answer = post(staff_api, "cancel", {"filter": {"queue": "cleanup"}})
    run_jobs("cleanup")
    assert Job.objects.filter(pk__in=scheduled, state="cancelled").count() == 2
    assert JobAction.objects.filter(verb="cancel").count() == 3


def test_it_retries_failed_jobs_by_filter_and_says_what_became_of_each(staff_api, run_jobs):
    failed = probe_fail_for_good.delay("broken")
    run_jobs("positions")
    post(staff_api, "retry", {"filter": {"task": "probe_fail_for_good"}})
    run_jobs("cleanup")
    assert run_jobs("positions") == 1
    again = Job.objects.get(retry_of=failed)
    assert again.state == "failed"
    assert staff_api.get(f"/api/tasks/task/{failed}").json()["retried_as"] == [str(again.pk)]
    assert staff_api.get(f"/api/tasks/task/{again.pk}").json()["retry_of"] == str(failed)


def test_it_changes_the_priority_of_what_waits(staff_api, run_jobs, api, make_user, device):
    job_id = get_task(CLEANUP).delay()
    answer = post(staff_api, f"task/{job_id}/priority", {"priority": "high", "reason": "someone waits"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"task_id": str(job_id), "state": "queued", "priority": "high"},
    )
    assert JobAction.objects.get().reason == "someone waits"
    for body in ({}, {"priority": "urgent"}, {"priority": 5}, {"priority": "low", "x": 1}, []):
        assert post(staff_api, f"task/{job_id}/priority", body).status_code == 400
    assert post(api, f"task/{job_id}/priority", {"priority": "low"}).status_code == 403
    assert (
        post(api_client_with(make_user, "view_job"), f"task/{job_id}/priority", {"priority": "low"}).status_code == 403
    )
    assert post(staff_api, f"task/{uuid4()}/priority", {"priority": "low"}).status_code == 404
    run_jobs("cleanup")
    refused = post(staff_api, f"task/{job_id}/priority", {"priority": "low"})
    assert (refused.status_code, refused.json()["code"], refused.json()["state"]) == (
        409,
        "job_not_waiting",
        "succeeded",
    )
    laned = get_task("process_position_batch").delay([{"device_id": device.unique_id}])
    refused = post(staff_api, f"task/{laned}/priority", {"priority": "low"})
    assert (refused.status_code, refused.json()["code"]) == (409, "priority_not_changeable")


@pytest.mark.parametrize("path", BULK_STEPS)
def test_many_jobs_are_changed_by_staff_with_the_permission(path, api, make_user):
    body = {"ids": [str(uuid4())]}
    assert post(APIClient(), path, body).status_code == 401
    assert post(api, path, body).status_code == 403
    others = {*BULK_STEPS.values(), "pause_queue", "change_job", "delete_job"} - {BULK_STEPS[path]}
    assert post(api_client_with(make_user, "view_job", *others), path, body).status_code == 403
    answer = post(api_client_with(make_user, BULK_STEPS[path]), path, {**body, "dry_run": True})
    assert (answer.status_code, answer.json()["skipped"][0]["code"]) == (200, "not_found")
    assert post(api_client_with(make_user, BULK_STEPS[path]), path, body).status_code == 202


@pytest.mark.parametrize("path", ["cancel", "retry"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": ["x"]},
        {"ids": "x"},
        {"ids": [str(uuid4())] * 1001},
        {"ids": [str(uuid4())], "filter": {"queue": "cleanup"}},
        {"filter": {}},
        {"filter": {"state": "sleeping"}},
        {"filter": {"colour": "red"}},
        {"filter": {"search": "\x00"}},
        {"filter": {"requested_by": True}},
        {"filter": 5},
        {"filter": {"queue": "cleanup"}, "reason": 5},
        {"filter": {"queue": "cleanup"}, "dry_run": "maybe"},
        {"filter": {"search": "after:never"}},
        [],
    ],
)
def test_it_answers_400_to_bad_selections(path, body, staff_api):
    get_task(CLEANUP).delay()
    answer = post(staff_api, path, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not JobAction.objects.exists()


# --- Run now ---


def test_it_runs_a_scheduled_job_now_and_says_when_it_cannot(staff_api, run_jobs):
    job_id = get_task(CLEANUP).apply_async(countdown=999)
    answer = post(staff_api, f"task/{job_id}/run-now", {"reason": "urgent"})
    assert (answer.status_code, answer.json()) == (200, {"task_id": str(job_id), "state": "queued"})
    answer = post(staff_api, f"task/{job_id}/run-now")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "job_not_waiting", "queued")
    assert run_jobs("cleanup") == 1
    assert JobAction.objects.get().verb == "run_now"


def test_run_now_is_for_staff_with_the_permission(api, make_user):
    path = f"task/{get_task(CLEANUP).apply_async(countdown=999)}/run-now"
    assert post(api, path).status_code == 403
    assert post(api_client_with(make_user, "view_job", "change_job", "cancel_job"), path).status_code == 403
    helper = api_client_with(make_user, "view_job", "run_job_now")
    assert post(helper, path).json()["code"] == "task_not_permitted"
    helper = api_client_with(make_user, "view_job", "run_job_now", "delete_session")
    assert post(helper, path, {"reason": 5}).status_code == 400
    assert post(helper, f"task/{uuid4()}/run-now").status_code == 404
    assert post(helper, path).status_code == 200


def test_it_tells_priority_and_log_of_a_job(staff_api, run_jobs):
    job_id = get_task(CLEANUP).apply_async(priority="high")
    run_jobs("cleanup")
    Job.objects.filter(pk=job_id).update(logs=["line 1"])
    job = staff_api.get(f"/api/tasks/task/{job_id}").json()
    assert (job["priority"], job["logs"]) == ("high", ["line 1"])


# --- Redis away ---


@pytest.fixture
def redis_down(settings):
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": "unix:///nonexistent/redis.sock"}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()
    yield
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "redis": settings.REDIS_URL}
    engine_config.cache_clear()
    engine_connection._client_of_process.cache_clear()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/tasks/"),
        ("get", "/api/tasks/?state=queued"),
        ("get", "/api/tasks/status"),
        ("get", "/api/tasks/queues"),
        ("get", "/api/tasks/workers"),
        ("get", f"/api/tasks/task/{UNKNOWN_ID}"),
        ("post", f"/api/tasks/task/{UNKNOWN_ID}/cancel"),
        ("post", f"/api/tasks/task/{UNKNOWN_ID}/run-now"),
        ("post", "/api/tasks/queues/cleanup/pause"),
        ("post", "/api/tasks/queues/cleanup/purge"),
    ],
)
def test_it_answers_503_with_its_code_while_redis_is_down(redis_down, staff_api, method, path):
    answer = getattr(staff_api, method)(path, {} if method == "post" else None, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
    assert answer["Retry-After"]
