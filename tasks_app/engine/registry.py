"""The registry of tasks. Only functions that `@task` registered can run as jobs."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, Never

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine.batches import MAX_BATCH_BYTES, MAX_BATCH_JOBS, BatchFunction
from tasks_app.engine.celery_names import TASK_OPTIONS, refuse_options
from tasks_app.engine.errors import UnknownTask
from tasks_app.engine.groups.signatures import Call
from tasks_app.engine.handles import JobHandle
from tasks_app.engine.lanes import LaneKey
from tasks_app.engine.registered_task import DEFAULT_MAX_BATCH, Combine, MemberRule, P, R, Split, Task
from tasks_app.engine.task_options import check_task

_registry: dict[str, Task[Any, Any]] = {}
# As a label of metrics.
UNKNOWN_TASK = "unknown"


def task(
    *positional: Never,
    queue: str,
    name: str | None = None,
    timeout_seconds: float | None = None,
    max_attempts: int | None = None,
    schedulable: bool = False,
    permission: str | None = None,
    members: MemberRule | None = None,
    batch: BatchFunction | None = None,
    max_batch: int | None = None,
    max_batch_bytes: int | None = None,
    combine: Combine | None = None,
    lane: LaneKey | None = None,
    split: Split | None = None,
    keeps_successes: bool = True,
    startable: bool = True,
    needs_operate: bool = True,
    other_queues: Sequence[str] = (),
    **others: Never,
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Register the decorated function under its own name (or `name`).

    Only tasks with `schedulable=True` may be put on a schedule. A user who starts, schedules or repeats the task needs
    `permission` ("app_label.codename"; without one only superusers may), unless `members` permits this call to them.
    Bounds of arguments are annotations: `Annotated[int, msgspec.Meta(ge=1)]`.

    `batch` makes it a batched task: where several jobs of it wait, up to `max_batch` of them (100) whose messages have
    `max_batch_bytes` (1 MiB) at most are served by one call of `batch`, and the decorated function serves a single one.
    `combine` makes the result of a group of calls: see `Task.enqueue_group`. `lane` gets the arguments of a call and returns
    its lane key: jobs of one key run one after the other, in the order in which they were accepted, if their queue has
    lanes; None for a call that may run beside any other. `split` gets them, too, and returns the parts of a call whose items
    belong to several lanes: it becomes a group of one job for each part.

    With `keeps_successes=False` a job that succeeds at its first attempt leaves no row, unless a person or a schedule asked for
    it, or it belongs to a group, a chain or a callback. The function bears repetition: no stored success keeps
    it from running again after a crash.

    An API token takes the scope `operate` to have the task run, at once or on a schedule; with `needs_operate=False` the scope
    `write` does, too: for what programs ask for every day and that changes nothing but what it makes.

    With `startable=False` only code makes jobs of the task: it is not among those that people may start. `other_queues` are
    further queues on which code may put a job of it: `get_task(name).on_queue(queue)`.

    Raises ImproperlyConfigured when another function has the name already, or for options that no task can have, and
    NotOffered for `others`, the options of Celery.
    """
    if positional:
        raise ImproperlyConfigured("Options of @task are named: @task(queue=..., name=...).")
    refuse_options("@task", others, TASK_OPTIONS)
    _check_bounds(batch, max_batch, max_batch_bytes)

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        named = function.__name__ if name is None else name
        further = (other_queues,) if isinstance(other_queues, str) else other_queues
        check_task(function, named, (queue, *further), timeout_seconds=timeout_seconds, max_attempts=max_attempts)
        registered = Task(
            function,
            name=named,
            queue=queue,
            timeout_seconds=timeout_seconds,
            max_attempts=max_attempts,
            schedulable=schedulable,
            permission=permission,
            members=members,
            batch=batch,
            max_batch=max_batch or DEFAULT_MAX_BATCH,
            max_batch_bytes=max_batch_bytes or MAX_BATCH_BYTES,
            combine=combine,
            lane=lane,
            split=split,
            keeps_successes=keeps_successes,
            startable=startable,
            needs_operate=needs_operate,
            other_queues=further,
        )
        register(registered)
        return registered

    return decorate


def _check_bounds(batch: BatchFunction | None, max_batch: int | None, max_batch_bytes: int | None) -> None:
    if batch is None and (max_batch is not None or max_batch_bytes is not None):
        raise ImproperlyConfigured("max_batch and max_batch_bytes bound a batched task: give its function as batch=.")
    if max_batch is not None and not 2 <= max_batch <= MAX_BATCH_JOBS:
        raise ImproperlyConfigured(f"max_batch is {max_batch}: from 2 to {MAX_BATCH_JOBS}.")
    if max_batch_bytes is not None and max_batch_bytes < 1:
        raise ImproperlyConfigured(f"max_batch_bytes is {max_batch_bytes}: at least 1.")


def register(registered: Task[Any, Any]) -> None:
    """Add a task. Raises ImproperlyConfigured when one of another module has the name already."""
    known = _registry.setdefault(registered.name, registered)
    if known.function.__module__ != registered.function.__module__:
        raise ImproperlyConfigured(f"Two tasks are named {registered.name!r}.")


def get_task(name: str) -> Task[Any, Any]:
    """Return the task registered under `name`; a dotted path to it is accepted too. Raises UnknownTask."""
    if not isinstance(name, str):
        raise UnknownTask(f"{name!r:.100} is no name of a task.")
    found = _registry.get(name) or _registry.get(name.rpartition(".")[2] if "." in name else "")
    if found is None or ("." in name and f"{found.function.__module__}.{found.function.__name__}" != name):
        raise UnknownTask(f"{UnknownTask.NOT_REGISTERED} {name!r}.")
    return found


def find_task(name: str) -> Task[Any, Any] | None:
    """Return the task registered under exactly this name, None if there is none."""
    return _registry.get(name)


def task_label(name: str) -> str:
    """Return the name as a label of metrics: a job may name a task that is not registered here."""
    return name if name in _registry else UNKNOWN_TASK


def parameter_names(name: str) -> tuple[str, ...]:
    """Return the names of a task's parameters; none for a task that is not registered."""
    try:
        return get_task(name).parameter_names
    except UnknownTask:
        return ()


def registered_tasks() -> list[Task[Any, Any]]:
    """Return all registered tasks, sorted by name."""
    return [_registry[name] for name in sorted(_registry)]


def autodiscover() -> None:
    """Import the `tasks` module (or every module of the `tasks` package) of each installed app."""
    for app in apps.get_app_configs():
        if importlib.util.find_spec(f"{app.name}.tasks") is None or app.name == "django_q":
            continue
        module = importlib.import_module(f"{app.name}.tasks")
        for found in pkgutil.iter_modules(getattr(module, "__path__", [])):
            importlib.import_module(f"{app.name}.tasks.{found.name}")


def enqueue(task_name: str, *args: Any, **kwargs: Any) -> JobHandle:
    """Enqueue by name: services do not import task modules. Errors as in `Task.apply_async`, and UnknownTask."""
    return get_task(task_name).apply_async(args, kwargs)


def signature(task_name: str, *args: Any, **kwargs: Any) -> Call:
    """Return a signature by name, as `Task.s` does: services do not import task modules. Raises UnknownTask."""
    return get_task(task_name).s(*args, **kwargs)


def enqueue_on_commit(task_name: str, *args: Any, **kwargs: Any) -> None:
    """Enqueue by name after the current transaction commits. Errors as in `enqueue`."""
    get_task(task_name).delay_on_commit(*args, **kwargs)
