"""Groups and chains in the API, the admin and the shell: seen, cancelled and retried like jobs."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse

from tasks_app.engine import JobHandle, JobState, chain, chord, group
from tasks_app.engine.connection import client
from tasks_app.engine.workers.worker import Worker
from tasks_app.exceptions import JobNotRepeatable
from tasks_app.models import Job
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs
from tasks_app.services.jobs import cancel_job, retry_job, run_job_now
from tests.integration.jobs.test_groups import remaining_keys, settle
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def read(api, job_id) -> dict:
    response = api.get(f"/api/tasks/task/{job_id}")
    assert response.status_code == 200, response.content
    return response.json()


def results(api, query: str) -> list[dict]:
    response = api.get(f"/api/tasks/?{query}")
    assert response.status_code == 200, response.content
    return response.json()["results"]


def test_the_api_shows_a_group_as_a_job(staff_api, staff, run_jobs):
    job = probe.probe_part.enqueue_group([(1,), (2,), (3,)], indexes=[[0], [1], [2]], requested_by=staff)
    waiting = read(staff_api, job)
    assert (waiting["state"], waiting["kind"], waiting["progress"]) == (
        "running",
        "group",
        {"current": 0, "total": 3, "message": ""},
    )
    assert [one["task_id"] for one in results(staff_api, "state=running")] == [str(job)]
    members = results(staff_api, f"parent_id={job}")
    assert [(one["member_index"], one["state"], one["parent_id"]) for one in members] == [
        (index, "queued", str(job)) for index in range(3)
    ]
    run_jobs()
    done = read(staff_api, job)
    assert (done["state"], done["kind"], done["result"]) == ("succeeded", "group", {"0": 1, "1": 2, "2": 3})
    assert (done["progress"]["current"], done["requested_by"]) == (3, staff.pk)
    assert [one["state"] for one in results(staff_api, f"parent_id={job}")] == ["succeeded"] * 3
    assert {str(job)} < {one["task_id"] for one in results(staff_api, "task=probe_part")}


def test_members_are_listed_in_pages_in_their_order(staff_api, staff, run_jobs):
    job = probe.probe_part.enqueue_group([(number,) for number in range(5)])
    first = staff_api.get(f"/api/tasks/?parent_id={job}&limit=2").json()
    second = staff_api.get(first["next"]).json()
    third = staff_api.get(second["next"]).json()
    assert [one["member_index"] for page in (first, second, third) for one in page["results"]] == list(range(5))
    assert third["next"] is None
    assert staff_api.get(f"/api/tasks/?parent_id={job}&cursor=x").status_code == 400
    Job.objects.all().delete()
    run_jobs()
    Job.objects.filter(pk=job).delete()
    for key in client().scan_iter("*:job:*"):
        client().delete(key)
    assert len(results(staff_api, f"parent_id={job}")) == 5


def test_who_asked_sees_the_group_and_nobody_else_does(api, operator, charlie, run_jobs):
    job = probe.probe_part.enqueue_group([(1,)], requested_by=operator)
    assert read(api, job)["state"] == "running"
    assert len(results(api, f"parent_id={job}")) == 1
    assert find_job(job, user=charlie) is None
    assert list_jobs(user=charlie, filters=JobFilters(parent_id=job)).jobs == []
    run_jobs()
    assert read(api, job)["state"] == "succeeded"
    assert list_jobs(user=charlie, filters=JobFilters(parent_id=job)).jobs == []


def test_live_groups_are_paged_among_running_jobs(staff, run_jobs):
    jobs = [probe.probe_part.enqueue_group([(1,)]) for _ in range(5)]
    found, cursor = [], None
    while True:
        page = list_jobs(user=staff, filters=JobFilters(state=JobState.RUNNING), limit=2, cursor=cursor)
        found += [job.id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == jobs


def test_the_api_cancels_a_whole_group(staff_api, staff, run_jobs):
    job = group([probe.probe_part.s(1), probe.probe_result.s(2)]).apply_async(requested_by=staff)
    answer = staff_api.post(f"/api/tasks/task/{job}/cancel", {"reason": "enough"}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert read(staff_api, job)["error_message"] == "enough"
    assert [one["state"] for one in results(staff_api, f"parent_id={job}")] == ["cancelled"] * 2
    assert staff_api.post(f"/api/tasks/task/{job}/run-now", {}, format="json").status_code == 409
    run_jobs()
    assert probe.ledger() == []
    assert remaining_keys() == []


def test_a_retried_group_runs_what_failed_and_counts_the_rest(staff_api, staff, run_jobs):
    whole = group([probe.probe_flaky.s("a"), probe.probe_flaky.s("b"), probe.probe_flaky.s("c")])
    job = whole.on_success(probe.probe_result.s("whole")).on_error(probe.probe_error.s("failed")).delay()
    probe.break_down("b", "c")
    run_jobs()
    assert job.state == "failed"
    probe.break_down("c")
    answer = staff_api.post(f"/api/tasks/task/{job}/retry", {}, format="json")
    assert answer.status_code == 202
    again = answer.json()["task_id"]
    run_jobs()
    assert read(staff_api, again)["state"] == "failed"
    assert read(staff_api, again)["retry_of"] == str(job)
    probe.break_down()
    last = retry_job(job_id=again, user=staff)
    run_jobs()
    assert read(staff_api, last)["result"] == ["a", "b", "c"]
    lines = [line.split(":")[0] for line in probe.ledger()]
    ran = ["ran a", "ran b", "ran c", "ran b", "ran c", "ran c"]
    assert sorted(lines) == sorted([*ran, "failed MembersFailed", "failed MembersFailed", "whole ['a', 'b', 'c']"])
    assert remaining_keys() == []


def test_a_retried_chain_goes_on_where_it_failed(staff, run_jobs):
    inner = chord([probe.probe_flaky.si("x"), probe.probe_flaky.si("y")], probe.probe_result.s("joined"))
    job = chain(probe.probe_part.s(1), probe.probe_flaky.si("two"), inner, probe.probe_result.s("end")).delay()
    probe.break_down("two")
    run_jobs()
    assert job.state == "failed"
    probe.break_down("y")
    second = retry_job(job_id=job, user=staff)
    run_jobs()
    assert Job.objects.get(pk=second).state == "failed"
    probe.break_down()
    third = retry_job(job_id=second, user=staff)
    run_jobs()
    assert Job.objects.get(pk=third).state == "succeeded"
    lines = probe.ledger()
    assert lines.count("part 1") == 1
    assert lines[-2:] == ["joined ['x', 'y']", "end ['x', 'y']"]
    assert probe.ledger().count("ran y") == 2
    assert remaining_keys() == []


def test_a_group_that_succeeded_is_retried_as_a_whole(staff, run_jobs):
    job = probe.probe_part.enqueue_group([(1,), (2,)], indexes=[[5], [6]])
    run_jobs()
    again = retry_job(job_id=job, user=staff)
    run_jobs()
    assert Job.objects.get(pk=again).result == {"5": 1, "6": 2}
    assert sorted(probe.ledger()) == ["part 1", "part 1", "part 2", "part 2"]


def test_a_retried_job_keeps_its_callbacks(staff, run_jobs):
    job = probe.probe_flaky.s("one").on_success(probe.probe_result.s("called")).delay()
    probe.break_down("one")
    run_jobs()
    assert job.state == "failed"
    probe.break_down()
    retry_job(job_id=job, user=staff)
    run_jobs()
    assert probe.ledger()[-1] == "called one"


def test_a_group_whose_arguments_are_not_kept_is_not_retried(staff, run_jobs):
    job = probe.probe_count.enqueue_group([(list(range(100)),)])
    run_jobs()
    with pytest.raises(JobNotRepeatable):
        retry_job(job_id=job, user=staff)


def test_the_admin_shows_the_members(client_of_staff, staff, run_jobs):
    job = probe.probe_part.enqueue_group([(number,) for number in (*range(59), -1)])
    url = reverse("admin:tasks_app_job_change", args=[job])
    page = client_of_staff.get(url).content.decode()
    assert page.count('data-label="State"') == 50
    assert f"?parent_id={job}" in page
    run_jobs()
    page = client_of_staff.get(url).content.decode()
    assert "60 / 60" in page
    assert "1 of 60 did not succeed" in page
    listed = client_of_staff.get(f"{reverse('admin:tasks_app_job_changelist')}?parent_id={job}").content.decode()
    assert listed.count('data-label="State"') == 50
    member = client_of_staff.get(reverse("admin:tasks_app_job_change", args=[job.children[0]])).content.decode()
    assert url in member


@pytest.fixture
def client_of_staff(staff):
    from django.test import Client

    browser = Client()
    browser.force_login(staff)
    return browser


def shell(*arguments: str) -> object:
    out = StringIO()
    call_command("jobs", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_shell_lists_shows_cancels_and_retries(staff, run_jobs):
    job = probe.probe_part.enqueue_group([(1,), (2,)])
    assert [one["member_index"] for one in shell("list", "--parent", str(job))] == [0, 1]
    assert shell("show", str(job))["kind"] == "group"
    assert shell("cancel", str(job))[0]["state"] == "cancelled"
    (new,) = shell("retry", str(job))
    settle(run_jobs)
    assert find_job(new["new_id"], user=SHELL).state == "succeeded"
    assert sorted(probe.ledger()) == ["part 1", "part 2"]
    with pytest.raises(Exception, match="not wait"):
        run_job_now(job_id=probe.probe_part.enqueue_group([(1,)]), user=staff)
    assert cancel_job(job_id=chain(probe.probe_part.s(1)).delay(), user=SHELL) == "cancelled"


def test_a_repeated_group_or_chain_tells_its_own_members_and_counts_those_that_had_succeeded(
    staff, staff_api, run_jobs
):
    whole = probe.probe_flaky.enqueue_group([("a",), ("b",), ("c",)])
    steps = chain(probe.probe_part.s(1), probe.probe_flaky.si("b"), probe.probe_part.si(3)).delay()
    probe.break_down("b")
    run_jobs()
    probe.break_down()
    again = [JobHandle(retry_job(job_id=job, user=staff)) for job in (whole, steps)]
    assert [[one.state for one in job.children] for job in again] == [["queued"], ["queued"]]
    assert [read(staff_api, job)["progress"]["current"] for job in again] == [2, 1]
    assert [len(results(staff_api, f"parent_id={job}")) for job in again] == [1, 1]
    run_jobs()
    assert [[one.state for one in job.children] for job in again] == [["succeeded"], ["succeeded", "succeeded"]]


def test_a_repeated_group_whose_members_all_succeeded_in_spite_of_a_cancellation_has_succeeded(staff, run_jobs):
    job = probe.probe_flaky.enqueue_group([("a",), ("b",)])
    probe.break_down("b")
    run_jobs()
    probe.break_down()
    again = JobHandle(retry_job(job_id=job, user=staff))
    worker = Worker("positions", "w", client())
    worker.jobs.add(worker.queue.fetch("w", 1).claims)
    assert again.cancel() == "running"
    worker._run_waiting()
    run_jobs()
    assert again.get(0) == ["a", "b"]


def test_members_to_be_made_again_are_read_together(staff, run_jobs, django_assert_max_num_queries):
    job = probe.probe_part.enqueue_group([(-number,) for number in range(1, 31)])
    run_jobs()
    with django_assert_max_num_queries(12):
        retry_job(job_id=job, user=staff)
