"""Changing the priority of a job that waits: what runs first then, and what is refused."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tasks_app.engine import JobState, get_task
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import JobNotFound, JobNotWaiting, PriorityNotChangeable
from tasks_app.models import Job, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import find_job
from tasks_app.services.jobs import cancel_job, change_priority, run_job_now
from tests.support.jobs import make_due
from tests.support.probe.tasks import probe_add

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_queued_job_with_a_higher_priority_runs_before_others_once_only(run_jobs, staff):
    first, second = probe_add.delay(1, 1), probe_add.delay(2, 2)
    assert change_priority(job_id=second, user=staff, priority="high") is JobState.QUEUED
    assert change_priority(job_id=first, user=staff, priority="low") is JobState.QUEUED
    assert find_job(second, user=staff).priority == "high"
    assert run_jobs("positions") == 2
    rows = {row.pk: row for row in Job.objects.all()}
    assert (rows[first].priority, rows[second].priority) == ("low", "high")
    assert rows[second].started_at <= rows[first].started_at
    assert list(JobAction.objects.values_list("verb", flat=True)) == ["priority", "priority"]


def test_a_scheduled_job_keeps_its_new_priority_when_it_is_due(run_jobs, staff):
    job = probe_add.apply_async([1, 1], countdown=999)
    assert change_priority(job_id=job, user=staff, priority="low") is JobState.SCHEDULED
    make_due("positions")
    assert run_jobs("positions") == 1
    assert Job.objects.get().priority == "low"


def test_a_job_that_is_given_the_priority_it_has_keeps_its_place(run_jobs, staff):
    first, second = probe_add.delay(1, 1), probe_add.delay(2, 2)
    change_priority(job_id=first, user=staff, priority="normal")
    queue = JobQueue("positions", client())
    assert [one.job_id for one in queue.fetch("w", 2).claims] == [str(first), str(second)]


def test_a_job_with_another_priority_is_cancelled_and_run_now_as_before(run_jobs, staff):
    job, later = probe_add.delay(1, 1), probe_add.apply_async([1, 1], countdown=999)
    for one in (job, later):
        change_priority(job_id=one, user=staff, priority="high")
    assert cancel_job(job_id=job, user=staff) is JobState.CANCELLED
    run_job_now(job_id=later, user=staff)
    assert run_jobs("positions") == 1


def test_what_has_no_priority_is_refused_with_a_sentence(device, staff, page):
    laned = get_task("process_position_batch").delay([{"device_id": device.unique_id}])
    together = probe_add.enqueue_group([[1, 1], [2, 2]])
    for job, sentence in ((laned, "keep the order"), (together, "no priority of its own")):
        with pytest.raises(PriorityNotChangeable, match=sentence):
            change_priority(job_id=job, user=staff, priority="high")
        url = reverse("admin:tasks_app_job_priority", args=[job])
        assert page.get(url).status_code == 200
        assert sentence in page.post(url, {"priority": "high", "reason": ""}, follow=True).content.decode()
    ended = probe_add.delay(1, 1)
    cancel_job(job_id=ended, user=SHELL)
    with pytest.raises(JobNotWaiting):
        change_priority(job_id=ended, user=staff, priority="high")
    with pytest.raises(JobNotFound):
        change_priority(job_id="5ad0f1a6-8b7f-4f0e-9d6c-1f2f63b2f5a1", user=staff, priority="high")


def test_staff_change_it_on_the_jobs_page(page, staff):
    job = get_task("cleanup_cache").delay()
    url = reverse("admin:tasks_app_job_priority", args=[job])
    assert url in page.get(reverse("admin:tasks_app_job_change", args=[job])).content.decode()
    assert page.post(url, {"priority": "urgent", "reason": ""}).status_code == 200
    answer = page.post(url, {"priority": "high", "reason": "someone waits"}, follow=True)
    assert "priority was changed" in answer.content.decode()
    assert find_job(job, user=staff).priority == "high"
    assert JobAction.objects.get(verb="priority").reason == "someone waits"
