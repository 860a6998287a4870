"""Jobs and queues as they are now, for people who watch them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from tasks_app.engine.states import FINAL_STATES
from tasks_app.models import FleetRole
from tasks_app.queries.access import Right, has_everywhere, visible_fleets
from tasks_app.queries.jobs import JobView, find_job, find_jobs, queue_stats

VIEW_QUEUES = Right(FleetRole.VIEWER, "tasks_app.view_job")
# One reading serves everybody who watches within this time.
FRESH_SECONDS = 0.9
NOT_FOUND = "not_found"


class JobNow(msgspec.Struct, frozen=True):
    """A job as it is now; its state is `not_found` where the user sees no such job."""

    task_id: UUID
    state: str
    task: str = ""
    queue: str = ""
    progress: dict[str, Any] | None = None
    attempt_count: int = 0
    error_class: str = ""
    error_message: str = ""

    @property
    def has_ended(self) -> bool:
        return self.state in FINAL_STATES or self.state == NOT_FOUND


class QueueNow(msgspec.Struct, frozen=True):
    """A queue as it is now."""

    name: str
    depth: int
    running: int
    scheduled: int
    retrying: int
    paused: bool
    workers: int
    per_minute: float


def jobs_now(job_ids: Sequence[UUID], *, user: Any) -> list[JobNow]:
    """Return these jobs as `user` may see them."""
    found = {job.id: job for job in find_jobs(job_ids, user=user)}
    # A job that is shared with the user is looked for by itself.
    return [_job_now(job_id, found.get(job_id) or find_job(job_id, user=user)) for job_id in job_ids]


def queues_now(user: Any) -> list[QueueNow]:
    """Return the queues, none to a user who may not see them."""
    if not has_everywhere(user, VIEW_QUEUES) and not visible_fleets(user, VIEW_QUEUES).exists():
        return []
    return _latest.queues()


def _job_now(job_id: UUID, job: JobView | None) -> JobNow:
    if job is None:
        return JobNow(job_id, NOT_FOUND)
    return JobNow(
        job.id, str(job.state), job.task, job.queue, job.progress, job.attempt_count, job.error_class, job.error_message
    )


class _Latest:
    """The last reading of the queues in this process."""

    def __init__(self) -> None:
        self._read_at = 0.0
        self._queues: list[QueueNow] = []

    def queues(self) -> list[QueueNow]:
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            fields = QueueNow.__struct_fields__
            self._queues = [QueueNow(**{name: getattr(one, name) for name in fields}) for one in queue_stats()]
            self._read_at = time.monotonic()
        return self._queues


_latest = _Latest()
