"""Groups and chains of `django_q.tasks` on this engine.

`group=` is a label of jobs that need not know of each other: their rows are found by it. `async_iter` makes a group of the
engine and `async_chain` a chain; the members of both have a label, which is returned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import django_q.models
from django_q.conf import Conf
from msgspec.structs import replace

from tasks_app.engine.backends import current_backend
from tasks_app.engine.broker import (
    check_label,
    check_options,
    check_wait,
    hook_steps,
    queue_of_broker,
    refuse,
    refuse_queue,
    refuse_timeout_here,
    step_of,
    take_options,
    task_of,
)
from tasks_app.engine.context import current_job
from tasks_app.engine.django_q.rows import result_of, task_of_row
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments, WouldDeadlock
from tasks_app.engine.flows import CHAIN, GROUP, NO_CALL, Flow, Step
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.signatures import check_numbers
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.registry import get_task
from tasks_app.engine.states import JobState
from tasks_app.engine.testing import InlineJobs

CACHES = "results are kept in the job history: call the function without _cached, and without cached."
POLL_SECONDS = 0.05


def async_iter(func: Any, args_iter: Sequence[Any], **kwargs: Any) -> str:
    """Enqueue a call for each item (a tuple of arguments, or the only one); return the id of the group.

    `result(id)` is the list of the results, in the order of the items. With sync=True they run here, and errors are in
    their rows. Raises NotOffered, UnknownTask, InvalidArguments, QueueFull, QueueUnavailable.
    """
    options = take_options(kwargs)
    if options.pop("group", None):
        refuse("The option group of async_iter", "the group is the one that async_iter returns.")
    is_here = bool(options.pop("sync", Conf.SYNC))
    task = task_of(func)
    check_options(options, task)
    hooks = hook_steps(options.pop("hook", None))
    calls = [args if isinstance(args, tuple) else (args,) for args in args_iter]
    steps = tuple(step_of(task, args, kwargs, options) for args in calls)
    job_id = uuid4()
    step = Step(task=task.name, queue=task.queue, call=NO_CALL, kind=GROUP, members=steps, on_end=hooks)
    _make(step, job_id, job_id.hex, is_here=is_here)
    return job_id.hex


def async_chain(
    chain: list[Any], group: str | None = None, cached: Any = None, sync: bool | None = None, broker: Any = None
) -> str:
    """Enqueue tasks, each to run when the one before has succeeded: (func, args, kwargs); return the label of all.

    A step gets no result of the one before, and one that fails ends the chain. With sync=True they run here.
    Raises as `async_iter` does.
    """
    queue_name = queue_of_broker(broker)
    if cached:
        refuse("The option cached of async_chain", CACHES)
    job_id = uuid4()
    label = check_label(group or job_id.hex)
    steps = tuple(_chained(item) for item in chain)
    for step in steps:
        if queue_name not in ("", step.queue):
            refuse_queue(queue_name, get_task(step.task))
    queue = steps[0].queue if steps else ""
    step = Step(task=CHAIN, queue=queue, call=NO_CALL, kind=CHAIN, members=steps)
    _make(step, job_id, label, is_here=bool(Conf.SYNC if sync is None else sync))
    return label


def _chained(item: Any) -> Step:
    """Return one step of a chain, given as the function, or as a tuple with its arguments."""
    given = item if isinstance(item, tuple) else (item,)
    if not 1 <= len(given) <= 3 or not all(map(isinstance, given[1:], (list | tuple, dict))):
        raise InvalidArguments(f"{item!r} is no step of a chain: (func, args, kwargs).")
    func, args, kwargs = given[0], tuple(given[1:2] and given[1]), dict(given[2] if len(given) > 2 else {})
    options = take_options(kwargs)
    if options.pop("group", None):
        refuse("The option group of a step", "async_chain(group=...) is the label of all steps.")
    if options.pop("sync", False):
        refuse("The option sync of a step", "async_chain(sync=True) runs all steps here.")
    task = task_of(func)
    check_options(options, task)
    return replace(step_of(task, args, kwargs, options), is_immutable=True)


def _make(step: Step, job_id: UUID, label: str, *, is_here: bool) -> None:
    """Make the group or chain; with `is_here` its jobs run in this process, and their rows are kept."""
    check_numbers(step.kind, len(step.members), len(step.members))
    if is_here and any(one.timeout_seconds for one in step.members):
        refuse_timeout_here()
    make(InlineJobs() if is_here else current_backend(), step, job_id, JobOptions(flow=Flow(label=label)))


def result_group(
    group_id: str, failures: bool = False, wait: float = 0, count: int | None = None, cached: bool = False
) -> list[Any] | None:
    """Return the results of the group's jobs that succeeded, with `failures` of all, in the order in which they ended.

    Waits up to `wait` milliseconds for `count` jobs, or for the first one; None where there is none.
    """
    rows = _ended(group_id, failures, wait, count, cached)
    return [result_of(row) for row in rows] or None


def fetch_group(
    group_id: str, failures: bool = True, wait: float = 0, count: int | None = None, cached: bool = False
) -> list[django_q.models.Task] | None:
    """Return the group's jobs that ended as django_q Tasks that are in no table. Waits as `result_group` does."""
    rows = _ended(group_id, failures, wait, count, cached)
    return [task_of_row(row) for row in rows] or None


def count_group(group_id: str, failures: bool = False, cached: bool = False) -> int:
    """Return how many jobs of the group have ended, with `failures` how many failed or were cancelled."""
    _refuse_cache(cached)
    return job_store().count_labelled(check_label(group_id), failed_only=bool(failures))


def delete_group(group_id: str, tasks: bool = False, cached: bool = False) -> int:
    """Take the label off the group's jobs that ended; return their number. Their rows remain."""
    _refuse_cache(cached)
    if tasks:
        refuse(
            "delete_group(tasks=True)",
            "the rows of jobs are removed by the clean-up; delete_group(id) removes the label.",
        )
    return job_store().remove_label(check_label(group_id))


def _ended(group_id: str, failures: bool, wait: float, count: int | None, cached: bool) -> list[FinishedJob]:
    _refuse_cache(cached)
    check_wait(wait)
    label = check_label(group_id)
    if wait < 0 and current_job().queue:
        raise WouldDeadlock("A task may not wait without end for a group: its jobs may be on the queue of the task.")
    until = float("inf") if wait < 0 else time.monotonic() + wait / 1000
    if count:
        _poll(until, lambda: job_store().count_labelled(label, failed_only=False) >= count)
    found: list[FinishedJob] = []

    def find() -> bool:
        rows = job_store().find_labelled(label)
        found[:] = [row for row in rows if failures or row.state == JobState.SUCCEEDED]
        return bool(found)

    _poll(until, find)
    return found


def _poll(until: float, is_done: Callable[[], bool]) -> None:
    """Ask until it is done or the time is up."""
    while not is_done() and time.monotonic() < until:
        time.sleep(POLL_SECONDS)


def _refuse_cache(cached: bool) -> None:
    if cached:
        refuse("The option cached=True", CACHES)
