"""`django_q.tasks` on this engine: each of its names works on our jobs, or is refused with the alternative.

`install` puts these functions in the place of django-q2's, and their names are found by `AsyncTask`, `Chain` and `Iter`.
Those that are not replaced here (`AsyncTask`, `queue_size`) lean on what is. docs/django-q2.md lists all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn
from uuid import UUID
from zoneinfo import ZoneInfo

import django_q.models
import django_q.tasks
from django.utils import timezone
from django_q.conf import Conf
from django_q.humanhash import uuid
from django_q.signals import pre_enqueue
from msgspec.structs import replace

from tasks_app.engine.broker import (
    check_options,
    check_wait,
    enqueue_package,
    package_options,
    refuse,
    refuse_timeout_here,
    step_of,
    take_options,
    task_of,
)
from tasks_app.engine.django_q.groups import (
    CACHES,
    async_chain,
    async_iter,
    count_group,
    delete_group,
    fetch_group,
    result_group,
)
from tasks_app.engine.django_q.rows import result_of, task_of_row
from tasks_app.engine.errors import InvalidArguments, UnknownJob
from tasks_app.engine.groups.following import follow
from tasks_app.engine.groups.making import flow_of
from tasks_app.engine.handles import JobHandle, ended_job
from tasks_app.engine.inline import finished_inline, inline_claim, run_inline
from tasks_app.engine.records import FinishedJob
from tasks_app.engine.recurrence import (
    CRON,
    MINUTES,
    ONCE,
    InvalidRecurrence,
    Recurrence,
    next_run,
    pointless_values,
)
from tasks_app.engine.storing import store_rows
from tasks_app.engine.streams import ClaimedAttempt

REFUSED_FUNCTIONS = {
    "result_cached": CACHES,
    "fetch_cached": CACHES,
    "result_group_cached": CACHES,
    "fetch_group_cached": CACHES,
    "count_group_cached": CACHES,
    "delete_group_cached": CACHES,
    "delete_cached": CACHES,
    "_sync": "async_task(..., sync=True) runs a job here.",
}
OFFERED = (async_iter, async_chain, result_group, fetch_group, count_group, delete_group)
ROWS = {
    "Task": "tasks_app.models.Job has the jobs that ended.",
    "Success": "tasks_app.models.Job.objects.filter(state='succeeded') has them.",
    "Failure": "tasks_app.models.Job.objects.filter(state='failed') has them.",
    "OrmQ": "jobs wait in Redis; tasks_app.queries.jobs.list_jobs lists them.",
}


def install() -> None:
    """Replace the functions of django_q.tasks and the managers of django_q.models. Call before others import them."""
    for function in (async_task, result, fetch, schedule, *OFFERED):
        setattr(django_q.tasks, function.__name__, function)
    for name, alternative in REFUSED_FUNCTIONS.items():
        setattr(django_q.tasks, name, _refused(name, alternative))
    for name, alternative in ROWS.items():
        # Django itself reads _default_manager and _base_manager, which stay.
        getattr(django_q.models, name).objects = RefusedRows(f"{name}.objects", alternative)


def _refused(name: str, alternative: str) -> Callable[..., NoReturn]:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        refuse(f"{name}()", alternative)

    refused.__name__ = name
    refused.__doc__ = f"Refused: {alternative}"
    return refused


class RefusedRows:
    """Takes the place of a manager whose table stays empty: every use of it is refused."""

    def __init__(self, name: str, alternative: str) -> None:
        self._name = name
        self._alternative = alternative

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        refuse(self._name, self._alternative)


def async_task(func: Any, *args: Any, **kwargs: Any) -> str:
    """Enqueue a call of a registered task (itself, its name or its dotted path); return the job's id as 32 hex digits.

    Options work or are refused: see docs/django-q2.md. Raises NotOffered, UnknownTask, InvalidArguments, QueueFull,
    QueueUnavailable; with sync=True whatever the task raises.
    """
    options = take_options(kwargs)
    options = {"cached": Conf.CACHED, "sync": Conf.SYNC, **options}
    task = task_of(func)
    check_options(options, task)
    if options["sync"] and options.get("timeout"):
        refuse_timeout_here()
    step = step_of(task, args, kwargs, options)
    name, job_id = uuid()
    package = {"id": job_id, "name": name, "func": func, "args": args, "kwargs": kwargs, "started": timezone.now()}
    package |= {name: value for name, value in options.items() if value is not None}
    pre_enqueue.send(sender="django_q", task=package)
    if package.get("sync"):
        call, now_ms = task.arguments.check(args, kwargs), int(package["started"].timestamp() * 1000)
        job_options = package_options(package)
        job_options = replace(job_options, flow=flow_of(step, job_options.flow))
        _run_here(task.queue, inline_claim(task.queue, task.name, (UUID(job_id), call), job_options, now_ms))
    else:
        enqueue_package(package)
    return job_id


def _run_here(queue: str, claim: ClaimedAttempt) -> None:
    """Run the job once, here, write its row and make its callbacks. Raises what the task raises."""
    attempt = run_inline(queue, claim)
    try:
        if not attempt.leaves_no_row:
            follow((attempt.payload, row) for row in store_rows([finished_inline(attempt)]))
    finally:
        if attempt.error is not None:
            raise attempt.error


def result(task_id: UUID | str, wait: float = 0, cached: bool = False) -> Any:
    """Return what the job's task returned, a text with error and traceback if it failed; None while it has not ended.

    Waits up to `wait` milliseconds for its end, without limit for a negative number. Raises UnknownJob instead of waiting
    for a job that does not exist.
    """
    ended = _ended(task_id, wait, cached)
    return result_of(ended) if ended else None


def fetch(task_id: UUID | str, wait: float = 0, cached: bool = False) -> django_q.models.Task | None:
    """Return the ended job as a django_q Task that is in no table, None while it has not ended. Waits as `result` does."""
    ended = _ended(task_id, wait, cached)
    return task_of_row(ended) if ended else None


def _ended(task_id: UUID | str, wait: float, cached: bool) -> FinishedJob | None:
    if cached:
        refuse("The option cached=True", CACHES)
    try:
        job = JobHandle(task_id)
    except (ValueError, AttributeError, TypeError):
        raise InvalidArguments(f"{task_id!r} is not the id of a job: jobs are found by ids, not by names.") from None
    check_wait(wait)
    if wait:
        job.wait(wait / 1000 if wait > 0 else None)
        return ended_job(job)
    with suppress(UnknownJob):
        return ended_job(job)
    return None


_schedule = django_q.tasks.schedule
# What django-q2's function keeps for itself; the rest are arguments of the task.
_SCHEDULE_OPTIONS = frozenset(
    ("name", "hook", "schedule_type", "minutes", "repeats", "next_run", "cron", "cluster", "intended_date_kwarg")
)


def schedule(func: Any, *args: Any, **kwargs: Any) -> django_q.models.Schedule:
    """Make a Schedule row of a registered, schedulable task. Raises NotOffered, UnknownTask, InvalidArguments."""
    task = task_of(func)
    if kwargs.get("hook"):
        refuse("The option hook of a schedule", "the task enqueues at its end what is to follow.")
    check_options({"cluster": kwargs.get("cluster")}, task)
    if not task.schedulable:
        raise InvalidArguments(f"The task {task.name} may not be put on a schedule: see @task(schedulable=True).")
    call = {name: value for name, value in kwargs.items() if name not in _SCHEDULE_OPTIONS}
    if named := kwargs.get("intended_date_kwarg"):
        call[named] = ""
    # Their values are looked at when it runs: "yesterday" is a time then.
    task.arguments.by_name(args, call)
    _check_recurrence(
        kwargs.get("schedule_type", ONCE), kwargs.get("minutes"), kwargs.get("cron"), kwargs.get("repeats", -1)
    )
    return _schedule(func if isinstance(func, str) else task.name, *args, **kwargs)


def _check_recurrence(kind: Any, minutes: Any, cron: Any, repeats: Any) -> None:
    """Refuse a schedule that would be switched off when it is due. Raises InvalidArguments."""
    for name, value in (("minutes", minutes), ("repeats", repeats)):
        if value is not None and type(value) is not int:
            raise InvalidArguments(f"{name}={value!r:.100}: a whole number is meant.")
    for name, problem in pointless_values(kind, minutes=minutes, cron=cron, repeats=repeats).items():
        raise InvalidArguments(f"{name}: {problem}")
    if kind in (CRON, MINUTES):
        now = timezone.now()
        try:
            next_run(Recurrence(kind, now, minutes, cron), now, ZoneInfo("UTC"))
        except InvalidRecurrence as error:
            raise InvalidArguments(str(error)) from error
