"""Tasks whose successes leave no row: `@task(keeps_successes=False)`."""

from __future__ import annotations

import pytest

from tasks_app.engine import UnknownJob, chain, group
from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.engine.testing import inline_jobs
from tasks_app.engine.workers.worker import Worker
from tasks_app.models import Job
from tests.support.jobs import make_due
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)


def live_keys() -> int:
    """Return how many jobs are left in the queue."""
    keys = JobQueue("positions", client()).keys
    return sum(client().xlen(stream) for stream in keys.streams) + client().zcard(keys.delayed)


def done_count() -> int:
    """Return how many jobs the figures of the queue count as ended."""
    return sum(map(int, client().hvals(JobQueue("positions", client()).keys.done)))


def test_a_success_is_acknowledged_without_a_row_and_counted(run_jobs):
    jobs = [probe.probe_unkept.delay(), probe.probe_add.delay(1), probe.probe_unkept.delay()]
    assert run_jobs() == 3
    assert list(Job.objects.values_list("task", flat=True)) == ["probe_add"]
    assert (live_keys(), done_count()) == (0, 3)
    assert [job.state for job in jobs] == ["succeeded"] * 3


def test_its_handle_knows_the_end_for_a_minute_and_not_the_result(run_jobs):
    job = probe.probe_unkept.delay()
    assert (job.state, job.wait(0)) == ("queued", False)
    run_jobs()
    assert (job.state, job.wait(0), job.get(1), job.result) == ("succeeded", True, None, None)
    tombstone = JobQueue("positions", client()).keys.job(str(job))
    assert 0 < client().pttl(tombstone) <= 60_000
    client().delete(tombstone)
    for ask in (lambda: job.state, lambda: job.result, lambda: job.wait(0)):
        with pytest.raises(UnknownJob):
            ask()


def test_failures_cancellations_and_late_successes_keep_their_rows(run_jobs):
    bad, late, cancelled = probe.probe_unkept.delay(9), probe.probe_unkept.delay(1), probe.probe_unkept.delay()
    cancelled.cancel()
    run_jobs()
    make_due("positions")
    run_jobs()
    states = {job.pk: (job.state, len(job.attempts)) for job in Job.objects.all()}
    assert states == {bad: ("failed", 2), late: ("succeeded", 1), cancelled: ("cancelled", 0)}


def test_jobs_that_others_ask_after_keep_their_rows(run_jobs, operator):
    of_person = probe.probe_unkept.apply_async(requested_by=operator)
    of_schedule = probe.probe_unkept.apply_async(schedule_id=1)
    again = probe.probe_unkept.apply_async(retry_of=of_person)
    members = group([probe.probe_unkept.si(), probe.probe_unkept.si()]).delay()
    steps = chain(probe.probe_unkept.si(), probe.probe_unkept.si()).delay()
    with_callback = probe.probe_unkept.si().on_success(probe.probe_result.s()).delay()
    run_jobs()
    asked = {of_person, of_schedule, again, with_callback, members, steps, *members.children, *steps.children}
    assert len(asked) == 10
    assert set(Job.objects.filter(pk__in=asked, state="succeeded").values_list("pk", flat=True)) == asked
    assert members.result == [1, 1]


def test_after_a_crash_before_its_acknowledgement_it_runs_again(run_jobs):
    job = probe.probe_unkept.delay()
    worker = Worker("positions", "dead", client())
    worker.jobs.add(worker.queue.fetch("dead", 1).claims)
    worker._run_next(worker.jobs.begin_next("positions", flush=worker.results.flush))
    JobQueue("positions", client()).recover("dead", "was killed", dead_after_seconds=0, running=[])
    assert job.state == "queued"
    assert run_jobs() == 1
    # Nothing said that it had succeeded. From now on a row does: what was recovered once is kept.
    assert Job.objects.get(pk=job).state == "succeeded"


def test_it_is_the_same_in_jobs_that_run_inline():
    with inline_jobs() as jobs:
        done, kept = probe.probe_unkept.delay(), probe.probe_unkept.apply_async(schedule_id=1)
        bad = probe.probe_unkept.delay(9)
        assert [row.job_id for row in jobs.finished] == [str(kept), str(bad)]
        assert (done.state, done.wait(0), done.get(1), done.result) == ("succeeded", True, None, None)
        assert kept.result == 1
