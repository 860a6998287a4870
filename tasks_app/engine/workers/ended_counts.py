"""Counting attempts that ended, many at a time: a few microseconds for a batch, and a fraction of one for each job."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from operator import attrgetter

from tasks_app.engine.attempt import Attempt
from tasks_app.engine.metrics.jobs import JOB_ATTEMPTS, JOB_RUN_SECONDS, JOB_WAIT_SECONDS, JOBS_FINISHED
from tasks_app.engine.records import FinishedJob

RETRIED = "retried"
_task = attrgetter("task")
_state = attrgetter("state")


def count_ended(queue: str, ended: Sequence[tuple[Attempt, FinishedJob]]) -> None:
    """Count attempts that were the last of their jobs, with the rows they have or would have."""
    for attempts, rows in _by_task(ended):
        task = attempts[0].task_label
        for state, count in Counter(map(_state, rows)).items():
            JOBS_FINISHED.add(count, queue, task, str(state))
            JOB_ATTEMPTS.add(count, queue, task, str(state))
        _note_times(queue, task, attempts)


def count_retried(attempt: Attempt) -> None:
    """Count an attempt that failed and is tried again."""
    JOB_ATTEMPTS.add(1, attempt.queue, attempt.task_label, RETRIED)
    _note_times(attempt.queue, attempt.task_label, [attempt])


def _by_task(
    ended: Sequence[tuple[Attempt, FinishedJob]],
) -> Sequence[tuple[Sequence[Attempt], Sequence[FinishedJob]]]:
    attempts, rows = zip(*ended, strict=True)
    if len(set(map(_task, attempts))) == 1:
        # As nearly always.
        return [(attempts, rows)]
    found: dict[str, tuple[list[Attempt], list[FinishedJob]]] = defaultdict(lambda: ([], []))
    for attempt, row in ended:
        of_task = found[attempt.task_label]
        of_task[0].append(attempt)
        of_task[1].append(row)
    return list(found.values())


def _note_times(queue: str, task: str, attempts: Sequence[Attempt]) -> None:
    """Note for how long they waited and ran. The end of a group has waited for its members."""
    runs = [(one.finished_at - one.started_at).total_seconds() for one in attempts if one.finished_at]
    waits = [
        one.started_at.timestamp() - one.claim.created_ms / 1000
        for one in attempts
        if one.claim.attempt == 1 and not one.is_end_of_group
    ]
    JOB_RUN_SECONDS.observe(runs, queue, task)
    JOB_WAIT_SECONDS.observe(waits, queue, task)
