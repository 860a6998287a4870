"""Many jobs cancelled or retried by one job: which are meant, what is counted, as whom it acts, and interruptions."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from tasks_app.engine import JobHandle, JobState, QueueFull, TaskNotPermitted, chain, get_task, group
from tasks_app.engine import connection as engine_connection
from tasks_app.engine.clusters.housekeeping import describe_worker
from tasks_app.engine.streams import JobQueue
from tasks_app.exceptions import JobNotRepeatable
from tasks_app.models import BulkAction, Job, JobAction
from tasks_app.queries.bulk_counts import count_chosen, count_matching
from tasks_app.queries.jobs import JobFilters, find_job, list_jobs, repeats_of
from tasks_app.services.jobs import CHANGE_TASK, ask_for_bulk_action, cancel_job, pause_queue, retry_job, start_task
from tasks_app.services.jobs.bulk import running, selecting
from tasks_app.services.jobs.bulk.steps import change_chunk
from tests.support.cluster import wait_until
from tests.support.jobs import make_due, queue_limit
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)
POSITIONS = JobFilters(queue="positions")
BULK_QUEUES = ("cleanup", "reports", "notifications")


def result_of(job_id) -> dict:
    row = Job.objects.get(pk=job_id)
    assert row.state == "succeeded", row.error_message
    return row.result


def numbers(counts) -> list[tuple]:
    return [(each.state and str(each.state), each.count.number, each.code) for each in counts]


# --- What it does ---


def test_it_cancels_the_chosen_jobs_and_says_which_it_skipped_and_why(run_jobs, staff):
    ended = probe.probe_add.delay(1)
    run_jobs("positions")
    cancelled = probe.probe_add.delay(2)
    cancel_job(job_id=cancelled, user=staff)
    waiting = [probe.probe_add.delay(3), probe.probe_progress.delay(1), probe.probe_add.apply_async([4], countdown=99)]
    unknown = uuid4()
    ids = [ended, cancelled, *waiting, waiting[0], unknown]
    assert numbers(count_chosen(user=staff, job_ids=ids, verb="cancel")) == [
        ("scheduled", 1, ""),
        ("queued", 2, ""),
        ("succeeded", 1, "job_already_finished"),
        ("cancelled", 1, "already_cancelled"),
        (None, 1, "not_found"),
    ]
    job = ask_for_bulk_action(verb="cancel", user=staff, job_ids=ids, reason="all of it")
    run_jobs("cleanup")
    result = result_of(job)
    assert (result["total"], result["changed"], result["more"]) == (6, 3, False)
    assert result["skipped_ids"] == {
        "job_already_finished": [str(ended)],
        "already_cancelled": [str(cancelled)],
        "not_found": [str(unknown)],
    }
    assert Job.objects.filter(pk__in=waiting, state="cancelled").count() == 3
    assert JobAction.objects.filter(verb="cancel", reason="all of it", user=staff).count() == 3
    assert JobAction.objects.get(job_id=job).reason == "all of it"
    assert Job.objects.get(pk=job).requested_by_id == staff.pk


def test_it_retries_the_chosen_jobs_and_says_which_it_skipped(run_jobs, staff):
    failed = [probe.probe_fail_for_good.delay(str(number)) for number in range(3)]
    run_jobs("positions")
    live = probe.probe_add.delay(1)
    job = ask_for_bulk_action(verb="retry", user=staff, job_ids=[*failed, live])
    run_jobs("cleanup")
    assert (result_of(job)["changed"], result_of(job)["skipped_ids"]) == (3, {"job_still_live": [str(live)]})
    run_jobs("positions")
    again = {row.retry_of: row.pk for row in Job.objects.filter(retry_of__isnull=False)}
    assert set(again) == set(failed)
    assert all(repeats_of(one) == [again[one]] for one in failed)


def test_it_runs_waiting_jobs_now_and_leaves_the_others(run_jobs, staff, staff_api):
    later = [probe.probe_add.apply_async([number], countdown=999) for number in range(3)]
    queued = probe.probe_add.delay(9)
    dry = staff_api.post(
        "/api/tasks/run-now", {"filter": {"queue": "positions"}, "dry_run": True}, format="json"
    ).json()
    assert [(each["state"], each["count"]) for each in dry["changed"]] == [("scheduled", 3)]
    body = {"ids": [str(one) for one in (*later, queued)], "reason": "now"}
    accepted = staff_api.post("/api/tasks/run-now", body, format="json")
    assert accepted.status_code == 202
    run_jobs(*BULK_QUEUES)
    result = result_of(accepted.json()["task_id"])
    assert (result["changed"], result["skipped"]) == (3, {"job_not_waiting": 1})
    run_jobs("positions")
    assert Job.objects.filter(pk__in=later, state="succeeded").count() == 3
    assert JobAction.objects.filter(verb="run_now", user=staff).count() == 3


def test_filters_mean_all_that_match_not_only_a_page(run_jobs, staff):
    get_task("sweep_stuck_deliveries").enqueue_many([[]] * 450)
    other = get_task("cleanup_expired_sessions").delay()
    filters = JobFilters(task="sweep_stuck_deliveries")
    assert numbers(count_matching(user=staff, filters=filters, verb="cancel")) == [("queued", 450, "")]
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=filters)
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 450
    assert Job.objects.filter(task="sweep_stuck_deliveries", state="cancelled").count() == 450
    assert Job.objects.get(pk=other).state == "succeeded"
    assert Job.objects.get(pk=job).progress == {"current": 450, "total": 450, "message": ""}


def test_a_job_that_is_tried_again_while_jobs_are_looked_for_is_found(run_jobs, staff, monkeypatch):
    retried = probe.probe_fail.delay("x")
    run_jobs("positions")
    assert find_job(retried, user=staff).state is JobState.RETRYING

    def looked_for(*, filters, **options):
        if filters.state is JobState.RUNNING:
            make_due("positions")
            JobQueue("positions", engine_connection.client()).promote()
        return list_jobs(filters=filters, **options)

    monkeypatch.setattr(selecting, "list_jobs", looked_for)
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=POSITIONS)
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 1
    assert Job.objects.get(pk=retried).state == "cancelled"


def test_without_a_state_it_cancels_what_has_not_ended_and_retries_what_failed(run_jobs, staff):
    failed = probe.probe_fail_for_good.delay("broken")
    succeeded = probe.probe_add.delay(1)
    run_jobs("positions")
    live = {probe.probe_add.delay(2), probe.probe_add.apply_async([3], countdown=99)}
    counts = numbers(count_matching(user=staff, filters=POSITIONS, verb="cancel"))
    assert counts == [
        ("scheduled", 1, ""),
        ("queued", 1, ""),
        ("succeeded", 1, "job_already_finished"),
        ("failed", 1, "job_already_finished"),
    ]
    assert numbers(count_matching(user=staff, filters=POSITIONS, verb="retry")) == [("failed", 1, "")]
    ask_for_bulk_action(verb="retry", user=staff, filters=POSITIONS)
    run_jobs("cleanup")
    assert (len(repeats_of(failed)), repeats_of(succeeded)) == (1, [])
    ask_for_bulk_action(verb="cancel", user=staff, filters=POSITIONS)
    run_jobs("cleanup")
    assert {find_job(one, user=staff).state for one in live} == {JobState.CANCELLED}
    chosen = JobFilters(queue="positions", state=JobState.SUCCEEDED)
    ask_for_bulk_action(verb="retry", user=staff, filters=chosen)
    run_jobs("cleanup")
    assert len(repeats_of(succeeded)) == 1


def test_members_of_a_group_are_counted_and_cancelled(run_jobs, staff):
    group = probe.probe_add.enqueue_group([[1, 1], [2, 2], [3, 3]])
    filters = JobFilters(parent_id=group)
    assert numbers(count_matching(user=staff, filters=filters, verb="cancel")) == [("queued", 3, "")]
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=filters)
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 3


def test_jobs_made_after_the_count_are_not_meant(run_jobs, staff):
    early = probe.probe_add.delay(1)
    until = timezone.now()
    # Jobs keep the millisecond in which they were made.
    wait_until(lambda: timezone.now() > until + timedelta(milliseconds=2))
    late = probe.probe_add.delay(2)
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=POSITIONS, until=until)
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 1
    assert find_job(early, user=staff).state is JobState.CANCELLED
    assert find_job(late, user=staff).state is JobState.QUEUED


def test_words_for_times_and_me_mean_what_they_meant_when_it_was_asked(run_jobs, staff):
    """The worker has another clock time, and maybe another zone and language than the reader of the list."""
    row = {"task": "probe_fail_for_good", "queue": "positions", "state": "failed", "args": ["x"]}
    at = timezone.now() - timedelta(minutes=59)
    old = Job.objects.create(id=uuid4(), created_at=at, finished_at=at, **row)
    with timezone.override("Pacific/Kiritimati"):
        job = ask_for_bulk_action(verb="retry", user=staff, filters=JobFilters(search='after:1h "x" -by:me'))
    stored = BulkAction.objects.get(pk=job).filters["search"]
    assert stored.startswith("after:20")
    assert stored.endswith("x -by:staff")
    run_jobs("cleanup")
    assert len(repeats_of(old.pk)) == 1


def test_it_never_acts_on_itself(run_jobs, staff):
    waiting = get_task("cleanup_expired_sessions").apply_async(countdown=99)
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=JobFilters(queue="cleanup"))
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 1
    assert find_job(waiting, user=staff).state is JobState.CANCELLED


# --- Interrupted ---


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_what_a_killed_worker_did_is_counted_and_not_done_twice(verb, run_jobs, staff, monkeypatch):
    """The worker dies after it acted on a chunk, before that was stored."""
    if verb == "cancel":
        jobs = [probe.probe_add.delay(number) for number in range(8)]
    else:
        jobs = [probe.probe_fail_for_good.delay(str(number)) for number in range(8)]
        run_jobs("positions")
    monkeypatch.setattr(running, "CHUNK_JOBS", 3)
    count, counted = running._count, []

    def dying(action, chunk):
        counted.append(chunk)
        if len(counted) == 2:
            raise OSError("the worker dies")
        count(action, chunk)

    monkeypatch.setattr(running, "_count", dying)
    job = ask_for_bulk_action(verb=verb, user=staff, job_ids=jobs, reason="once")
    run_jobs("cleanup")
    assert find_job(job, user=staff).state is JobState.RETRYING
    assert BulkAction.objects.get().done_count == 3
    make_due("cleanup")
    run_jobs("cleanup")
    result = result_of(job)
    assert (result["total"], result["changed"], result["skipped"]) == (8, 8, {})
    assert JobAction.objects.filter(verb=verb, reason="once", user=staff).count() == 8
    run_jobs("positions")
    assert Job.objects.filter(retry_of__in=jobs).count() == (8 if verb == "retry" else 0)


def test_it_is_cancelled_half_way_and_goes_on_when_it_is_retried(run_jobs, staff, monkeypatch):
    jobs = [probe.probe_add.delay(number) for number in range(8)]
    monkeypatch.setattr(running, "CHUNK_JOBS", 3)
    job = ask_for_bulk_action(verb="cancel", user=staff, job_ids=jobs)
    store = running._change_next

    def change(action, user, **options):
        store(action, user, **options)
        cancel_job(job_id=job, user=staff, reason="enough")

    with monkeypatch.context() as patch:
        patch.setattr(running, "_change_next", change)
        run_jobs("cleanup")
    assert Job.objects.get(pk=job).state == "cancelled"
    assert Job.objects.filter(pk__in=jobs, state="cancelled").count() == 3
    again = retry_job(job_id=job, user=staff)
    run_jobs("cleanup")
    assert result_of(again)["changed"] == 8
    assert Job.objects.filter(pk__in=jobs, state="cancelled").count() == 8
    with pytest.raises(JobNotRepeatable, match="All of its jobs"):
        retry_job(job_id=again, user=staff)


def test_another_persons_cancellation_between_is_not_counted_as_its_own(run_jobs, staff):
    jobs = [probe.probe_add.delay(number) for number in range(2)]
    job = ask_for_bulk_action(verb="cancel", user=staff, job_ids=jobs)
    cancel_job(job_id=jobs[0], user=staff, reason="by hand")
    run_jobs("cleanup")
    assert (result_of(job)["changed"], result_of(job)["skipped"]) == (1, {"already_cancelled": 1})


@pytest.mark.parametrize("verb", ["cancel", "run_now"])
def test_what_another_action_did_and_has_not_stored_yet_is_not_counted_as_its_own(verb, run_jobs, staff):
    jobs = [probe.probe_add.apply_async([number], countdown=999) for number in range(2)]
    ask_for_bulk_action(verb=verb, user=staff, job_ids=jobs)
    second = ask_for_bulk_action(verb=verb, user=staff, job_ids=jobs)
    change_chunk(BulkAction.objects.exclude(pk=second).get(), jobs, staff, is_resumed=False)
    run_jobs("cleanup")
    assert (result_of(second)["changed"], sum(result_of(second)["skipped"].values())) == (0, 2)


def test_two_workers_never_carry_out_one_action_at_once(run_jobs, staff):
    waiting = probe.probe_add.delay(1)
    job = ask_for_bulk_action(verb="cancel", user=staff, job_ids=[waiting])
    with running.exclusive_lock(f"bulk_action.{job}"):
        run_jobs("cleanup")
    assert find_job(job, user=staff).error_class == "BulkActionBusy"
    make_due("cleanup")
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 1


def test_a_full_queue_holds_it_up_and_loses_nothing(run_jobs, staff, settings):
    failed = [probe.probe_fail_for_good.delay(str(number)) for number in range(3)]
    run_jobs("positions")
    job = ask_for_bulk_action(verb="retry", user=staff, job_ids=failed)
    with queue_limit(settings, 1):
        run_jobs("cleanup")
        assert find_job(job, user=staff).error_class == QueueFull.__name__
        assert BulkAction.objects.get().changed_count == 1
    make_due("cleanup")
    run_jobs("cleanup")
    assert result_of(job)["changed"] == 3


def test_what_is_chosen_has_a_bound_that_is_said(run_jobs, staff, monkeypatch):
    for number in range(5):
        probe.probe_add.delay(number)
    monkeypatch.setattr(running, "MAX_SELECTED", 3)
    job = ask_for_bulk_action(verb="cancel", user=staff, filters=POSITIONS)
    run_jobs("cleanup")
    assert (result_of(job)["changed"], result_of(job)["more"]) == (3, True)


# --- Where it runs ---


def test_it_goes_to_a_queue_with_an_idle_worker_and_past_what_waits(staff):
    """The jobs to be cancelled may be what keeps the workers of its usual queue busy."""

    def beat(queue: str, job_id: str) -> None:
        line = describe_worker(1, job_id, most_workers=1)
        JobQueue(queue, engine_connection.client()).beat({f"host-a:7:{queue}:0:x": line})

    waiting = probe.probe_add.delay(1)
    ask = {"verb": "cancel", "user": staff, "job_ids": [waiting]}
    assert ask_for_bulk_action(**ask).queue == "cleanup"
    beat("cleanup", str(waiting))
    beat("notifications", "")
    job = ask_for_bulk_action(**ask)
    assert (job.queue, find_job(job, user=staff).priority) == ("notifications", "high")
    beat("cleanup", "")
    pause_queue(name="cleanup", user=staff, now=timezone.now())
    assert ask_for_bulk_action(**ask).queue == "notifications"


def test_it_runs_on_each_of_its_queues(run_jobs, staff):
    task = get_task(CHANGE_TASK)
    for queue in BULK_QUEUES:
        waiting = probe.probe_add.delay(1)
        job = ask_for_bulk_action(verb="cancel", user=staff, job_ids=[waiting])
        cancel_job(job_id=job, user=staff)
        moved = task.on_queue(queue).apply_async((), {"action_id": str(job)}, requested_by=staff)
        run_jobs(queue)
        assert Job.objects.get(pk=moved).queue == queue
        assert result_of(moved)["changed"] == 1
    assert task.on_queue("positions") is task


def test_people_do_not_start_its_task_themselves(staff, page):
    with pytest.raises(TaskNotPermitted, match="Only code"):
        start_task(task_name=CHANGE_TASK, kwargs={"action_id": str(uuid4())}, user=staff)
    assert CHANGE_TASK not in page.get("/admin/tasks_app/job/start/").content.decode()


def test_an_action_that_cannot_be_enqueued_leaves_nothing(staff, settings):
    probe.probe_add.delay(1)
    with queue_limit(settings, 0), pytest.raises(QueueFull):
        ask_for_bulk_action(verb="cancel", user=staff, filters=POSITIONS)
    assert not BulkAction.objects.exists()
    assert not JobAction.objects.exists()
    assert len(list_jobs(user=staff, filters=JobFilters()).jobs) == 1


def test_members_are_made_again_with_their_group_and_not_beside_it(run_jobs, staff):
    inner = group([probe.probe_flaky.si("a"), probe.probe_flaky.si("b")])
    outer = group([inner, probe.probe_flaky.si("c")]).on_error(probe.probe_result.si("called", "error"))
    job = chain(probe.probe_add.s(1), outer).delay()
    probe.break_down("b", "c")
    run_jobs("positions", "reports")
    probe.break_down()
    asked = ask_for_bulk_action(verb="retry", user=staff, filters=JobFilters(state=JobState.FAILED))
    run_jobs("cleanup")
    assert result_of(asked)["total"] == 5
    assert (result_of(asked)["changed"], result_of(asked)["skipped"]) == (1, {"retried_with_group": 4})
    run_jobs("positions", "reports")
    assert sorted(probe.ledger()) == ["error called", "ran a", "ran b", "ran b", "ran c", "ran c"]
    assert JobHandle(repeats_of(job)[0]).state == "succeeded"
