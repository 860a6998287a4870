"""The life of a job, through the real queue and the worker's code, in this process."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import django_q.tasks
import pytest
from django.db import transaction

from tasks_app.engine import InvalidArguments, JobState, UnknownTask, enqueue
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import PayloadTooLarge, QueueFull
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.workers.worker import Worker
from tasks_app.exceptions import JobAlreadyFinished, JobNotFound, JobNotRepeatable, JobStillLive
from tasks_app.models import Job, JobAction
from tasks_app.queries.access import SHELL
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs
from tasks_app.services.jobs.actions import cancel_job, retry_job, start_task
from tests.support.jobs import make_due
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_runs_a_job_and_stores_its_result(run_jobs):
    job_id = probe.probe_add.delay(2, b=3)
    assert run_jobs() == 1
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.result, job.args, job.kwargs) == ("succeeded", 5, [2], {"b": 3})
    assert job.queue == "positions"
    assert job.attempt_count == 1
    assert job.created_at <= job.started_at <= job.finished_at


def test_it_leaves_nothing_but_a_tombstone_in_redis_after_success(run_jobs):
    job_id = probe.probe_add.delay(1)
    run_jobs()
    queue = JobQueue("positions", client())
    assert waiting_jobs(queue) == 0
    assert client().hgetall(queue.keys.job(str(job_id))) == {b"st": b"succeeded"}
    assert 0 < client().pttl(queue.keys.job(str(job_id))) <= 60_000


def test_it_makes_one_job_of_the_same_id_enqueued_twice(run_jobs):
    job_id = uuid.uuid4()
    assert probe.probe_note.apply_async(["once"], job_id=job_id) == job_id
    assert probe.probe_note.apply_async(["once"], job_id=job_id) == job_id
    run_jobs()
    assert probe.probe_note.apply_async(["once"], job_id=job_id) == job_id
    run_jobs()
    assert probe.ledger() == ["once"]


def test_it_holds_a_unique_key_until_the_job_ends(run_jobs):
    first = probe.probe_note.apply_async(["a"], unique_key="only")
    assert probe.probe_note.apply_async(["b"], unique_key="only") == first
    run_jobs()
    assert probe.probe_note.apply_async(["c"], unique_key="only") != first
    run_jobs()
    assert probe.ledger() == ["a", "c"]


def test_it_retries_with_backoff_and_keeps_every_attempt(run_jobs):
    job_id = probe.probe_fail.delay("no luck")
    assert run_jobs() == 1
    live = list_live(job_id)
    assert live.state == JobState.RETRYING
    assert live.attempts[0]["error_message"] == "no luck"
    make_due("positions")
    assert run_jobs() == 1
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempt_count, job.error_class, job.error_message) == ("failed", 2, "ValueError", "no luck")
    assert [attempt["attempt"] for attempt in job.attempts] == [1, 2]
    assert "raise ValueError(message)" in job.traceback
    assert "tasks_app/engine" not in job.traceback


def test_it_does_not_retry_a_permanent_error(run_jobs):
    job_id = probe.probe_fail_for_good.delay("never")
    run_jobs()
    assert Job.objects.get(pk=job_id).state == "failed"
    assert Job.objects.get(pk=job_id).attempt_count == 1


@pytest.mark.parametrize("kind", ["nan", "object", "huge", "nul"])
def test_it_fails_a_job_whose_result_cannot_be_stored(run_jobs, kind):
    job_id = probe.probe_return.delay(kind)
    run_jobs()
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.error_class) == ("failed", "UnserialisableResult")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ([], {}),  # missing
        ([1, 2, 3], {}),  # too many
        ([1], {"c": 1}),  # unknown name
        (["1"], {}),  # text for an int
        ([True], {}),  # a bool is not an int
        ([1.5], {}),
        ([float("nan")], {}),
        ([object()], {}),
    ],
)
def test_it_refuses_arguments_that_do_not_fit(args, kwargs):
    with pytest.raises(InvalidArguments):
        probe.probe_add.apply_async(args, kwargs)
    assert waiting_jobs(JobQueue("positions", client())) == 0


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_it_refuses_text_that_postgresql_cannot_store(text):
    with pytest.raises(InvalidArguments):
        probe.probe_note.delay(text)


def test_it_takes_a_backslash_before_u0000_for_what_it_is(run_jobs):
    job_id = probe.probe_note.delay("\\u0000")
    run_jobs()
    assert Job.objects.get(pk=job_id).args == ["\\u0000"]


def test_it_refuses_unknown_tasks_and_oversized_payloads():
    with pytest.raises(UnknownTask):
        enqueue("os.system", "true")
    with pytest.raises(PayloadTooLarge):
        probe.probe_note.delay("x" * 5_000_000)


def test_it_refuses_more_jobs_than_the_queue_may_hold(settings):
    settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": 2}
    engine_config.cache_clear()
    try:
        probe.probe_note.delay("1")
        probe.probe_note.delay("2")
        with pytest.raises(QueueFull):
            probe.probe_note.delay("3")
    finally:
        engine_config.cache_clear()


def test_a_full_queue_refuses_many_jobs_of_which_some_exist(settings):
    """Enqueueing again after an error finds those that were made, and still says that the others were not."""
    settings.TASK_ENGINE = {**settings.TASK_ENGINE, "MAX_QUEUE_DEPTH": 2}
    ids = [uuid.uuid4() for _ in range(3)]
    engine_config.cache_clear()
    try:
        for _ in range(2):
            with pytest.raises(QueueFull, match="holds 2 jobs"):
                probe.probe_note.enqueue_many([["1"], ["2"], ["3"]], job_ids=ids)
        with pytest.raises(QueueFull):
            probe.probe_note.enqueue_many([["3"], ["1"]], job_ids=[ids[2], ids[0]])
        assert probe.probe_note.enqueue_many([["1"], ["2"]], job_ids=ids[:2]) == ids[:2]
    finally:
        engine_config.cache_clear()


def test_many_jobs_of_which_one_key_is_taken():
    holder = probe.probe_note.apply_async(["a"], unique_key="2")
    made = probe.probe_note.enqueue_many([["1"], ["2"], ["3"], ["2"]], unique_keys=["1", "2", "", "2"])
    assert [one == holder for one in made] == [False, True, False, True]
    assert len(set(made)) == 3


def test_it_fails_a_forged_message_and_goes_on(run_jobs):
    job_id, good = probe.probe_add.delay(1), probe.probe_add.delay(2)
    key = JobQueue("positions", client()).keys.job(str(job_id))
    message = client().hget(key, "p")
    client().hset(key, "p", message.replace(b"[1]", b"[9]"))
    run_jobs()
    assert Job.objects.get(pk=job_id).error_class == "BadPayload"
    assert Job.objects.get(pk=good).result == 3


def test_it_reads_messages_signed_with_a_former_key(run_jobs, settings):
    job_id = probe.probe_add.delay(1)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new key"
    run_jobs()
    assert Job.objects.get(pk=job_id).state == "succeeded"


def test_it_enqueues_on_commit_only(run_jobs):
    with transaction.atomic():
        probe.probe_note.delay_on_commit("rolled back")
        transaction.set_rollback(True)
    with transaction.atomic():
        probe.probe_note.delay_on_commit("committed")
        assert run_jobs() == 0
    run_jobs()
    assert probe.ledger() == ["committed"]


def test_it_runs_a_delayed_job_only_when_it_is_due(run_jobs, staff):
    job_id = probe.probe_note.apply_async(["later"], eta=datetime.now(UTC) + timedelta(hours=1))
    assert run_jobs() == 0
    view = find_job(job_id, user=staff)
    assert view.state == JobState.SCHEDULED
    assert view.due_at > datetime.now(UTC)
    make_due("positions")
    assert run_jobs() == 1


def test_it_cancels_a_queued_and_a_scheduled_job_and_remembers_who_and_why(run_jobs, staff):
    queued = start_task(task_name="probe_note", args=["queued"], user=staff)
    scheduled = start_task(task_name="probe_note", args=["scheduled"], user=staff, countdown=100)
    for job_id in (queued, scheduled):
        assert cancel_job(job_id=job_id, user=staff, reason="not needed") == JobState.CANCELLED
        assert cancel_job(job_id=job_id, user=staff) == JobState.CANCELLED
        job = Job.objects.get(pk=job_id)
        assert (job.state, job.error_message) == ("cancelled", "not needed")
        action = JobAction.objects.get(job_id=job_id, verb="cancel")
        assert (action.user, action.reason) == (staff, "not needed")
    make_due("positions")
    assert run_jobs() == 0
    assert probe.ledger() == []


def test_it_does_not_cancel_what_has_ended_nor_what_one_may_not_see(run_jobs, staff, charlie):
    job_id = start_task(task_name="probe_add", args=[1], user=staff)
    with pytest.raises(JobNotFound):
        cancel_job(job_id=job_id, user=charlie)
    run_jobs()
    with pytest.raises(JobAlreadyFinished) as raised:
        cancel_job(job_id=job_id, user=staff)
    assert raised.value.state == JobState.SUCCEEDED
    with pytest.raises(JobNotFound):
        cancel_job(job_id=uuid.uuid4(), user=staff)


def test_it_makes_a_new_job_from_an_ended_one(run_jobs, staff):
    job_id = start_task(task_name="probe_add", args=[1], user=staff)
    with pytest.raises(JobStillLive):
        retry_job(job_id=job_id, user=staff)
    run_jobs()
    new_id = retry_job(job_id=job_id, user=staff)
    run_jobs()
    assert str(Job.objects.get(pk=new_id).retry_of) == str(job_id)
    assert Job.objects.get(pk=new_id).result == 2


def test_it_does_not_repeat_a_job_whose_arguments_were_shortened(run_jobs, staff):
    job_id = start_task(task_name="probe_count", args=[list(range(30))], user=staff)
    run_jobs("positions")
    assert Job.objects.get(pk=job_id).result == 30
    assert Job.objects.get(pk=job_id).args == [[0, 1, 2, {"omitted_items": 27}]]
    with pytest.raises(JobNotRepeatable):
        retry_job(job_id=job_id, user=staff)


def test_it_hides_secrets_in_the_arguments(run_jobs):
    job_id = probe.probe_secret.delay({"password": "hunter2", "name": "x"})
    run_jobs()
    assert Job.objects.get(pk=job_id).args == [{"password": "[hidden]", "name": "x"}]


def test_it_hides_secrets_in_what_a_running_job_says(run_jobs):
    probe.probe_shown_progress.delay("xyzzy-4711")
    run_jobs()
    assert probe.ledger() == ["as [hidden]"]


def test_it_keeps_progress(run_jobs):
    job_id = probe.probe_progress.delay(5)
    run_jobs()
    assert Job.objects.get(pk=job_id).progress == {"current": 5, "total": 5, "message": "counting"}


def test_it_gives_a_dead_consumers_jobs_back_and_fences_the_dead(run_jobs):
    job_id = probe.probe_note.delay("once")
    queue = JobQueue("positions", client())
    dead = queue.fetch("dead", 10).claims
    assert queue.recover("dead", "was killed", dead_after_seconds=0, running=None) == (1, 0)
    assert queue.finish([(dead[0], JobState.SUCCEEDED)]) == 0
    run_jobs()
    assert Job.objects.get(pk=job_id).attempt_count == 2
    assert probe.ledger() == ["once"]


def test_it_fails_a_job_that_lost_three_workers(run_jobs):
    job_id = probe.probe_note.delay("poison")
    queue = JobQueue("positions", client())
    for _ in range(3):
        make_due("positions")
        queue.promote()
        queue.fetch("dead", 10)
        queue.recover("dead", "was killed by SIGSEGV", dead_after_seconds=0, running=[str(job_id)])
    run_jobs()
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.error_class) == ("failed", "JobLost")
    assert "SIGSEGV" in job.error_message
    assert probe.ledger() == []


def test_it_does_not_blame_the_jobs_that_only_waited_in_a_dead_workers_batch(run_jobs):
    job_ids = [probe.probe_note.delay(str(number)) for number in range(3)]
    queue = JobQueue("positions", client())
    queue.fetch("dead", 10)
    queue.recover("dead", "was killed", dead_after_seconds=0, running=[str(job_ids[0])])
    run_jobs()
    counts = [Job.objects.get(pk=job_id).attempt_count for job_id in job_ids]
    assert counts == [2, 1, 1]


def test_it_does_not_run_again_what_has_a_stored_success(run_jobs):
    probe.probe_note.delay("once")
    queue = JobQueue("positions", client())
    worker = Worker("positions", "dying", client())
    worker.queue.finish = lambda ended: 0  # dies between the commit and the acknowledgement
    worker.turn(None)
    assert queue.recover("dying", "was killed", dead_after_seconds=0, running=None) == (1, 0)
    run_jobs()
    assert probe.ledger() == ["once"]
    assert waiting_jobs(queue) == 0


def test_it_hands_back_what_it_did_not_begin(run_jobs):
    for number in range(3):
        probe.probe_note.delay(str(number))
    worker = Worker("positions", "leaving", client())
    worker.jobs.add(worker.queue.fetch("leaving", 10).claims)
    worker.shut_down()
    run_jobs()
    assert sorted(probe.ledger()) == ["0", "1", "2"]
    assert set(Job.objects.values_list("attempt_count", flat=True)) == {1}


def test_it_accepts_django_q_async_task_for_registered_tasks_only(run_jobs):
    job_id = django_q.tasks.async_task("probe_add", 4, b=5)
    by_function = django_q.tasks.async_task(probe.probe_add, 1)
    run_jobs()
    assert Job.objects.get(pk=job_id).result == 9
    assert Job.objects.get(pk=by_function).result == 2
    with pytest.raises(UnknownTask):
        django_q.tasks.async_task("os.system", "true")


def test_it_lists_live_and_ended_jobs_page_by_page(run_jobs, staff, charlie):
    ended = [start_task(task_name="probe_add", args=[number], user=staff) for number in range(5)]
    run_jobs()
    live = start_task(task_name="probe_add", args=[987654321], user=staff)
    first = list_jobs(user=staff, filters=JobFilters(task="probe_add"), limit=3)
    second = list_jobs(user=staff, filters=JobFilters(task="probe_add"), limit=3, cursor=first.next_cursor)
    assert first.jobs[0].id == live
    assert {view.id for view in first.jobs[1:] + second.jobs} == set(ended)
    assert second.next_cursor is None
    assert list_jobs(user=charlie, filters=JobFilters()).jobs == []
    assert [view.id for view in list_jobs(user=staff, filters=JobFilters(state=JobState.QUEUED)).jobs] == [live]
    assert [view.id for view in list_jobs(user=staff, filters=JobFilters(search="987654321")).jobs] == [live]


def waiting_jobs(queue: JobQueue) -> int:
    return sum(client().xlen(stream) for stream in queue.keys.streams)


def list_live(job_id):
    return find_job(job_id, user=SHELL)


def test_a_job_that_was_asked_to_stop_in_a_workers_hands_does_not_run_when_it_is_handed_back(run_jobs):
    jobs = [probe.probe_note.delay("queue"), probe.lanes.lane_note.delay("van", "lane")]
    worker = Worker("positions", "w", client())
    for _ in jobs:
        worker.jobs.add(worker.queue.fetch("w", 10).claims)
    assert [job.cancel("no") for job in jobs] == ["running", "running"]
    worker.shut_down()
    assert [job.state for job in jobs] == ["cancelled", "cancelled"]
    run_jobs()
    assert probe.ledger() == []
    assert {row.error_message for row in Job.objects.all()} == {"no"}


def test_a_unique_key_is_held_for_as_long_as_its_job_waits_and_by_no_job_that_redis_lost(run_jobs):
    keys = JobQueue("positions", client()).keys
    holder = probe.probe_note.apply_async(["a"], unique_key="only", countdown=300 * 24 * 3600)
    assert client().pttl(keys.unique("only")) > 300 * 24 * 3600 * 1000
    assert probe.probe_note.apply_async(["b"], unique_key="only") == holder
    client().delete(keys.job(str(holder)))
    other = probe.probe_note.apply_async(["c"], unique_key="only")
    assert other != holder
    assert probe.probe_note.apply_async(["d"], unique_key="only") == other
