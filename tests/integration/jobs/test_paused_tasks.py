"""Pausing one task: its jobs wait where they stand, the others go on; lanes wait at such a job."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks_app.engine import JobState
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import TaskNotFound
from tasks_app.models import Job, QueueAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs, queue_stats
from tasks_app.services.jobs import cancel_job, pause_queue, pause_task, purge_queue, resume_queue, resume_task
from tests.support.probe import lanes
from tests.support.probe.ledger import ledger
from tests.support.probe.tasks import probe_add, probe_note

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def positions():
    return next(queue for queue in queue_stats() if queue.name == "positions")


def state_of(job_id) -> JobState:
    return find_job(job_id, user=SHELL).state


def pause(task: str = "probe_add", **options) -> None:
    pause_task(task=task, user=SHELL, now=NOW, **options)


def resume(task: str = "probe_add") -> None:
    resume_task(task=task, user=SHELL, now=NOW)


def test_jobs_of_a_paused_task_wait_and_all_others_run(run_jobs, staff):
    pause(reason="wrong sums")
    waiting = [probe_add.delay(number) for number in range(3)]
    other = probe_note.delay("others go on")
    assert run_jobs("positions") == 1
    assert run_jobs("positions") == 0
    assert [state_of(job_id) for job_id in waiting] == [JobState.QUEUED] * 3
    assert state_of(other) is JobState.SUCCEEDED
    stats = positions()
    assert (stats.depth, stats.running, stats.paused, stats.oldest_age_seconds) == (3, 0, False, None)
    assert stats.paused_tasks == {"probe_add": {"by": None, "at": NOW.isoformat(), "reason": "wrong sums", "jobs": 3}}
    resume()
    assert positions().paused_tasks == {}
    assert run_jobs("positions") == 3
    assert [state_of(job_id) for job_id in waiting] == [JobState.SUCCEEDED] * 3
    assert client().exists(JobQueue("positions", client()).keys.paused_tasks) == 0, "nothing is left to look after"


def test_a_resumed_task_s_jobs_run_in_their_order_and_before_later_ones(run_jobs):
    pause("probe_note")
    for text in ("first", "second"):
        probe_note.delay(text)
    probe_note.apply_async(["urgent"], priority="high")
    run_jobs("positions")
    resume("probe_note")
    probe_note.delay("third")
    run_jobs("positions")
    assert ledger() == ["urgent", "first", "second", "third"]


def test_a_task_may_be_paused_again_while_its_jobs_are_put_back(run_jobs):
    pause()
    jobs = [probe_add.delay(number) for number in range(5)]
    run_jobs("positions")
    resume()
    pause()
    run_jobs("positions")
    assert {state_of(job_id) for job_id in jobs} == {JobState.QUEUED}
    assert positions().paused_tasks["probe_add"]["jobs"] == 5
    resume()
    run_jobs("positions")
    assert {state_of(job_id) for job_id in jobs} == {JobState.SUCCEEDED}


def test_many_jobs_of_a_paused_task_do_not_hide_those_behind_them(run_jobs):
    pause()
    probe_add.enqueue_many([[number] for number in range(1300)])
    other = probe_note.delay("behind all of them")
    run_jobs("positions")
    assert state_of(other) is JobState.SUCCEEDED
    assert positions().depth == 1300
    resume()
    run_jobs("positions")
    assert Job.objects.filter(task="probe_add", state="succeeded").count() == 1300
    assert (positions().depth, positions().running) == (0, 0)


def test_jobs_put_aside_are_listed_cancelled_and_purged_like_others(run_jobs, staff):
    pause()
    first, second, third = (probe_add.delay(number) for number in range(3))
    run_jobs("positions")
    assert {job.id for job in list_jobs(user=staff, filters=JobFilters(state=JobState.QUEUED)).jobs} == {
        first,
        second,
        third,
    }
    assert list_jobs(user=staff, filters=JobFilters(state=JobState.RUNNING)).jobs == []
    cancel_job(job_id=second, user=staff)
    assert state_of(second) is JobState.CANCELLED
    assert positions().paused_tasks["probe_add"]["jobs"] == 2
    assert purge_queue(name="positions", user=staff, now=NOW) == 2
    resume()
    assert run_jobs("positions") == 0
    assert set(Job.objects.values_list("state", flat=True)) == {"cancelled"}


def test_a_pause_of_the_queue_holds_for_resumed_tasks_too(run_jobs):
    pause()
    job_id = probe_add.delay(1)
    run_jobs("positions")
    pause_queue(name="positions", user=SHELL, now=NOW)
    resume()
    assert run_jobs("positions") == 0
    resume_queue(name="positions", user=SHELL, now=NOW)
    assert run_jobs("positions") == 1
    assert state_of(job_id) is JobState.SUCCEEDED


def test_housekeeping_takes_what_is_put_aside_for_no_dead_worker_s(run_jobs):
    pause()
    probe_add.delay(1)
    run_jobs("positions")
    silent = JobQueue("positions", client()).consumers_without_beat(idle_seconds=-1)
    assert silent == ["test:0:positions:0"], "the worker of this test beats not; nothing else is named"


def test_a_lane_waits_at_a_job_of_a_paused_task(run_jobs):
    pause("lane_note")
    held = lanes.lane_note.delay("van", "first")
    behind = lanes.lane_flaky.delay("van", "second", 0)
    free = probe_add.delay(1)
    run_jobs("positions")
    assert [state_of(job_id) for job_id in (held, behind)] == [JobState.QUEUED] * 2
    assert state_of(free) is JobState.SUCCEEDED
    resume("lane_note")
    run_jobs("positions")
    assert [state_of(job_id) for job_id in (held, behind)] == [JobState.SUCCEEDED] * 2


def test_a_pause_of_a_task_keeps_who_did_it_and_why(staff):
    pause_task(task="probe_add", user=staff, reason="a look first", now=NOW)
    resume_task(task="probe_add", user=staff, now=NOW)
    actions = QueueAction.objects.order_by("pk").values_list("queue", "verb", "subject", "user", "reason")
    assert list(actions) == [
        ("positions", "pause_task", "probe_add", staff.pk, "a look first"),
        ("positions", "resume_task", "probe_add", staff.pk, ""),
    ]
    with pytest.raises(TaskNotFound):
        pause_task(task="nonsense", user=staff, now=NOW)


def test_a_task_is_paused_by_its_dotted_path_as_by_its_name(run_jobs, staff_api):
    path = "tests.support.probe.tasks.probe_add"
    answer = staff_api.post(f"/api/tasks/queues/positions/tasks/{path}/pause", {}, format="json")
    assert answer.json() == {"queue": "positions", "task": "probe_add", "paused": True}
    job = probe_add.delay(1)
    run_jobs("positions")
    assert state_of(job) is JobState.QUEUED
    resume(path)
    run_jobs("positions")
    assert state_of(job) is JobState.SUCCEEDED
