"""Tasks of the tasks framework (django.tasks) as jobs of the real queues: results, rows, control, and the pages of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
from django.db import transaction
from django.urls import reverse

from tasks_app.engine import (
    InvalidArguments,
    JobHandle,
    QueueUnavailable,
    TaskNotPermitted,
    enqueueing,
    get_task,
    handles,
)
from tasks_app.engine.connection import client
from tasks_app.engine.django_tasks.framework import (
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import find_job
from tasks_app.queries.task_rights import check_may_start
from tasks_app.services.jobs import cancel_job, retry_job, start_task
from tests.support.jobs import make_due, run_pending_jobs
from tests.support.signals import recorded_signals
from tests.support.third_party import tasks as third_party

pytestmark = pytest.mark.django_db(transaction=True)
MODULE = "tests.support.third_party.tasks"
BACKEND = {
    "BACKEND": "tasks_app.engine.django_tasks.EngineBackend",
    "QUEUES": ["default", "positions", "reports", "cleanup", "notifications"],
    "OPTIONS": {"QUEUE_ALIASES": {"default": "reports"}, "MODULES": [MODULE]},
}


@pytest.fixture(autouse=True)
def backends(settings):
    settings.TASKS = {"default": BACKEND}


class Away:
    def __getattr__(self, name):
        raise redis.ConnectionError("away")


def test_a_result_follows_its_job_from_the_queue_to_its_row(run_jobs):
    result = third_party.add.enqueue(2, b=3)
    waiting = third_party.add.get_result(result.id)
    assert (waiting.status, waiting.args, waiting.kwargs, waiting.attempts) == (
        TaskResultStatus.READY,
        [2],
        {"b": 3},
        0,
    )
    assert (waiting.started_at, waiting.finished_at, waiting.last_attempted_at) == (None, None, None)
    assert waiting == result
    assert waiting.task == third_party.add
    run_jobs()
    done = third_party.add.get_result(result.id)
    row = Job.objects.get(pk=result.id)
    assert (row.task, row.queue, row.state, row.result) == (f"{MODULE}.add", "reports", "succeeded", 5)
    assert (done.status, done.return_value, done.attempts) == (TaskResultStatus.SUCCESSFUL, 5, 1)
    assert (done.enqueued_at, done.started_at, done.finished_at) == (row.created_at, row.started_at, row.finished_at)
    assert done.worker_ids == [f"{row.worker_host}:{row.worker_pid}"]


def test_a_running_job_says_so():
    seen = []

    def ask(task_result, **_):
        seen.append(third_party.add.get_result(task_result.id))

    task_started.connect(ask)
    try:
        third_party.add.enqueue(1)
        run_pending_jobs()
    finally:
        task_started.disconnect(ask)
    (running,) = seen
    assert (running.status, running.attempts, running.finished_at) == (TaskResultStatus.RUNNING, 1, None)
    assert running.started_at == running.last_attempted_at is not None
    assert len(running.worker_ids) == 1


def test_a_job_that_waits_for_another_attempt_is_ready_with_its_errors(run_jobs):
    result = third_party.succeed_at.enqueue(2)
    run_jobs()
    waiting = third_party.succeed_at.get_result(result.id)
    assert (waiting.status, waiting.attempts, waiting.is_finished) == (TaskResultStatus.READY, 1, False)
    assert [error.exception_class for error in waiting.errors] == [LookupError]
    assert waiting.task.run_after is None
    assert waiting.started_at == waiting.last_attempted_at is not None


def test_later_and_by_priority(run_jobs):
    later = datetime.now(UTC) + timedelta(hours=1)
    delayed = third_party.add.using(run_after=later, priority=-100).enqueue(1)
    assert abs(third_party.add.get_result(delayed.id).task.run_after - later) < timedelta(milliseconds=2)
    low, high = third_party.echo.using(priority=-5).enqueue("low"), third_party.echo.enqueue("high")
    order = []
    task_started.connect(note := lambda task_result, **_: order.append(task_result.id))
    run_jobs()
    task_started.disconnect(note)
    assert order == [high.id, low.id]
    assert Job.objects.get(pk=low.id).priority == "low"


def test_coroutines_query_the_database(run_jobs):
    result = third_party.query_in_coroutine.enqueue()
    run_jobs()
    result.refresh()
    assert result.return_value == 42


def test_a_transaction_left_open_fails_and_its_signal_says_so(run_jobs):
    with recorded_signals(task_finished) as sent:
        result = third_party.leave_transaction_open.enqueue()
        run_jobs()
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert [one["task_result"].status for one in sent[task_finished]] == [TaskResultStatus.FAILED]
    assert result.errors[-1].exception_class_path == "tasks_app.engine.errors.TransactionLeftOpen"


def test_a_job_cancelled_while_it_waits_has_failed(run_jobs, staff):
    result = third_party.add.enqueue(1)
    with recorded_signals(task_started, task_finished) as sent:
        cancel_job(job_id=result.id, user=staff, reason="enough")
        run_jobs()
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 0)
    assert [error.exception_class.__name__ for error in result.errors] == ["JobCancelled"]
    assert sent[task_started] == []
    (finished,) = sent[task_finished]
    assert (finished["task_result"].id, finished["task_result"].status) == (result.id, TaskResultStatus.FAILED)


def test_a_job_whose_worker_died_three_times_has_failed(run_jobs):
    queue = JobQueue("positions", client())
    result = third_party.sleep.enqueue(0)
    with recorded_signals(task_finished) as sent:
        for _ in range(3):
            make_due("positions")
            queue.promote()
            queue.fetch("dead", 10)
            queue.recover("dead", "was killed by SIGSEGV", dead_after_seconds=0, running=[result.id])
        run_jobs()
    result.refresh()
    assert (result.status, result.attempts, result.worker_ids) == (TaskResultStatus.FAILED, 3, ["lost"] * 3)
    assert result.errors[-1].exception_class.__name__ == "JobLost"
    assert [one["task_result"].id for one in sent[task_finished]] == [result.id]


def test_jobs_that_do_not_exist():
    for result_id in ("123", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(TaskResultDoesNotExist):
            third_party.add.get_result(result_id)


def test_a_job_whose_function_is_not_declared_here_any_more(run_jobs):
    result = third_party.add.enqueue(1)
    run_jobs()
    Job.objects.filter(pk=result.id).update(task="gone.tasks.add")
    with pytest.raises(TaskResultDoesNotExist, match="is a job of gone"):
        third_party.add.get_result(result.id)


def test_while_redis_is_away(run_jobs, monkeypatch):
    ended = third_party.add.enqueue(1)
    run_jobs()
    waiting = third_party.add.enqueue(1)
    for module in (handles, enqueueing):
        monkeypatch.setattr(module, "client", Away)
    assert third_party.add.get_result(ended.id).return_value == 2
    with pytest.raises(QueueUnavailable):
        third_party.add.get_result(waiting.id)
    with recorded_signals(task_enqueued) as sent, pytest.raises((QueueUnavailable, redis.RedisError)):
        third_party.add.enqueue(1)
    assert sent[task_enqueued] == []


def test_secrets_of_an_ended_job_are_hidden_as_in_its_row(run_jobs):
    result = third_party.echo.enqueue(password="correct horse")
    assert third_party.echo.get_result(result.id).kwargs == {"password": "correct horse"}
    run_jobs()
    assert "correct horse" not in str(third_party.echo.get_result(result.id).kwargs)


# --- Commits ---


def test_within_a_transaction_a_job_is_made_at_once():
    with transaction.atomic():
        result = third_party.add.enqueue(1)
        assert JobHandle(result.id).state == "queued"


def test_with_the_option_a_job_is_made_at_the_commit(settings):
    settings.TASKS = {"default": {**BACKEND, "OPTIONS": {**BACKEND["OPTIONS"], "ENQUEUE_ON_COMMIT": True}}}
    with recorded_signals(task_enqueued) as sent:
        with transaction.atomic():
            result = third_party.add.enqueue(1)
            assert result.enqueued_at is None
            with pytest.raises(TaskResultDoesNotExist):
                third_party.add.get_result(result.id)
            assert sent[task_enqueued] == []
        assert third_party.add.get_result(result.id).status == TaskResultStatus.READY
        assert result.enqueued_at is not None
        assert [one["task_result"] for one in sent[task_enqueued]] == [result]
        with transaction.atomic():
            undone = third_party.add.enqueue(1)
            transaction.set_rollback(True)
        with pytest.raises(TaskResultDoesNotExist):
            third_party.add.get_result(undone.id)


# --- People ---


def test_a_person_retries_on_the_queue_where_the_job_was(run_jobs, staff, make_user):
    result = third_party.add.using(queue_name="cleanup").enqueue(4)
    run_jobs()
    with pytest.raises(TaskNotPermitted):
        check_may_start(make_user(is_staff=True), get_task(f"{MODULE}.add"), [4], {})
    again = retry_job(job_id=result.id, user=staff)
    run_jobs()
    row = Job.objects.get(pk=again)
    assert (row.queue, row.result, str(row.retry_of)) == ("cleanup", 5, result.id)


def test_nobody_starts_one_or_puts_one_on_a_schedule(staff, staff_api):
    with pytest.raises(TaskNotPermitted, match="Only code starts"):
        start_task(task_name=f"{MODULE}.add", args=[1], user=staff)
    body = {"name": "x", "task": f"{MODULE}.add", "args": [1], "cron": "0 0 * * *"}
    assert staff_api.post("/api/tasks/schedules/", body, format="json").status_code in (400, 403, 404)
    from django_q.tasks import schedule

    with pytest.raises(InvalidArguments, match="may not be put on a schedule"):
        schedule(f"{MODULE}.add", 1)


def test_pages_and_api_show_the_path(run_jobs, staff, staff_api, client):
    client.force_login(staff)
    result = third_party.add.enqueue(1)
    assert find_job(result.id, user=staff).task == f"{MODULE}.add"
    assert staff_api.get(f"/api/tasks/task/{result.id}").json()["task"] == f"{MODULE}.add"
    run_jobs()
    assert staff_api.get(f"/api/tasks/?task={MODULE}.add").json()["results"][0]["task_id"] == result.id
    jobs = client.get(reverse("admin:tasks_app_job_changelist"), {"task": f"{MODULE}.add"}).content.decode()
    assert result.id in jobs
    assert f"{MODULE}.add" not in client.get(reverse("admin:tasks_app_job_start")).content.decode()
    assert client.get(reverse("admin:tasks_app_job_start_task", args=[f"{MODULE}.add"])).status_code == 403
