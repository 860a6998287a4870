"""Reading jobs, live (Redis) and ended (PostgreSQL), as one kind of thing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from tasks_app.engine import live_jobs
from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import BadPayload
from tasks_app.engine.groups.members import children_of_ended, children_of_live
from tasks_app.engine.groups.signatures import MAX_MEMBERS
from tasks_app.engine.live_jobs import QueueStats
from tasks_app.engine.live_pages import Place, is_place, live_jobs_after
from tasks_app.engine.records import job_store
from tasks_app.engine.states import LIVE_STATES, JobState
from tasks_app.models import Job
from tasks_app.queries.access import Right, has_everywhere
from tasks_app.queries.job_views import JobView, ended_view, live_view
from tasks_app.queries.task_rights import OwnJobs
from tasks_app.signals import job_reader_asked

# Staff see all jobs as their permissions say, others those they asked for.
VIEW_JOBS = Right(None, "tasks_app.view_job", is_own=True)
MAX_PAGE = 200
# A page of live jobs looks at no more than this many; with few matches it is short, and its cursor leads on.
MAX_EXAMINED = 2000


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Filters of the job list; None means any."""

    state: JobState | None = None
    queue: str | None = None
    task: str | None = None
    worker: str | None = None
    requested_by_id: int | None = None
    created_after: datetime | None = None
    search: str | None = None
    # Members and callbacks of this job.
    parent_id: UUID | None = None


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
    """Return the job, if `user` may see it: SHELL and staff that may view jobs see all, others those they asked
    for or share."""
    live = live_jobs.find_live_job(client(), str(job_id))
    row = Job.objects.filter(pk=job_id).first()
    view = ended_view(row) if row else live_view(live) if live else None
    return view if view and (_sight(user)(view) or _shares(user, job_id)) else None


def list_jobs(*, user: Any, filters: JobFilters, limit: int = 50, cursor: str | None = None) -> JobPage:
    """Return jobs newest first: the live ones (the newest few hundred) lead the first page, then the ended ones.

    Asked for one live state, it pages through all of its jobs: queued ones newest first, running ones longest first,
    scheduled and retrying ones soonest first; such a page may hold fewer than `limit` jobs and yet have a next one.
    Those of a `parent_id` come in their order in the group, then its callbacks; such a page may be short, too.
    `cursor` is the `next_cursor` of the page before. Raises InvalidCursor.
    """
    limit = max(1, min(limit, MAX_PAGE))
    if filters.parent_id:
        return _children_page(user, filters, filters.parent_id, limit, cursor)
    if filters.state in LIVE_STATES:
        return _live_page(user, filters, filters.state, limit, cursor)
    live = _matching_live(user, filters) if cursor is None else []
    rows = list(_after_cursor(matching_ended(user, filters), cursor)[: limit + 1])
    more = len(rows) > limit
    next_cursor = _make_cursor(rows[limit - 1]) if more else None
    ended = filter(_sight(user), map(ended_view, rows[:limit]))
    return JobPage([*live, *ended], next_cursor)


def queue_stats() -> list[QueueStats]:
    """How every queue stands now."""
    return live_jobs.queue_stats(client())


def list_workers() -> list[WorkerView]:
    """The workers of every host, with the task each is on."""
    found = live_jobs.list_workers(client())
    tasks = {job_id: _task_of(job_id) for job_id in {worker.current_job_id for worker in found} if job_id}
    return [WorkerView(**asdict(worker), current_task=tasks.get(worker.current_job_id, "")) for worker in found]


def job_counts(hours: int = 24) -> dict[str, int]:
    """How many jobs ended in each final state in the last `hours`."""
    since = timezone.now() - timedelta(hours=hours)
    rows = Job.objects.filter(finished_at__gte=since).values("state").annotate(count=Count("pk")).order_by()
    counts = {str(state): 0 for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)}
    return counts | {row["state"]: row["count"] for row in rows}


def _task_of(job_id: str) -> str:
    live = live_jobs.find_live_job(client(), job_id)
    return live.task if live else ""


# --- Live jobs ---


def _matching_live(user: Any, filters: JobFilters) -> list[JobView]:
    if filters.state and filters.state not in LIVE_STATES:
        return []
    names = [name for name in engine_config().queues if filters.queue in (None, name)]
    views, sees = (live_view(job) for job in live_jobs.list_live_jobs(client(), names)), _sight(user)
    found = [view for view in views if view and sees(view) and _matches(view, filters)]
    return sorted(found, key=lambda view: view.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)


def _live_page(user: Any, filters: JobFilters, state: JobState, limit: int, cursor: str | None) -> JobPage:
    place = _read_live_cursor(state, cursor) if cursor else None
    names = [name for name in engine_config().queues if filters.queue in (None, name)]
    jobs: list[JobView] = []
    examined, sees = 0, _sight(user)
    while examined < MAX_EXAMINED:
        entries = live_jobs_after(client(), state, names, place, min(MAX_PAGE, MAX_EXAMINED - examined))
        if not entries:
            return JobPage(jobs, None)
        for entry in entries:
            place, examined = entry.place, examined + 1
            view = live_view(entry.job) if entry.job else None
            if view and view.state == state and sees(view) and _matches(view, filters):
                jobs.append(view)
            if len(jobs) == limit:
                more = entry is not entries[-1] or live_jobs_after(client(), state, names, place, 1)
                return JobPage(jobs, _make_live_cursor(state, place) if more else None)
    return JobPage(jobs, _make_live_cursor(state, place) if place else None)


# --- Members and callbacks ---


def _children_page(user: Any, filters: JobFilters, parent: UUID, limit: int, cursor: str | None) -> JobPage:
    first = _read_child_cursor(cursor)
    ids = _children_of(parent)
    views, sees = _views_of(ids[first : first + limit]), _sight(user)
    found = [view for view in views if filters.queue in (None, view.queue) and sees(view) and _matches(view, filters)]
    return JobPage(found, _make_child_cursor(first + limit) if first + limit < len(ids) else None)


def _children_of(parent: UUID) -> list[str]:
    """Ids of the members that were made, and of the callbacks. Of a parent that is gone, of those that have rows."""
    if row := job_store().find_finished(str(parent)):
        return children_of_ended(row)
    with suppress(BadPayload):
        if live := live_jobs.find_live_job(client(), str(parent)):
            return children_of_live(live)
    rows = Job.objects.filter(parent_id=parent).order_by("member_index").values_list("pk", flat=True)
    return [str(job_id) for job_id in rows[:MAX_MEMBERS]]


def _views_of(job_ids: list[str]) -> list[JobView]:
    """Views in this order of the jobs that live or have a row."""
    live = live_jobs.find_live_jobs(client(), job_ids)
    found = {job_id: view for job_id, job in live.items() if (view := live_view(job))}
    found |= {str(row.pk): ended_view(row) for row in Job.objects.filter(pk__in=job_ids)}
    return [found[job_id] for job_id in job_ids if job_id in found]


def _make_child_cursor(first: int) -> str:
    return base64.urlsafe_b64encode(f"member {first}".encode()).decode()


def _read_child_cursor(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        name, _, first = base64.urlsafe_b64decode(cursor).decode().partition(" ")
    except ValueError as error:
        raise InvalidCursor("Not a cursor of this list.") from error
    if name != "member" or not first.isdecimal() or len(first) > 9:
        raise InvalidCursor("Not a cursor of this list.")
    return int(first)


# --- Pages of live jobs ---


def _make_live_cursor(state: JobState, place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([str(state), place]).encode()).decode()


def _read_live_cursor(state: JobState, cursor: str) -> Place:
    try:
        of_state, place = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidCursor("Not a cursor of this list.") from error
    if of_state != state or not is_place(state, place):
        raise InvalidCursor("Not a cursor of this list.")
    return tuple(place)


def _sight(user: Any) -> Callable[[JobView], bool]:
    """Which jobs `user` sees."""
    return (lambda view: True) if has_everywhere(user, VIEW_JOBS) else OwnJobs(user).shows


def _shares(user: Any, job_id: UUID | str) -> bool:
    """Whether what the job makes is this user's, too, as a package above may know."""
    if not user.is_authenticated:
        return False
    return any(answer for _receiver, answer in job_reader_asked.send(sender=Job, user=user, job_id=job_id))


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


# --- Ended jobs ---


def matching_ended(user: Any, filters: JobFilters) -> QuerySet[Job]:
    jobs = Job.objects.order_by("-finished_at", "-pk")
    if not has_everywhere(user, VIEW_JOBS):
        jobs = jobs.filter(requested_by_id=user.pk) if user.pk is not None else jobs.none()
    exact = {
        "state": str(filters.state) if filters.state else None,
        "queue": filters.queue,
        "task": filters.task,
        "worker_host": filters.worker,
        "requested_by_id": filters.requested_by_id,
        "created_at__gte": filters.created_after,
        "parent_id": filters.parent_id,
    }
    jobs = jobs.filter(**{name: value for name, value in exact.items() if value is not None})
    return jobs.filter(_search(filters.search)) if filters.search else jobs


def _search(text: str) -> Q:
    condition = Q(task__icontains=text) | Q(error_message__icontains=text)
    condition |= Q(args__icontains=text) | Q(kwargs__icontains=text)
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
