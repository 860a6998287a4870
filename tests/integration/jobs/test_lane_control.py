"""Jobs in lanes under the hands of people, and a number of lanes that changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tasks_app.engine import JobState, QueueLanesChanged
from tasks_app.engine.connection import client
from tasks_app.engine.lanes import Lane, change_lanes, queue_parts
from tasks_app.engine.live import find_live_job
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs, queue_stats
from tasks_app.services.jobs.actions import cancel_job, retry_job, run_job_now
from tasks_app.services.jobs.queues import pause_queue, purge_queue, resume_queue
from tests.support.jobs import queue_settings
from tests.support.probe import lanes as probe
from tests.support.probe.ledger import ledger

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
KEYS = [f"van {number}" for number in range(8)]


def stats():
    return next(queue for queue in queue_stats() if queue.name == "positions")


def enqueue(*keys: str) -> list:
    return [probe.lane_note.delay(key, str(number)) for number, key in enumerate(keys)]


# --- People ---


def test_a_waiting_job_is_cancelled_and_its_followers_run(run_jobs, staff):
    first, second = enqueue("van", "van")
    assert cancel_job(job_id=first, user=staff, reason="wrong") is JobState.CANCELLED
    assert find_job(first, user=staff).state is JobState.CANCELLED
    run_jobs()
    assert ledger() == ["van 1"]
    assert second.get(0) is None


def test_cancelling_a_job_that_waits_to_be_retried_frees_its_followers(run_jobs, staff):
    failing = probe.lane_flaky.delay("van", "first", 2)
    enqueue("van")
    run_jobs()
    assert ledger() == ["van first failed"]
    cancel_job(job_id=failing, user=staff)
    run_jobs()
    assert ledger()[1:] == ["van 0"]


def test_a_running_job_is_asked_to_stop(staff):
    (job,) = enqueue("van")
    worker = Worker("positions", "one", client())
    (claim,) = worker.queue.fetch("one", 1).claims
    assert cancel_job(job_id=job, user=staff) is JobState.RUNNING
    assert worker.queue.progress([claim], None) == [1]
    assert job.cancel() == JobState.RUNNING


def test_a_retrying_job_is_run_now_and_goes_first(run_jobs, staff):
    failing = probe.lane_flaky.delay("van", "first", 1)
    enqueue("van")
    run_jobs()
    assert find_job(failing, user=staff).state is JobState.RETRYING
    assert run_job_now(job_id=failing, user=staff) is JobState.QUEUED
    run_jobs()
    assert ledger() == ["van first failed", "van first", "van 0"]


def test_a_failed_job_is_repeated_in_its_lane(run_jobs, staff):
    job = probe.lane_flaky.delay("van", "text", 9)
    for _ in range(3):
        run_jobs()
        run_now = find_job(job, user=staff).state is JobState.RETRYING
        if run_now:
            run_job_now(job_id=job, user=staff)
    assert job.state == JobState.FAILED
    again = retry_job(job_id=job, user=staff)
    assert find_live_job(client(), str(again)).lane == probe.lane_of("van")


def test_a_purge_cancels_what_waits_in_every_lane(run_jobs, staff):
    jobs = [*enqueue(*KEYS), probe.lane_note.apply_async(("van", "later"), countdown=600), *enqueue("")]
    retrying = probe.lane_flaky.delay("bus", "first", 2)
    Worker("positions", "one", client())
    assert purge_queue(name="positions", user=staff, now=NOW) == len(jobs) + 1
    assert set(Job.objects.values_list("state", flat=True)) == {"cancelled"}
    assert Job.objects.filter(pk__in=[*jobs, retrying]).count() == len(jobs) + 1
    assert run_jobs("positions") == 0


def test_a_pause_holds_for_all_lanes(run_jobs, staff):
    jobs = enqueue(*KEYS)
    pause_queue(name="positions", user=staff, now=NOW)
    assert run_jobs("positions") == 0
    assert stats().paused
    resume_queue(name="positions", user=staff, now=NOW)
    run_jobs("positions")
    assert Job.objects.filter(pk__in=jobs, state="succeeded").count() == len(jobs)


def test_the_figures_of_a_queue_are_those_of_all_its_parts(run_jobs):
    probe.lane_flaky.delay("bus", "first", 2)
    run_jobs()
    enqueue(*KEYS, "bus", "")
    probe.lane_note.apply_async(("van", "later"), countdown=600)
    figures = stats()
    assert (figures.depth, figures.scheduled, figures.retrying, figures.running) == (len(KEYS) + 2, 1, 1, 0)
    assert 0 <= figures.oldest_age_seconds < 60
    worker = Worker("positions", "one", client())
    claims = [claim for _ in range(20) for claim in worker.queue.fetch("one", 1).claims]
    figures = stats()
    assert figures.running == len(claims) > len(KEYS) - 2
    assert figures.depth == len(KEYS) + 2 - len(claims)
    worker.queue.finish([(claim, JobState.SUCCEEDED) for claim in claims])
    assert stats().running == 0
    assert sum(int(count) for part in queue_parts("positions", client()) for count in client().hvals(part.keys.done))


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.SCHEDULED])
def test_pages_show_each_job_once_in_whatever_lane(staff, state):
    if state is JobState.SCHEDULED:
        jobs = [probe.lane_note.apply_async((key, ""), countdown=600) for key in [*KEYS, ""] * 3]
    else:
        jobs = enqueue(*[*KEYS, ""] * 3)
    if state is JobState.RUNNING:
        worker = Worker("positions", "one", client())
        while worker.queue.fetch("one", 100).claims:
            pass
    key_of = dict(zip(jobs, [*KEYS, ""] * 3, strict=True))
    found, cursor = [], None
    while True:
        page = list_jobs(user=staff, filters=JobFilters(state=state), limit=4, cursor=cursor)
        found += page.jobs
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(job.id for job in found) == sorted(jobs)
    if state is JobState.QUEUED:
        # The newest first, in each lane.
        for key in (*KEYS, ""):
            assert [job.id for job in found if job.args[0] == key] == [
                job for job in reversed(jobs) if key_of[job] == key
            ]


# --- The number of lanes ---


@pytest.mark.parametrize("number", [4, 40, 0])
def test_the_number_of_lanes_changes_when_they_are_empty(run_jobs, settings, number):
    enqueue(*KEYS)
    run_jobs()
    with queue_settings(settings, lanes=number):
        change_lanes("positions", client())
        change_lanes("positions", client())
        again = enqueue(*KEYS)
        run_jobs()
        assert Job.objects.filter(pk__in=again, state="succeeded").count() == len(KEYS)
    if number:
        with pytest.raises(QueueLanesChanged, match=f"has {number} lanes; the setting of this process says 16"):
            enqueue(*KEYS)


@pytest.mark.parametrize("number", [4, 40, 0])
@pytest.mark.parametrize("kind", ["queued", "scheduled", "running", "ended"])
def test_the_number_of_lanes_stays_while_a_job_is_left(run_jobs, settings, staff, number, kind):
    job = probe.lane_note.apply_async(("van", "1"), countdown=600 if kind == "scheduled" else None)
    lane = Lane("positions", client(), probe.lane_of("van"))
    if kind == "running":
        Worker("positions", "one", client()).queue.fetch("one", 1)
    if kind == "ended":
        lane.cancel(str(job), {"by": None})
    refused = pytest.raises(QueueLanesChanged, match=rf"has 16 lanes, and 1 jobs are left in them; .* says {number}\.")
    with queue_settings(settings, lanes=number), refused:
        change_lanes("positions", client())
    for key in KEYS:
        probe.lane_note.delay(key, "after the refusal")


def test_while_lanes_are_changed_nothing_is_taken_in():
    change_lanes("positions", client())
    lane = Lane("positions", client(), probe.lane_of("van"))
    lane._run_call(lane.open_call("close", 0))
    with pytest.raises(QueueLanesChanged, match="is being changed"):
        enqueue("van")
    # A cluster that died half way: the next one opens them.
    change_lanes("positions", client())
    enqueue("van")


def test_lanes_that_redis_forgot_are_opened_by_the_first_job():
    enqueue("van")
    for key in client().scan_iter("*positions*"):
        client().delete(key)
    enqueue("van")
    assert stats().depth == 1


def test_a_worker_of_another_number_takes_no_lane_and_runs_what_is_in_none(run_jobs, settings):
    enqueue("van", "")
    with queue_settings(settings, lanes=4):
        run_jobs()
    assert ledger() == [" 1"]
    assert JobQueue("positions", client()).client.zcard(JobQueue("positions", client()).keys.lane_workers) == 0
    run_jobs()
    assert ledger() == [" 1", "van 0"]
