"""Columns of a list of jobs, fitted to their state: when one starts, how long it waits, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tasks_app.admin.common import MISSING, format_seconds, format_time
from tasks_app.engine import JobState
from tasks_app.queries.jobs import JobView

LATE_SECONDS = 60


@dataclass(frozen=True)
class Cell:
    """One cell of a row; `label` is the name of its column."""

    label: Any
    value: Any
    # Left out on a phone.
    is_minor: bool = False


@dataclass(frozen=True)
class RowFacts:
    """Facts of a row beside its job."""

    requested_by: str
    # Who cancelled it and why, empty for any other.
    cancelled: str
    # Names of the workers that have a heartbeat; None where nobody asked.
    workers: frozenset[str] | None


Column = tuple[Any, Callable[[JobView, RowFacts], Any], bool]

_QUEUE: Column = (gettext_lazy("Queue"), lambda job, facts: job.queue, True)
_BY: Column = (gettext_lazy("Requested by"), lambda job, facts: facts.requested_by, True)
_CREATED: Column = (gettext_lazy("Created"), lambda job, facts: format_time(job.created_at), False)
_ENDED: Column = (gettext_lazy("Ended"), lambda job, facts: format_time(job.finished_at), False)
_WAITED: Column = (gettext_lazy("Waited"), lambda job, facts: format_seconds(job.wait_seconds), True)
_RAN: Column = (gettext_lazy("Ran"), lambda job, facts: format_seconds(job.run_seconds), False)
_ATTEMPTS: Column = (gettext_lazy("Attempts"), lambda job, facts: job.attempt_count, True)
_WORKER: Column = (gettext_lazy("Worker"), lambda job, facts: _worker(job), True)
_COLUMNS: dict[JobState | None, Sequence[Column]] = {
    None: (_QUEUE, _BY, (gettext_lazy("When"), lambda job, facts: _when(job), False), _WAITED, _RAN),
    JobState.SCHEDULED: (
        _QUEUE,
        _BY,
        _CREATED,
        (gettext_lazy("Starts"), lambda job, facts: format_time(job.due_at), False),
    ),
    JobState.QUEUED: (
        _QUEUE,
        _BY,
        (gettext_lazy("Waits for"), lambda job, facts: format_seconds(waiting_seconds(job)), False),
    ),
    JobState.RUNNING: (
        _QUEUE,
        _BY,
        (gettext_lazy("Started"), lambda job, facts: format_time(job.started_at), True),
        (gettext_lazy("Runs for"), lambda job, facts: format_seconds(job.run_seconds), False),
        _WORKER,
    ),
    JobState.RETRYING: (
        _QUEUE,
        _BY,
        _ATTEMPTS,
        (gettext_lazy("Next attempt"), lambda job, facts: format_time(job.due_at), False),
    ),
    JobState.SUCCEEDED: (_QUEUE, _BY, _ENDED, _WAITED, _RAN, _WORKER),
    JobState.FAILED: (_QUEUE, _BY, _ENDED, _RAN, _ATTEMPTS),
    JobState.CANCELLED: (
        _QUEUE,
        _BY,
        _ENDED,
        (gettext_lazy("Cancelled by"), lambda job, facts: _shortened(facts.cancelled) or MISSING, False),
    ),
}


def cells_of(job: JobView, facts: RowFacts, state: JobState | None) -> list[Cell]:
    """The cells of a job in the list of a state; None is the list of all."""
    return [Cell(label, value(job, facts), is_minor) for label, value, is_minor in _COLUMNS[state]]


def mark_of(job: JobView, facts: RowFacts) -> tuple[str, str]:
    """A word on what the state does not say, and its badge: late, retrying in so long, worker lost. Empty without one."""
    if job.cancel_requested and job.is_live:
        return _("being cancelled"), "warning"
    if job.state is JobState.RETRYING and job.due_at and job.due_at > timezone.now():
        return _("retrying in %s") % format_seconds(_seconds_until(job.due_at)), "warning"
    if job.state is JobState.RUNNING and job.worker and facts.workers is not None and job.worker not in facts.workers:
        return _("worker lost"), "danger"
    if waiting_seconds(job) > LATE_SECONDS:
        return _("late"), "warning"
    return "", ""


def waiting_seconds(job: JobView) -> float:
    """How long a job has been due and not started; 0 for one that need not wait any more."""
    due_at = max(filter(None, (job.created_at, job.due_at)), default=None)
    if job.state not in (JobState.SCHEDULED, JobState.QUEUED) or due_at is None:
        return 0.0
    return max(0.0, -_seconds_until(due_at))


def _seconds_until(at: datetime) -> float:
    return (at - timezone.now()).total_seconds()


def _when(job: JobView) -> Any:
    """The time of a job in the list of all: when it will start, else its end, its start, or when it was made."""
    if job.state is JobState.SCHEDULED:
        return format_time(job.due_at)
    return format_time(job.finished_at or job.started_at or job.created_at)


def _worker(job: JobView) -> str:
    return f"{job.worker_host} · {job.worker_pid}" if job.worker_host else MISSING


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
