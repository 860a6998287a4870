"""Values that the engine hands to the job store, and the interfaces of the modules named in settings."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import msgspec

from tasks_app.engine.config import engine_config
from tasks_app.engine.states import JobState


class FinishedJob(msgspec.Struct, omit_defaults=True):
    """The row of a job that ended. Times are aware and in UTC. A worker makes one per job: a dataclass takes 1 us longer.

    Written as JSON it has only the fields that differ from their defaults.
    """

    job_id: str
    task: str
    queue: str
    state: JobState
    created_at: datetime
    finished_at: datetime
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    result: Any = None
    error_class: str = ""
    error_message: str = ""
    traceback: str = ""
    attempts: list[dict[str, Any]] = []
    attempt_count: int = 0
    progress: dict[str, Any] | None = None
    logs: list[str] = []
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: str | None = None
    started_at: datetime | None = None
    wait_seconds: float | None = None
    run_seconds: float | None = None
    worker_host: str = ""
    worker_pid: int | None = None
    priority: str = "normal"
    # The group or chain it is a member of, or the job whose callback it is.
    parent_id: str | None = None
    member_index: int | None = None
    # What it has to do with other jobs, without secrets (engine.flows.Flow); None for most jobs.
    flow: dict[str, Any] | None = None
    # Of the request that made it, directly or through other jobs; "" for none.
    request_id: str = ""
    # Traceparent of the span in which it was made. No row has it: jobs that follow this one do.
    trace: str = ""
    # The group of django-q2 that it was enqueued under, "" for none.
    label: str = ""


class JobStore(Protocol):
    """Interface of the module named by TASK_ENGINE["JOB_STORE"]."""

    def store_finished(self, jobs: list[FinishedJob]) -> int:
        """Write all rows; a job that has a row keeps it. Return how many were new. May raise for any: see `engine.storing`."""

    def stored_states(self, job_ids: list[str]) -> dict[str, str]:
        """Return the final state of those of the jobs that have a row."""

    def find_ended(self, job_ids: list[str]) -> dict[str, FinishedJob]:
        """Return the rows of those of the jobs that have one, by id."""

    def find_labelled(self, label: str) -> list[FinishedJob]:
        """Return the rows of jobs with this label, in the order in which they ended."""

    def count_labelled(self, label: str, *, failed_only: bool) -> int:
        """Return how many jobs with this label have a row."""

    def remove_label(self, label: str) -> int:
        """Take the label off all rows; return their number."""

    def find_finished(self, job_id: str) -> FinishedJob | None:
        """Return the row of this job, None when it has none."""

    def find_results(self, job_ids: list[str]) -> dict[str, Any]:
        """Return the results of those of the jobs that have a row, by id."""

    def claim_lanes(self, queue: str, lanes: list[int], holder: str) -> dict[int, int]:
        """Note the new holder of these lanes; return the next epoch of each.

        A lane is left out while a former holder is inside a transaction that called `hold_lanes`.
        """

    def hold_lanes(self, queue: str, lanes: Collection[int]) -> dict[int, int]:
        """Let nobody claim these lanes before the present transaction ends; return the epochs of those that were claimed."""


_stores: list[JobStore] = []


def job_store() -> JobStore:
    """Return the module named by TASK_ENGINE["JOB_STORE"], or the one that `use_job_store` puts in its place."""
    return _stores[-1] if _stores else cast(JobStore, importlib.import_module(engine_config().job_store))


@contextmanager
def use_job_store(store: JobStore) -> Iterator[None]:
    """Keep rows in `store` inside the block, in every thread. Nests."""
    _stores.append(store)
    try:
        yield
    finally:
        _stores.remove(store)


class Schedules(Protocol):
    """Interface of the module named by TASK_ENGINE["SCHEDULES"]."""

    def run_due_schedules(self, now: datetime) -> int:
        """Enqueue the jobs of schedules that are due; return how many were made."""


def from_ms(value: int | float) -> datetime:
    """Return milliseconds since the epoch as an aware datetime."""
    return datetime.fromtimestamp(value / 1000, UTC)
