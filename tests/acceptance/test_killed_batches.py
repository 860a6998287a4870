"""A real cluster whose workers die inside of a batch, or pass its time limit."""

from __future__ import annotations

import os
import signal

import pytest

from tasks_app.models import Job
from tasks_app.queries.jobs import list_workers
from tasks_app.services.jobs.actions import cancel_job
from tests.support.cluster import running_cluster, wait_until
from tests.support.probe.batched import batches, probe_batched, probe_batched_other

pytestmark = pytest.mark.django_db(transaction=True)

INNOCENTS = [f"i{number}" for number in range(20)]


def rows_of(ids, seconds: float = 40) -> list[Job]:
    wait_until(lambda: Job.objects.filter(pk__in=ids).count() == len(ids), seconds, lambda: f"rows; {batches()}")
    found = Job.objects.in_bulk(ids)
    return [found[job_id] for job_id in ids]


def start(folder):
    return running_cluster(folder, "--name", "positions", "--workers", "1")


def batch_with(text: str) -> list[str]:
    """Return the texts of the first batch of several that had this one."""
    return next(line.split() for line in batches() if text in line.split() and " " in line)


@pytest.mark.parametrize("how", ["exit", "segfault"])
def test_a_job_that_kills_workers_costs_those_of_its_batch_one_run_and_fails_alone(tmp_path, how):
    texts = [*INNOCENTS[:6], how, *INNOCENTS[6:]]
    ids = [probe_batched.delay(text) for text in texts]
    with start(tmp_path):
        rows = dict(zip(texts, rows_of(ids), strict=True))
    assert (rows[how].state, rows[how].error_class) == ("failed", "JobLost")
    together = batch_with(how)
    assert len(together) > 2
    # It ran once with others and twice alone; three lost workers are the limit.
    assert [line.split() for line in batches() if how in line.split()] == [together, [how], [how]]
    for text in INNOCENTS:
        assert (rows[text].state, rows[text].result) == ("succeeded", text.upper())
        assert rows[text].attempt_count == (2 if text in together else 1)
    for text in set(together) - {how}:
        assert [line for line in batches() if text in line.split()] == [" ".join(together), text]


def test_a_worker_killed_inside_a_batch_counts_as_a_loss_of_each_job(tmp_path):
    ids = [probe_batched.delay(text) for text in ("a", "b", "sleep3", "c", "d")]
    with start(tmp_path):
        wait_until(lambda: any("sleep3" in line for line in batches()), what="the batch to run")
        (worker,) = list_workers()
        os.kill(worker.pid, signal.SIGKILL)
        rows = rows_of(ids)
    together = batch_with("sleep3")
    assert {row.state for row in rows} == {"succeeded"}
    counts = dict(zip(("a", "b", "sleep3", "c", "d"), (row.attempt_count for row in rows), strict=True))
    assert {text for text, count in counts.items() if count == 2} == set(together)
    assert set(together) <= set(batches())


def test_a_job_that_passes_the_time_limit_fails_alone(tmp_path):
    texts = ("a", "b", "sleep30", "c", "d", "e")
    ids = [probe_batched_other.delay(text) for text in texts]
    with start(tmp_path):
        rows = dict(zip(texts, rows_of(ids), strict=True))
    assert (rows["sleep30"].state, rows["sleep30"].error_class) == ("failed", "JobTimeout")
    assert {rows[text].state for text in texts if text != "sleep30"} == {"succeeded"}
    assert {row.attempt_count for row in rows.values()} == {1}


def test_one_job_of_a_long_batch_is_cancelled_and_the_others_start_again(tmp_path, staff):
    texts = ("a", "sleep4", "c")
    ids = [probe_batched.delay(text) for text in texts]
    with start(tmp_path):
        wait_until(lambda: "sleep4 c" in batches(), what="the batch to run")
        cancel_job(job_id=ids[1], user=staff)
        rows = rows_of(ids)
    assert [row.state for row in rows] == ["succeeded", "cancelled", "succeeded"]
    assert batches() == ["a", "sleep4 c", "c"]
