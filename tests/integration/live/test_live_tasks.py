"""/ws/tasks/: a job's progress and the figures of queues, live, for those who may see them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tasks_app.services.jobs import cancel_job, start_task
from tests.support.web import running_web, session_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def web(django_db_setup, tmp_path_factory):
    with running_web(tmp_path_factory.mktemp("web")) as server:
        yield server


def of_queue(message: dict, name: str) -> dict:
    return next((queue for queue in message.get("queues", []) if queue["name"] == name), {})


def test_a_job_is_followed_until_it_has_ended(web, staff, run_jobs):
    job_id = start_task(task_name="cleanup_cache", user=staff)
    live = web.live(session=session_of(staff), path=f"/ws/tasks/?task_id={job_id}")
    (first,) = live.next()["jobs"]
    assert (first["task_id"], first["state"], first["task"]) == (str(job_id), "queued", "cleanup_cache")
    run_jobs()
    ended = live.until(lambda message: message.get("jobs", [{}])[0].get("state") == "succeeded")
    assert list(ended) == ["type", "jobs"]
    assert live.close_code() == 1000


def test_queues_are_sent_when_they_change(web, staff):
    live = web.live(session=session_of(staff), path="/ws/tasks/?queues=true")
    assert of_queue(live.next(), "cleanup")["depth"] == 0
    job_id = start_task(task_name="cleanup_cache", user=staff)
    live.until(lambda message: of_queue(message, "cleanup").get("depth") == 1)
    cancel_job(job_id=job_id, user=staff)
    live.until(lambda message: of_queue(message, "cleanup").get("depth") == 0)


def test_nobody_sees_jobs_of_others_and_members_of_nothing_see_no_queues(web, staff, operator, charlie):
    job_id = start_task(task_name="cleanup_cache", user=staff)
    stranger = web.live(session=session_of(charlie), path=f"/ws/tasks/?task_id={job_id}&queues=true")
    message = stranger.next()
    assert (message["jobs"][0]["state"], message["jobs"][0]["task"], message["queues"]) == ("not_found", "", [])
    member = web.live(session=session_of(operator), path="/ws/tasks/?queues=true")
    member.until(lambda message: of_queue(message, "cleanup").get("depth") == 1)


@pytest.mark.parametrize(
    "query",
    ["", "task_id=7", "queues=false", "colour=red", "task_id=", "&".join(f"task_id={uuid4()}" for _ in range(51))],
    ids=["nothing", "no uuid", "false", "unknown", "empty", "too many"],
)
def test_an_address_that_asks_for_nothing_or_too_much_is_closed(query, web, staff):
    assert web.live(session=session_of(staff), path=f"/ws/tasks/?{query}").close_code() == 4400


def test_without_a_log_in_nothing_is_said(web):
    live = web.live(path=f"/ws/tasks/?task_id={uuid4()}")
    assert live.next()["type"] == "authenticate"
    assert live.close_code() == 4401
