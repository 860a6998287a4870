"""Control of whole queues and of many jobs at once, and paging through any number of live jobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tasks_app.engine import JobState
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.ended_rows import record_all_ended
from tasks_app.engine.lanes import queue_parts
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import JobNotFound, JobNotWaiting, QueueNotFound
from tasks_app.models import Job, JobAction, QueueAction
from tasks_app.queries import jobs as job_queries
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import InvalidCursor, JobFilters, find_job, list_jobs, queue_stats
from tasks_app.services.jobs import queues as queue_services
from tasks_app.services.jobs.actions import cancel_job, retry_job, run_job_now
from tasks_app.services.jobs.queues import pause_queue, purge_queue, resume_queue
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def stats(name: str):
    return next(queue for queue in queue_stats() if queue.name == name)


def all_pages(user, filters: JobFilters, limit: int = 50) -> list:
    cursor, found = None, []
    while True:
        page = list_jobs(user=user, filters=filters, limit=limit, cursor=cursor)
        found += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            return found


# --- Queues ---


def test_it_pauses_a_queue_and_resumes_it_and_keeps_who_and_why(run_jobs, staff):
    job_id = probe.probe_add.delay(1)
    pause_queue(name="positions", user=staff, reason="database upgrade", now=NOW)
    assert run_jobs("positions") == 0
    paused = stats("positions")
    assert paused.paused
    assert paused.pause == {"by": staff.pk, "at": NOW.isoformat(), "reason": "database upgrade"}
    assert not stats("reports").paused
    resume_queue(name="positions", user=staff, now=NOW)
    assert not stats("positions").paused
    assert run_jobs("positions") == 1
    assert find_job(job_id, user=staff).state is JobState.SUCCEEDED
    actions = QueueAction.objects.order_by("pk").values_list("queue", "verb", "user", "reason", "created_at")
    assert list(actions) == [
        ("positions", "pause", staff.pk, "database upgrade", NOW),
        ("positions", "resume", staff.pk, "", NOW),
    ]


def test_it_purges_what_waits_and_writes_every_row(staff):
    waiting = probe.probe_add.enqueue_many([[number] for number in range(450)])
    delayed = probe.probe_add.apply_async([1], countdown=1000)
    elsewhere = probe.probe_progress.delay(1)
    assert purge_queue(name="positions", user=staff, reason="wrong data", now=NOW) == 451
    rows = Job.objects.filter(pk__in=[*waiting, delayed])
    assert set(rows.values_list("state", "error_message")) == {("cancelled", "wrong data")}
    assert rows.count() == 451
    assert stats("positions").depth == stats("positions").scheduled == 0
    assert find_job(elsewhere, user=staff).state is JobState.QUEUED
    action = QueueAction.objects.get()
    assert (action.verb, action.job_count, action.reason) == ("purge", 451, "wrong data")


def test_a_purge_leaves_the_running_job_alone(staff):
    running = probe.probe_add.delay(1)
    queue = JobQueue("positions", client())
    (claim,) = queue.fetch("test:0:positions:0", 1).claims
    probe.probe_add.delay(2)
    assert purge_queue(name="positions", user=staff, now=NOW) == 1
    assert find_job(running, user=staff).state is JobState.RUNNING
    assert queue.finish([(claim, JobState.SUCCEEDED)]) == 1


def test_cancelling_a_running_job_reads_its_hash_once(staff):
    job_id = probe.probe_add.delay(1)
    JobQueue("positions", client()).fetch("test:0:positions:0", 1)
    client().config_resetstat()
    assert cancel_job(job_id=job_id, user=staff) == JobState.RUNNING
    # Wherever it may be, once: on its queue or in a lane.
    places = queue_parts(engine_config().queues, client())
    assert client().info("commandstats")["cmdstat_hgetall"]["calls"] == len(places)


@pytest.mark.parametrize("act", [pause_queue, resume_queue, purge_queue])
def test_it_knows_no_other_queues(act, staff):
    with pytest.raises(QueueNotFound, match="no such queue"):
        act(name="nonsense", user=staff, now=NOW)
    assert not QueueAction.objects.exists()


# --- Run now ---


def test_it_runs_a_scheduled_job_now(run_jobs, staff):
    job_id = probe.probe_add.apply_async([1], countdown=1000, priority="high")
    assert run_job_now(job_id=job_id, user=staff, reason="waited enough") is JobState.QUEUED
    assert run_jobs("positions") == 1
    job = find_job(job_id, user=staff)
    assert (job.state, job.priority) == (JobState.SUCCEEDED, "high")
    action = JobAction.objects.get()
    assert (action.verb, action.user, action.reason) == ("run_now", staff, "waited enough")


def test_it_runs_a_retrying_job_now(run_jobs, staff):
    job_id = probe.probe_fail.delay("broken")
    run_jobs("positions")
    assert find_job(job_id, user=staff).state is JobState.RETRYING
    run_job_now(job_id=job_id, user=staff)
    assert run_jobs("positions") == 1
    assert find_job(job_id, user=staff).attempt_count == 2


def test_it_does_not_run_now_what_does_not_wait(run_jobs, staff, charlie):
    queued = probe.probe_add.delay(1)
    with pytest.raises(JobNotWaiting) as caught:
        run_job_now(job_id=queued, user=staff)
    assert caught.value.state is JobState.QUEUED
    run_jobs("positions")
    with pytest.raises(JobNotWaiting) as caught:
        run_job_now(job_id=queued, user=staff)
    assert caught.value.state is JobState.SUCCEEDED
    with pytest.raises(JobNotFound):
        run_job_now(job_id=uuid4(), user=staff)
    with pytest.raises(JobNotFound):
        run_job_now(job_id=probe.probe_add.apply_async([1], countdown=99), user=charlie)
    assert not JobAction.objects.exists()


def test_a_job_run_now_runs_once(run_jobs, staff):
    job_id = probe.probe_note.apply_async(["once"], countdown=1000)
    run_job_now(job_id=job_id, user=staff)
    with pytest.raises(JobNotWaiting):
        run_job_now(job_id=job_id, user=staff)
    run_jobs()
    assert probe.ledger() == ["once"]
    assert client().zcard(JobQueue("positions", client()).keys.delayed) == 0


# --- The shell ---


def test_the_shell_sees_and_does_everything_and_is_audited_without_a_user(run_jobs, charlie):
    job_id = probe.probe_fail_for_good.apply_async(["broken"], requested_by=charlie)
    run_jobs("positions")
    assert find_job(job_id, user=SHELL).id == job_id
    assert [job.id for job in list_jobs(user=SHELL, filters=JobFilters()).jobs] == [job_id]
    new_id = retry_job(job_id=job_id, user=SHELL, reason="shell: root")
    assert find_job(new_id, user=SHELL).requested_by_id is None
    assert JobAction.objects.get().user is None


def test_nobody_sees_the_jobs_that_nobody_asked_for():
    from django.contrib.auth.models import AnonymousUser

    live = probe.probe_add.delay(1)
    Job.objects.create(id=uuid4(), task="x", queue="positions", state="failed", created_at=NOW, finished_at=NOW)
    assert find_job(live, user=AnonymousUser()) is None
    assert list_jobs(user=AnonymousUser(), filters=JobFilters()).jobs == []


# --- Paging through live jobs ---


def test_it_pages_through_all_queued_jobs_newest_first(staff):
    made = []
    for priority in ("low", "high", "normal"):
        made += probe.probe_add.enqueue_many([[number] for number in range(230)], priority=priority)
    made += probe.probe_progress.enqueue_many([[1]] * 40)
    found = all_pages(staff, JobFilters(state=JobState.QUEUED), limit=50)
    assert len(found) == 730
    assert {job.id for job in found} == set(made)
    assert {job.queue for job in found[:40]} == {"reports"}
    assert {job.priority for job in found[-230:]} == {"low"}


def test_it_pages_through_all_scheduled_jobs_soonest_first_even_when_due_together(staff):
    due = datetime.now(UTC) + timedelta(hours=1)
    together = [probe.probe_add.apply_async([number], eta=due) for number in range(60)]
    together += [probe.probe_progress.apply_async([1], eta=due) for _ in range(15)]
    first = probe.probe_add.apply_async([99], countdown=60)
    found = all_pages(staff, JobFilters(state=JobState.SCHEDULED), limit=7)
    assert found[0].id == first
    assert {job.id for job in found[1:]} == set(together)
    assert len(found) == 76
    assert found == sorted(found, key=lambda job: (job.due_at, str(job.id)))


def test_a_page_of_scheduled_jobs_follows_though_the_last_one_of_the_page_before_is_gone(staff):
    due = datetime.now(UTC) + timedelta(hours=1)
    for number in range(20):
        probe.probe_add.apply_async([number], eta=due)
    everything = [job.id for job in all_pages(staff, JobFilters(state=JobState.SCHEDULED))]
    page = list_jobs(user=staff, filters=JobFilters(state=JobState.SCHEDULED), limit=5)
    cancel_job(job_id=page.jobs[-1].id, user=staff)
    following = list_jobs(
        user=staff, filters=JobFilters(state=JobState.SCHEDULED), limit=50, cursor=page.next_cursor
    ).jobs
    assert [job.id for job in following] == everything[5:]


def test_it_pages_through_running_jobs_only(staff):
    running = probe.probe_add.enqueue_many([[number] for number in range(12)])
    JobQueue("positions", client()).fetch("test:0:positions:0", 12)
    probe.probe_add.delay(99)
    assert {job.id for job in all_pages(staff, JobFilters(state=JobState.RUNNING), limit=5)} == set(running)
    assert len(all_pages(staff, JobFilters(state=JobState.QUEUED), limit=5)) == 1


def test_a_page_with_few_matches_leads_on(staff, charlie, monkeypatch):
    monkeypatch.setattr(job_queries, "MAX_EXAMINED", 20)
    own = probe.probe_add.apply_async([1], requested_by=charlie)
    probe.probe_add.enqueue_many([[number] for number in range(90)])
    page = list_jobs(user=charlie, filters=JobFilters(state=JobState.QUEUED), limit=10)
    assert (page.jobs, bool(page.next_cursor)) == ([], True)
    assert [job.id for job in all_pages(charlie, JobFilters(state=JobState.QUEUED))] == [own]
    found = all_pages(staff, JobFilters(state=JobState.QUEUED, search="[[77]"), limit=10)
    assert [job.args for job in found] == [[77]]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "\x00",
        "ü",
        # ["queued", [-1, 0, 0]], ["queued", ["a", 0, 0]], ["queued", [1e99, 0, 0]], ["scheduled", [1, "x", 0]]
        "WyJxdWV1ZWQiLCBbLTEsIDAsIDBdXQ==",
        "WyJxdWV1ZWQiLCBbImEiLCAwLCAwXV0=",
        "WyJxdWV1ZWQiLCBbMWU5OSwgMCwgMF1d",
        "WyJzY2hlZHVsZWQiLCBbMSwgIngiLCAwXV0=",
    ],
)
def test_it_refuses_a_cursor_of_another_list(staff, cursor):
    probe.probe_add.delay(1)
    with pytest.raises(InvalidCursor):
        list_jobs(user=staff, filters=JobFilters(state=JobState.QUEUED), cursor=cursor)


def test_it_finds_finished_jobs_by_their_keyword_arguments(run_jobs, staff):
    job_id = probe.probe_add.delay(1, b=424242)
    run_jobs("positions")
    assert [job.id for job in list_jobs(user=staff, filters=JobFilters(search="424242")).jobs] == [job_id]


def test_it_keeps_the_priority_of_jobs_however_they_end(run_jobs, staff):
    low = probe.probe_add.apply_async([1], priority="low")
    assert find_job(low, user=staff).priority == "low"
    high = probe.probe_add.apply_async([1], priority="high")
    cancel_job(job_id=high, user=staff)
    run_jobs("positions")
    assert (Job.objects.get(pk=low).priority, Job.objects.get(pk=high).priority) == ("low", "high")
    again = retry_job(job_id=high, user=staff)
    assert find_job(again, user=staff).priority == "high"


def test_rows_that_a_large_purge_leaves_to_the_clusters_are_written_by_them(staff, monkeypatch):
    monkeypatch.setattr(queue_services, "RECORD_SECONDS", 0.0)
    made = probe.probe_add.enqueue_many([[number] for number in range(1200)])
    assert purge_queue(name="positions", user=staff, now=NOW) == 1200
    written = Job.objects.count()
    assert 0 < written < 1200
    left = next(job_id for job_id in made if not Job.objects.filter(pk=job_id).exists())
    assert find_job(left, user=staff).state is JobState.CANCELLED
    record_all_ended(JobQueue("positions", client()), seconds=60)
    assert Job.objects.filter(pk__in=made, state="cancelled").count() == 1200
