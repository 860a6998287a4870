"""Reading jobs, live (Redis) and ended (PostgreSQL), as one kind of thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import client
from tasks_app.engine.errors import BadPayload
from tasks_app.engine.groups.members import children_of_ended, children_of_live
from tasks_app.engine.groups.signatures import MAX_MEMBERS
from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.lanes import lanes_of, lease_holders
from tasks_app.engine.live import QueueStats, WorkerInfo, find_live_job, find_live_jobs, live_jobs_after
from tasks_app.engine.live import list_workers as live_workers
from tasks_app.engine.live import queue_stats as stats_of_queues
from tasks_app.engine.records import job_store
from tasks_app.engine.states import LIVE_STATES, JobState
from tasks_app.models import Job, JobAction
from tasks_app.queries.access import Right, has_everywhere
from tasks_app.queries.ended_jobs import (
    BY_END,
    BoundedCount,
    JobOrder,
    ended_counts,
    ended_page,
    matching_ended,
)
from tasks_app.queries.ended_jobs import InvalidCursor as InvalidCursor
from tasks_app.queries.job_conditions import ANY_JOB, Condition, JobSearch
from tasks_app.queries.job_cursors import (
    make_child_cursor,
    make_live_cursor,
    read_child_cursor,
    read_live_cursor,
)
from tasks_app.queries.job_search import read_search
from tasks_app.queries.job_views import JobView, ended_view, live_view
from tasks_app.queries.task_rights import OwnJobs
from tasks_app.signals import job_reader_asked
from tasks_app.utils.search_language import InvalidSearch as InvalidSearch

# Staff see all jobs as their permissions say, others those they asked for.
VIEW_JOBS = Right(None, "tasks_app.view_job", is_own=True)
MAX_PAGE = 200
# A page of live jobs looks at no more than this many; with few matches it is short, and its cursor leads on.
MAX_EXAMINED = 500
# Running, queued and delayed ones each, for the first page of all; and for counts, whose "+" says that they are cut.
MAX_LIVE_EXAMINED = 100
MAX_LIVE_COUNTED = 500

LATE_HEARTBEAT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class JobFilters:
    """Filters of the job list; None means any."""

    state: JobState | None = None
    queue: str | None = None
    task: str | None = None
    worker: str | None = None
    requested_by_id: int | None = None
    created_after: datetime | None = None
    # In the language of `queries.job_search`.
    search: str | None = None
    # Members and callbacks of this job.
    parent_id: UUID | None = None
    # Ended before then, or, while they live, made before then.
    until: datetime | None = None


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
    pulse_age_seconds: float
    started_at: str
    memory_bytes: int
    mode: str
    cluster: str
    most_workers: int
    lanes: list[int]
    # Of the job it runs.
    current_job_started_at: datetime | None = None

    @property
    def is_late(self) -> bool:
        """Return whether its heartbeat is overdue."""
        return self.heartbeat_age_seconds > LATE_HEARTBEAT_SECONDS


def find_job(job_id: UUID | str, *, user: Any) -> JobView | None:
    """Return the job, if `user` may see it: SHELL and staff that may view jobs see all, others those they asked
    for or share."""
    live = find_live_job(client(), str(job_id))
    row = Job.objects.filter(pk=job_id).first()
    view = ended_view(row) if row else live_view(live) if live else None
    return view if view and (_sight(user)(view) or _shares(user, job_id)) else None


def list_jobs(
    *, user: Any, filters: JobFilters, limit: int = 50, cursor: str | None = None, order: JobOrder = BY_END
) -> JobPage:
    """Return jobs newest first: live ones lead the first page, running ones before those that wait; then come the ended
    ones. Live ones take half of `limit`, and what the ended ones leave of the other half; of a limit of 1 there is no half.

    Asked for one live state, it pages through all of its jobs: queued ones newest first, running ones longest first,
    scheduled and retrying ones soonest first. Those of a `parent_id` come in their order in the group, then its callbacks.
    Any page may hold fewer than `limit` jobs and yet have a next one, for each looks at a bounded number of jobs.
    `cursor` is the `next_cursor` of the page before. Another `order` sorts ended jobs otherwise; in an ascending one live
    jobs come after them, on the last page. Raises InvalidCursor, InvalidSearch.
    """
    limit = max(1, min(limit, MAX_PAGE))
    search = search_of(user, filters)
    if filters.parent_id:
        return _children_page(user, search, filters.parent_id, limit, cursor)
    if search.state in LIVE_STATES:
        return _live_page(user, search, search.state, limit, cursor)
    # Before the ended ones: a job that ends meanwhile is found twice rather than never.
    with_live = not search.state and (order.is_ascending or not cursor)
    live = _live_matches_of_page(user, search, limit) if with_live else LiveMatches([], frozenset(), {})
    half = 0 if order.is_ascending else min(len(live.jobs), limit // 2)
    rows, next_cursor = ended_page(search, _only_of(user), limit - half, cursor, order)
    ended = list(filter(_sight(user), map(ended_view, rows)))
    ended_ids = {view.id for view in ended}
    waiting = [view for view in live.jobs if view.id not in ended_ids]
    room = max(limit // 2 if order.is_ascending else 1, limit - len(ended), 1)
    leading = live.read(_leading(waiting, room))
    if not order.is_ascending:
        return JobPage([*leading, *ended], next_cursor)
    return JobPage([*ended, *([] if next_cursor else reversed(leading))], next_cursor)


def search_of(user: Any, filters: JobFilters) -> JobSearch:
    """Return what the filters ask for, their search included. Raises InvalidSearch."""
    conditions = []
    if (host := filters.worker) is not None:
        conditions.append(Condition(Q(worker_host=host), lambda view: view.worker_host == host, False))
    if (since := filters.created_after) is not None:
        of_row = Q(created_at__gte=since)
        conditions.append(Condition(of_row, lambda view: bool(view.created_at and view.created_at >= since), False))
    base = JobSearch(
        state=filters.state,
        queue=filters.queue,
        task=filters.task,
        requested_by_id=filters.requested_by_id,
        after=filters.created_after,
        before=filters.until,
        conditions=tuple(conditions),
    )
    return read_search(filters.search, user, base)


def find_jobs(job_ids: Iterable[UUID | str], *, user: Any) -> list[JobView]:
    """Return those of the jobs, in this order, that are live or have a row and that `user` sees among all or as their own."""
    return list(filter(_sight(user), _views_of([str(job_id) for job_id in job_ids])))


def repeats_of(job_id: UUID) -> list[UUID]:
    """Return the ids of the jobs that people made of this one, by a retry or with other arguments, the first one first."""
    made = JobAction.objects.filter(job_id=job_id, new_job_id__isnull=False).order_by("pk")
    return [new_id for new_id in made.values_list("new_job_id", flat=True)[:MAX_PAGE] if new_id]


def count_jobs(*, user: Any, filters: JobFilters, examined: int = MAX_LIVE_COUNTED) -> dict[JobState, BoundedCount]:
    """Return how many jobs match in each state, whatever state the filters ask for; live ones are counted among the first
    `examined` running, queued and delayed ones. Raises InvalidSearch."""
    search = search_of(user, replace(filters, state=None))
    counts = ended_counts(search, _only_of(user))
    if search == ANY_JOB and has_everywhere(user, VIEW_JOBS):
        return counts | _live_totals(queue_stats())
    live = live_matches(user, search, examined)
    found = Counter(view.state for view in live.jobs)
    return counts | {state: BoundedCount(found[state], state in live.cut) for state in JobState if state in LIVE_STATES}


def _live_totals(queues: list[QueueStats]) -> dict[JobState, BoundedCount]:
    return {
        JobState.SCHEDULED: BoundedCount(sum(queue.scheduled for queue in queues)),
        JobState.QUEUED: BoundedCount(sum(queue.depth for queue in queues)),
        JobState.RUNNING: BoundedCount(sum(queue.running + queue.groups for queue in queues)),
        JobState.RETRYING: BoundedCount(sum(queue.retrying for queue in queues)),
    }


def ended_rows(user: Any, filters: JobFilters) -> QuerySet[Job]:
    """Return the ended jobs that match and that `user` asked for or may see, the last first. Raises InvalidSearch."""
    return matching_ended(search_of(user, filters), _only_of(user))


def _only_of(user: Any) -> int | None:
    """Return the id of the user whose jobs alone `user` sees, None for all jobs; -1, which no user has, without an account."""
    if has_everywhere(user, VIEW_JOBS):
        return None
    return user.pk if user.pk is not None else -1


def same_call(user: Any, job: JobView, limit: int = 10) -> list[JobView]:
    """Return the last ended jobs of the same task with the same arguments, among those that a page looks at."""
    call = Condition(Q(args=job.args, kwargs=job.kwargs) & ~Q(pk=job.id), lambda view: False)
    rows, _cursor = ended_page(JobSearch(task=job.task, conditions=(call,)), _only_of(user), limit, None)
    return list(filter(_sight(user), map(ended_view, rows)))


def queue_stats() -> list[QueueStats]:
    """How every queue stands now."""
    return stats_of_queues(client())


def held_lanes() -> list[tuple[str, int, int]]:
    """Return each queue with lanes: how many it has, and of how many a worker runs the jobs."""
    found = []
    for name, queue in engine_config().queues.items():
        if queue.lanes:
            holders = lease_holders(lanes_of(name, client()), client())
            found.append((name, queue.lanes, sum(map(bool, holders.values()))))
    return found


def list_workers() -> list[WorkerView]:
    """The workers of every host, with the task each is on."""
    found = live_workers(client())
    jobs = find_live_jobs(client(), sorted({worker.current_job_id for worker in found} - {""}))
    return [_worker_view(worker, jobs.get(worker.current_job_id)) for worker in found]


def _worker_view(worker: WorkerInfo, job: JobHash | None) -> WorkerView:
    started_at = job.started_at if job else None
    return WorkerView(**asdict(worker), current_task=job.task if job else "", current_job_started_at=started_at)


def job_counts(hours: int = 24) -> dict[str, int]:
    """How many jobs ended in each final state in the last `hours`."""
    since = timezone.now() - timedelta(hours=hours)
    rows = Job.objects.filter(finished_at__gte=since).values("state").annotate(count=Count("pk")).order_by()
    counts = {str(state): 0 for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)}
    return counts | {row["state"]: row["count"] for row in rows}


# --- Live jobs ---


@dataclass(frozen=True, slots=True)
class LiveMatches:
    """Live jobs that match; `cut` are the states of which not all jobs were looked at.

    `unread` are the hashes of those whose views lack what their messages hold.
    """

    jobs: list[JobView]
    cut: frozenset[JobState]
    unread: dict[UUID, JobHash]

    def read(self, views: list[JobView]) -> list[JobView]:
        """Return the views of these jobs with what their messages hold."""
        return [(view.id in self.unread and live_view(self.unread[view.id])) or view for view in views]


def live_matches(user: Any, search: JobSearch, examined: int = MAX_LIVE_EXAMINED) -> LiveMatches:
    """Return the live jobs that match among the first `examined` running, queued and delayed ones."""
    if search.state and search.state not in LIVE_STATES:
        return LiveMatches([], frozenset(), {})
    found: dict[UUID, JobView] = {}
    unread: dict[UUID, JobHash] = {}
    cut: set[JobState] = set()
    # Which jobs are one's own may depend on their arguments.
    sees = None if has_everywhere(user, VIEW_JOBS) else _sight(user)
    # What is about to move on first: a job that does meanwhile is found in its later state.
    for states in ((JobState.SCHEDULED, JobState.RETRYING), (JobState.QUEUED,), (JobState.RUNNING,)):
        entries = live_jobs_after(client(), states[0], _queue_names(search), None, examined)
        cut.update(states if len(entries) >= examined else ())
        for job in (entry.job for entry in entries if entry.job and search.may_match(entry.job)):
            view = live_view(job, reads_message=False)
            if view is None or not view.is_live or (verdict := search.verdict(job, view)) is False:
                continue
            # Reading a message takes longer than all the rest.
            if verdict and sees is None:
                unread[view.id] = job
            elif (view := live_view(job)) is None or not (search.matches(view) and (sees is None or sees(view))):
                continue
            found[view.id] = view
    return LiveMatches(list(found.values()), frozenset(cut), unread)


def _live_matches_of_page(user: Any, search: JobSearch, limit: int) -> LiveMatches:
    is_all = search == ANY_JOB and has_everywhere(user, VIEW_JOBS)
    return live_matches(user, search, limit if is_all else MAX_LIVE_EXAMINED)


def _leading(views: list[JobView], limit: int) -> list[JobView]:
    """Return at most `limit` of these live jobs, the newest first; there is room for running ones before others."""
    order = (JobState.RUNNING, JobState.RETRYING, JobState.QUEUED, JobState.SCHEDULED)
    views = sorted(views, key=lambda view: view.created_at or datetime.min.replace(tzinfo=UTC), reverse=True)
    chosen = {view.id for view in sorted(views, key=lambda view: order.index(view.state))[:limit]}
    return [view for view in views if view.id in chosen]


def _queue_names(search: JobSearch) -> list[str]:
    return [name for name in engine_config().queues if search.queue in (None, name)]


def _live_page(user: Any, search: JobSearch, state: JobState, limit: int, cursor: str | None) -> JobPage:
    place = read_live_cursor(state, cursor) if cursor else None
    names = _queue_names(search)
    jobs: list[JobView] = []
    examined, sees = 0, _sight(user)
    # One more than a page of matches only: whether another follows is known then.
    at_once = MAX_PAGE if search.conditions or search.task or search.requested_by_id else limit + 1
    while examined < MAX_EXAMINED:
        entries = live_jobs_after(client(), state, names, place, min(at_once, MAX_EXAMINED - examined))
        if not entries:
            return JobPage(jobs, None)
        for entry in entries:
            place, examined = entry.place, examined + 1
            view = live_view(entry.job) if entry.job and search.may_match(entry.job) else None
            if view and view.state == state and sees(view) and search.matches(view):
                jobs.append(view)
            if len(jobs) == limit:
                more = entry is not entries[-1] or live_jobs_after(client(), state, names, place, 1)
                return JobPage(jobs, make_live_cursor(state, place) if more else None)
    return JobPage(jobs, make_live_cursor(state, place) if place else None)


# --- Members and callbacks ---


def _children_page(user: Any, search: JobSearch, parent: UUID, limit: int, cursor: str | None) -> JobPage:
    first = read_child_cursor(cursor)
    ids = _children_of(parent)
    views, sees = _views_of(ids[first : first + limit]), _sight(user)
    found = [view for view in views if sees(view) and search.matches(view)]
    return JobPage(found, make_child_cursor(first + limit) if first + limit < len(ids) else None)


def _children_of(parent: UUID) -> list[str]:
    """Ids of the members that were made, and of the callbacks. Of a parent that is gone, of those that have rows."""
    if row := job_store().find_finished(str(parent)):
        return children_of_ended(row)
    with suppress(BadPayload):
        if live := find_live_job(client(), str(parent)):
            return children_of_live(live, client())
    rows = Job.objects.filter(parent_id=parent).order_by("member_index").values_list("pk", flat=True)
    return [str(job_id) for job_id in rows[:MAX_MEMBERS]]


def _views_of(job_ids: list[str]) -> list[JobView]:
    """Views in this order of the jobs that live or have a row."""
    live = find_live_jobs(client(), job_ids)
    found = {job_id: view for job_id, job in live.items() if (view := live_view(job))}
    found |= {str(row.pk): ended_view(row) for row in Job.objects.filter(pk__in=job_ids)}
    return [found[job_id] for job_id in job_ids if job_id in found]


# --- What a user sees ---


def _sight(user: Any) -> Callable[[JobView], bool]:
    """Which jobs `user` sees."""
    return (lambda view: True) if has_everywhere(user, VIEW_JOBS) else OwnJobs(user).shows


def _shares(user: Any, job_id: UUID | str) -> bool:
    """Whether what the job makes is this user's, too, as a package above may know."""
    if not user.is_authenticated:
        return False
    return any(answer for _receiver, answer in job_reader_asked.send(sender=Job, user=user, job_id=job_id))
