"""One shape for jobs that live in Redis and jobs that ended in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from tasks_app.engine.errors import BadPayload
from tasks_app.engine.flows import TASK, read_flow
from tasks_app.engine.job_fields import is_job_id
from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.payload import unseal
from tasks_app.engine.redaction import redact, redact_call
from tasks_app.engine.registry import parameter_names
from tasks_app.engine.states import LIVE_STATES, JobState
from tasks_app.models import Job


@dataclass(slots=True)
class JobView:
    """One job as people see it, whether it lives or has ended. Secrets in the arguments are hidden."""

    id: UUID
    task: str
    queue: str
    state: JobState
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: UUID | None = None
    # Of the request that made it, directly or through other jobs.
    request_id: str = ""
    created_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wait_seconds: float | None = None
    run_seconds: float | None = None
    worker_host: str = ""
    worker_pid: int | None = None
    # Name of the worker that runs it, as its heartbeats have it; empty once it ended.
    worker: str = ""
    attempt_count: int = 0
    attempts: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    logs: list[str] = field(default_factory=list)
    result: Any = None
    error_class: str = ""
    error_message: str = ""
    traceback: str = ""
    cancel_requested: bool = False
    priority: str = "normal"
    # task, group or chain.
    kind: str = TASK
    # The group or chain it is a member of, and which one; or the job whose callback it is.
    parent_id: UUID | None = None
    member_index: int | None = None

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


def live_view(job: JobHash, *, reads_message: bool = True) -> JobView | None:
    """Return the view of a job that lives; None for a hash whose state or id is none.

    Without its message it lacks arguments, schedule, group and what it repeats.
    """
    if job.state is None or not is_job_id(job.job_id):
        return None
    view = JobView(
        id=UUID(job.job_id),
        task=job.task,
        queue=job.queue,
        state=job.state,
        created_at=job.created_at,
        due_at=job.due_at,
        started_at=job.started_at,
        attempt_count=job.attempt_count,
        attempts=job.failures,
        progress=job.progress,
        requested_by_id=job.requested_by_id,
        cancel_requested=job.cancellation is not None,
        priority=job.priority,
        kind=job.kind or TASK,
        worker=job.owner,
        **_place_of(job.owner),
    )
    if job.failures:
        last = job.failures[-1]
        view.error_class, view.error_message, view.traceback = (
            last["error_class"],
            last["error_message"],
            last["traceback"],
        )
    if view.started_at and view.created_at:
        view.wait_seconds = max(0.0, (view.started_at - view.created_at).total_seconds())
        view.run_seconds = max(0.0, (timezone.now() - view.started_at).total_seconds())
    if reads_message:
        _add_call(view, job.message)
    return view


def _place_of(worker: str) -> dict[str, Any]:
    """Return host and process id, with which the name of a worker begins."""
    host, pid, *_rest = (*worker.split(":"), "")
    return {"worker_host": host, "worker_pid": int(pid) if pid.isdecimal() else None}


def _add_call(view: JobView, message: bytes) -> None:
    try:
        payload = unseal(view.queue, str(view.id), message)
    except BadPayload:
        return
    view.args, view.kwargs = redact_call(parameter_names(payload.task), *payload.call)
    view.schedule_id = payload.schedule_id
    view.request_id = payload.request_id or ""
    view.retry_of = UUID(payload.retry_of) if payload.retry_of else None
    view.parent_id = UUID(payload.flow.parent_id) if payload.flow and payload.flow.parent_id else None
    view.member_index = payload.member_index


def ended_view(row: Job) -> JobView:
    """The view of a job that has its row."""
    names = JobView.__slots__
    values = {name: getattr(row, name) for name in names if hasattr(row, name) and name not in ("state",)}
    # Kept as the task gave it, for callers that wait for it; nobody reads its secrets on a page.
    values["result"] = redact(values["result"])
    flow = read_flow(row.flow)
    kind = flow.composite.kind if flow and flow.composite else TASK
    return JobView(**values, state=JobState(row.state), kind=kind)
