"""A real cluster with jobs whose end cannot be written, beside sixty ordinary ones."""

from __future__ import annotations

import pytest

from tasks_app.engine.connection import client
from tasks_app.engine.streams import JobQueue
from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs.actions import cancel_job
from tests.support.cluster import running_cluster, wait_until
from tests.support.probe import poison
from tests.support.probe import tasks as probe

pytestmark = pytest.mark.django_db(transaction=True)

INNOCENTS = 60


def start(folder, *queues: str, **environment):
    names = [argument for queue in queues for argument in ("--name", queue)]
    return running_cluster(folder, *names, "--workers", "2", **environment)


def wait_for_rows(job_ids, seconds: float = 30) -> list[Job]:
    def rows() -> list[Job]:
        found = list(Job.objects.filter(pk__in=job_ids))
        return found if len(found) == len(job_ids) else []

    return wait_until(rows, seconds, lambda: f"{len(job_ids)} rows; {Job.objects.filter(pk__in=job_ids).count()} came")


def assert_each_ran_once(innocents) -> None:
    rows = wait_for_rows(innocents)
    assert {(row.state, row.attempt_count) for row in rows} == {("succeeded", 1)}
    notes = [line for line in probe.ledger() if line.startswith("innocent")]
    assert sorted(notes) == sorted(f"innocent {number}" for number in range(INNOCENTS))


def test_every_poison_gets_one_row_and_every_innocent_one_run(tmp_path, staff):
    retried = poison.poison_retried.delay()
    with start(tmp_path, "positions") as cluster, start(tmp_path, "reports") as reports:
        wait_until(lambda: len(list_workers()) == 4, what="four workers with a heartbeat")
        before = {child.pid for running in (cluster, reports) for child in running.children()}
        innocents = [probe.probe_note.delay(f"innocent {number}") for number in range(INNOCENTS // 2)]
        raised = [poison.poison_raise.delay(kind) for kind in poison.ERRORS]
        reporting = [poison.poison_progress.delay(kind) for kind in poison.PROGRESS]
        raised += [poison.poison_transaction.delay("block left by an error"), poison.poison_streams.delay()]
        innocents += [probe.probe_note.delay(f"innocent {number}") for number in range(INNOCENTS // 2, INNOCENTS)]
        assert {(row.state, row.attempt_count) for row in wait_for_rows(raised)} == {("failed", 1)}
        assert {(row.state, row.result) for row in wait_for_rows(reporting)} == {("succeeded", "done")}
        assert_each_ran_once(innocents)
        wait_until(
            lambda: client().hget(JobQueue("reports", client()).keys.job(str(retried)), "err"), what="its failure"
        )
        assert cancel_job(job_id=retried, user=staff) == "cancelled"
        assert cancel_job(job_id=probe.probe_note.apply_async(["x"], countdown=600), user=staff) == "cancelled"
        assert Job.objects.get(pk=retried).state == "cancelled"
        # No process was replaced: workers, schedulers and housekeeping are those that began.
        assert before == {child.pid for running in (cluster, reports) for child in running.children()}


@pytest.mark.parametrize("kind", ["killing", "endless"])
def test_a_text_that_ends_the_process_or_never_comes_counts_against_its_job_alone(tmp_path, kind):
    with start(tmp_path, "positions"):
        wait_until(lambda: len(list_workers()) == 2, what="two workers with a heartbeat")
        bad = poison.poison_text.delay(kind)
        innocents = [probe.probe_note.delay(f"innocent {number}") for number in range(INNOCENTS)]
        rows = wait_for_rows(innocents)
        (row,) = wait_for_rows([bad], 60)
    assert {one.state for one in rows} == {"succeeded"}
    # Only what had run beside it when it killed for the first time, and was not stored yet, may have run again.
    assert max(map(probe.ledger().count, probe.ledger())) <= 2
    expected = ("failed", "JobLost") if kind == "killing" else ("failed", "Endless")
    assert (row.state, row.error_class) == expected


def test_a_row_that_kills_its_writer_is_given_up_and_those_beside_it_are_not(tmp_path):
    innocents = [probe.probe_note.delay(f"innocent {number}") for number in range(INNOCENTS // 2)]
    bad = poison.poison_row.delay("deadly")
    innocents += [probe.probe_note.delay(f"innocent {number}") for number in range(INNOCENTS // 2, INNOCENTS)]
    with start(tmp_path, "positions", PROBE_DEADLY_ROW="deadly") as cluster:
        (row,) = wait_for_rows([bad], 40)
        rows = wait_for_rows(innocents)
        wait_until(lambda: cluster.log.read_bytes().count(b"was killed by SIGKILL; starting another") == 3, 40)
    assert (row.state, row.error_class) == ("failed", "JobLost")
    assert {one.state for one in rows} == {"succeeded"}
    # Those in its first batch may have run twice, since a death cannot say which row it was over; none ran a third time.
    assert max(one.attempt_count for one in rows) <= 2
