"""One shape for jobs that live in Redis and jobs that ended in PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from tasks_app.engine.errors import BadPayload
from tasks_app.engine.job_fields import (
    is_job_id,
    read_failures,
    read_number,
    read_object,
    read_priority,
    read_state,
    read_text,
    read_timestamp,
)
from tasks_app.engine.live_jobs import LiveJob
from tasks_app.engine.payload import unseal
from tasks_app.engine.redaction import redact_call
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
    created_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wait_seconds: float | None = None
    run_seconds: float | None = None
    worker_host: str = ""
    worker_pid: int | None = None
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

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


def live_view(job: LiveJob) -> JobView | None:
    """The view of a job that lives; None where what Redis holds is none."""
    fields = job.fields
    state = read_state(fields.get("st"))
    if state is None or not is_job_id(job.job_id):
        return None
    failures = read_failures(fields.get("err"))
    view = JobView(
        id=UUID(job.job_id),
        task=read_text(fields.get("t")),
        queue=job.queue,
        state=state,
        created_at=read_timestamp(fields.get("enq")),
        due_at=read_timestamp(fields.get("due")),
        started_at=read_timestamp(fields.get("t0")),
        attempt_count=read_number(fields.get("att")),
        attempts=failures,
        progress=read_object(fields.get("pr")) or None,
        requested_by_id=read_number(fields.get("by")) or None,
        cancel_requested="cx" in fields,
        priority=read_priority(fields.get("pri")),
    )
    if failures:
        last = failures[-1]
        view.error_class, view.error_message, view.traceback = (
            last["error_class"],
            last["error_message"],
            last["traceback"],
        )
    _add_owner(view, fields)
    _add_call(view, fields["p"])
    return view


def _add_owner(view: JobView, fields: dict[str, bytes]) -> None:
    """The consumer's name begins with host and supervisor pid."""
    if "own" in fields:
        view.worker_host = read_text(fields["own"]).split(":")[0]
    if view.started_at and view.created_at:
        view.wait_seconds = max(0.0, (view.started_at - view.created_at).total_seconds())
        view.run_seconds = max(0.0, (timezone.now() - view.started_at).total_seconds())


def _add_call(view: JobView, message: bytes) -> None:
    try:
        payload = unseal(view.queue, str(view.id), message)
    except BadPayload:
        return
    view.args, view.kwargs = redact_call(parameter_names(payload.task), *payload.call)
    view.schedule_id = payload.schedule_id
    view.retry_of = UUID(payload.retry_of) if payload.retry_of else None


def ended_view(row: Job) -> JobView:
    """The view of a job that has its row."""
    names = JobView.__slots__
    values = {name: getattr(row, name) for name in names if hasattr(row, name) and name not in ("state",)}
    return JobView(**values, state=JobState(row.state))
