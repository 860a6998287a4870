"""Reading jobs, live (Redis) and ended (PostgreSQL), as one kind of thing."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from tasks_app.engine import inspect
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import BadPayload
from tasks_app.engine.inspect import LiveJob, QueueStats
from tasks_app.engine.payload import unseal
from tasks_app.engine.records import from_ms
from tasks_app.engine.redaction import redact
from tasks_app.engine.states import LIVE_STATES, JobState
from tasks_app.models import Job

MAX_PAGE = 200


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

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class JobFilters:
    """What to list; None means any."""

    state: JobState | None = None
    queue: str | None = None
    task: str | None = None
    worker: str | None = None
    requested_by_id: int | None = None
    created_after: datetime | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page of jobs, newest first; `next_cursor` asks for the following one."""

    jobs: list[JobView]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process. `current_task` is empty while it is idle."""

    name: str
    host: str
    pid: int
    queue: str
    current_job_id: str
    current_task: str
    heartbeat_age_seconds: float
    started_at: str
    memory_bytes: int


class InvalidCursor(ValueError):
    """The cursor was not made by list_jobs."""


def find_job(job_id: UUID | str, *, user: Any) -> JobView | None:
    """Return the job, if it exists and `user` may see it: staff all, others those they asked for."""
    live = inspect.find_live_job(client(), str(job_id))
    row = Job.objects.filter(pk=job_id).first()
    view = _ended_view(row) if row else _live_view(live) if live else None
    return view if view and (user.is_staff or view.requested_by_id == user.pk) else None


def list_jobs(*, user: Any, filters: JobFilters, limit: int = 50, cursor: str | None = None) -> JobPage:
    """Return jobs newest first: the live ones (the newest few hundred) lead the first page, then the ended ones.

    `cursor` is the `next_cursor` of the page before. Raises InvalidCursor.
    """
    limit = max(1, min(limit, MAX_PAGE))
    live = _matching_live(user, filters) if cursor is None else []
    if filters.state in LIVE_STATES:
        return JobPage(live, None)
    rows = list(_after_cursor(_matching_ended(user, filters), cursor)[: limit + 1])
    more = len(rows) > limit
    next_cursor = _make_cursor(rows[limit - 1]) if more else None
    return JobPage(live + [_ended_view(row) for row in rows[:limit]], next_cursor)


def queue_stats() -> list[QueueStats]:
    """How every queue stands now."""
    return inspect.queue_stats(client())


def list_workers() -> list[WorkerView]:
    """The workers of every host, with the task each is on."""
    found = inspect.list_workers(client())
    tasks = {job_id: _task_of(job_id) for job_id in {worker.current_job_id for worker in found} if job_id}
    return [WorkerView(**asdict(worker), current_task=tasks.get(worker.current_job_id, "")) for worker in found]


def job_counts(hours: int = 24) -> dict[str, int]:
    """How many jobs ended in each final state in the last `hours`."""
    since = timezone.now() - timedelta(hours=hours)
    rows = Job.objects.filter(finished_at__gte=since).values("state").annotate(count=Count("pk")).order_by()
    counts = {str(state): 0 for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)}
    return counts | {row["state"]: row["count"] for row in rows}


def _task_of(job_id: str) -> str:
    live = inspect.find_live_job(client(), job_id)
    return live.fields["t"].decode() if live else ""


# --- Live jobs ---


def _matching_live(user: Any, filters: JobFilters) -> list[JobView]:
    if filters.state and filters.state not in LIVE_STATES:
        return []
    names = [name for name in engine_config().queues if filters.queue in (None, name)]
    views = [_live_view(job) for job in inspect.list_live_jobs(client(), names)]
    found = [view for view in views if _sees(user, view) and _matches(view, filters)]
    return sorted(found, key=lambda view: view.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)


def _sees(user: Any, view: JobView) -> bool:
    return user.is_staff or view.requested_by_id == user.pk


def _matches(view: JobView, filters: JobFilters) -> bool:
    return (
        filters.state in (None, view.state)
        and filters.task in (None, view.task)
        and (filters.worker is None or view.worker_host == filters.worker)
        and filters.requested_by_id in (None, view.requested_by_id)
        and (filters.created_after is None or bool(view.created_at and view.created_at >= filters.created_after))
        and (not filters.search or _mentions(view, filters.search.lower()))
    )


def _mentions(view: JobView, text: str) -> bool:
    return text in str(view.id) or text in view.task.lower() or text in json.dumps([view.args, view.kwargs]).lower()


def _live_view(job: LiveJob) -> JobView:
    fields = job.fields
    failures = json.loads(fields["err"]) if "err" in fields else []
    view = JobView(
        id=UUID(job.job_id),
        task=fields["t"].decode(),
        queue=job.queue,
        state=JobState(fields["st"].decode()),
        created_at=from_ms(int(fields["enq"])),
        due_at=from_ms(int(fields["due"])) if "due" in fields else None,
        started_at=from_ms(int(fields["t0"])) if "t0" in fields else None,
        attempt_count=int(fields.get("att", 0)),
        attempts=failures,
        progress=json.loads(fields["pr"]) if "pr" in fields else None,
        requested_by_id=int(fields["by"]) if fields.get("by") else None,
        cancel_requested="cx" in fields,
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
        view.worker_host = fields["own"].decode().split(":")[0]
    if view.started_at and view.created_at:
        view.wait_seconds = max(0.0, (view.started_at - view.created_at).total_seconds())
        view.run_seconds = max(0.0, (timezone.now() - view.started_at).total_seconds())


def _add_call(view: JobView, message: bytes) -> None:
    try:
        payload = unseal(view.queue, str(view.id), message)
    except BadPayload:
        return
    view.args, view.kwargs = redact(list(payload.call))
    view.schedule_id = payload.schedule_id
    view.retry_of = UUID(payload.retry_of) if payload.retry_of else None


# --- Ended jobs ---


def _matching_ended(user: Any, filters: JobFilters) -> QuerySet[Job]:
    jobs = Job.objects.order_by("-finished_at", "-pk")
    if not user.is_staff:
        jobs = jobs.filter(requested_by_id=user.pk)
    exact = {
        "state": str(filters.state) if filters.state else None,
        "queue": filters.queue,
        "task": filters.task,
        "worker_host": filters.worker,
        "requested_by_id": filters.requested_by_id,
        "created_at__gte": filters.created_after,
    }
    jobs = jobs.filter(**{name: value for name, value in exact.items() if value is not None})
    return jobs.filter(_search(filters.search)) if filters.search else jobs


def _search(text: str) -> Q:
    condition = Q(task__icontains=text) | Q(error_message__icontains=text) | Q(args__icontains=text)
    try:
        return condition | Q(pk=UUID(text))
    except ValueError:
        return condition


def _make_cursor(row: Job) -> str:
    return base64.urlsafe_b64encode(f"{row.finished_at.isoformat()}|{row.pk}".encode()).decode()


def _after_cursor(jobs: QuerySet[Job], cursor: str | None) -> QuerySet[Job]:
    if cursor is None:
        return jobs
    try:
        finished_at, _, job_id = base64.urlsafe_b64decode(cursor).decode().partition("|")
        before, last_id = datetime.fromisoformat(finished_at), UUID(job_id)
    except (ValueError, binascii.Error) as error:
        raise InvalidCursor("Not a cursor of this list.") from error
    return jobs.filter(Q(finished_at__lt=before) | Q(finished_at=before, pk__lt=last_id))


def _ended_view(row: Job) -> JobView:
    names = JobView.__slots__
    values = {name: getattr(row, name) for name in names if hasattr(row, name) and name not in ("state",)}
    return JobView(**values, state=JobState(row.state))
