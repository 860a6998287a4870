"""The registry of tasks. Only functions that `@task` registered can run as jobs."""

from __future__ import annotations

import importlib
import importlib.util
import math
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID, uuid4

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from tasks_app.engine.arguments import ArgumentChecker
from tasks_app.engine.backends import current_backend
from tasks_app.engine.batches import MAX_BATCH_BYTES, MAX_BATCH_JOBS, BatchFunction
from tasks_app.engine.config import engine_config
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments, UnknownTask
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.signatures import Call, group_of_calls
from tasks_app.engine.handles import JobHandle
from tasks_app.engine.lanes import LaneKey, lane_key
from tasks_app.engine.retry import RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")
# A job that waits to be retried holds up those behind it in its lane: never for longer than about this.
LANE_RETRY_CAP_SECONDS = 4.0
# (user, arguments by parameter name) -> whether a user without the permission may make this call.
MemberRule = Callable[[Any, dict[str, Any]], bool]
# (for each member its indexes, see `Task.enqueue_group`, and its result) -> the result of the group.
Combine = Callable[[Iterable[tuple[Sequence[int], Any]]], Any]

# From the arguments of a call to the parts that may run beside each other: numbers of the items, arguments of the part.
Split = Callable[..., Sequence[tuple[Sequence[int], Sequence[Any]]]]

DEFAULT_MAX_BATCH = 100

_registry: dict[str, Task[Any, Any]] = {}


class Task(Generic[P, R]):
    """A registered function. Calling it runs it at once; `delay` and `apply_async` make a job of the call."""

    # Django's templates call callables: without this a template that prints a task would run it.
    do_not_call_in_templates = True
    # Whether people who may run the task can start it; jobs of one that is not are made by code only.
    is_startable = True

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str,
        queue: str,
        timeout_seconds: float | None,
        max_attempts: int | None,
        schedulable: bool,
        permission: str | None,
        members: MemberRule | None,
        batch: BatchFunction | None = None,
        max_batch: int = DEFAULT_MAX_BATCH,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        combine: Combine | None = None,
        lane: LaneKey | None = None,
        split: Split | None = None,
        keeps_successes: bool = True,
    ) -> None:
        self.function = function
        self.name = name
        self.queue = queue
        self.schedulable = schedulable
        self.permission = permission
        self.members = members
        self.batch = batch
        self.max_batch = max_batch
        self.max_batch_bytes = max_batch_bytes
        self.combine = combine
        self.lane = lane
        self.split = split
        self.keeps_successes = keeps_successes
        self._timeout_seconds = timeout_seconds
        self._max_attempts = max_attempts
        self.arguments = ArgumentChecker(function)
        self.parameter_names = tuple(self.arguments.signature.parameters)
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    @property
    def summary(self) -> str:
        """Return the first paragraph of the docstring on one line, for lists of tasks."""
        return " ".join((self.function.__doc__ or "").strip().split("\n\n")[0].split())

    @property
    def timeout_seconds(self) -> float:
        return self._timeout_seconds or engine_config().queue(self.queue).timeout_seconds

    @property
    def retry_policy(self) -> RetryPolicy:
        queue = engine_config().queue(self.queue)
        return RetryPolicy(
            max_attempts=self._max_attempts or queue.max_attempts,
            base_seconds=queue.backoff_seconds,
            cap_seconds=min(queue.backoff_cap_seconds, LANE_RETRY_CAP_SECONDS if self.lane else math.inf),
        )

    def lane_key(self, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        """Return the lane key of a checked call, "" for none. Raises InvalidArguments for an improper one."""
        return lane_key(self.name, self.lane, args, kwargs) if self.lane else ""

    def _lane_keys(self, calls: Iterable[Sequence[Any]]) -> Sequence[str]:
        return [self.lane_key(args, {}) for args in calls] if self.lane else ()

    def on_queue(self, queue: str) -> Task[P, R]:
        """Return the task with the limits it has on this queue: a task has one queue, unless its class says otherwise."""
        return self

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> JobHandle:
        """Enqueue a call with these arguments; return the job's id, which can be asked for state and result.

        Errors as in `apply_async`.
        """
        return self.apply_async(args, kwargs)

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Check the arguments now, enqueue after the current transaction commits (at once if there is none)."""
        self.arguments.check(args, kwargs)
        self.lane_key(args, kwargs)
        run_on_commit(lambda: self.apply_async(args, kwargs))

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        job_id: UUID | None = None,
        unique_key: str | None = None,
        priority: str = "normal",
        requested_by: Any = None,
        schedule_id: int | None = None,
        retry_of: UUID | None = None,
        timeout_seconds: float | None = None,
        is_whole: bool = False,
    ) -> JobHandle:
        """Enqueue a call and return its job id, which can be asked for state and result.

        `countdown` (seconds) or `eta` (aware datetime) delay the start. The same `job_id` twice makes one job. While a job with
        `unique_key` lives, enqueueing the same key (in the same lane) returns that job's id. `priority` is high, normal or low
        within the queue. `requested_by` is a user or a user id. `timeout_seconds` takes the place of the task's time limit. A
        call that `is_whole` is not split. Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable.
        """
        call = self.arguments.check(args, kwargs or {})
        parts = () if is_whole else self._parts(args, kwargs or {})
        if parts and unique_key:
            raise InvalidArguments(f"This call of {self.name} is split into {len(parts)} jobs: it takes no unique key.")
        options = JobOptions(
            countdown=countdown,
            eta=eta,
            unique_keys=(unique_key,) if unique_key else (),
            lane_keys=(self.lane_key(args, kwargs or {}),) if self.lane and not parts else (),
            priority=priority,
            requested_by_id=getattr(requested_by, "pk", requested_by),
            schedule_id=schedule_id,
            retry_of=retry_of,
            timeout_seconds=timeout_seconds,
        )
        if parts:
            indexes, calls = zip(*parts, strict=True)
            return self._make_group(calls, indexes, job_id or uuid4(), options)
        made = current_backend().enqueue(self.queue, self.name, [(job_id or uuid4(), call)], options)
        return JobHandle(made[0], self.queue)

    def enqueue_many(
        self,
        calls: Iterable[Sequence[Any]],
        *,
        job_ids: Sequence[UUID] | None = None,
        unique_keys: Sequence[str] | None = None,
        priority: str = "normal",
        requested_by: Any = None,
    ) -> list[UUID]:
        """Enqueue one call for each sequence of positional arguments; return the job ids in the same order.

        With `job_ids` (as many as calls) an interrupted call may be repeated: nothing is made twice. With `unique_keys`
        (as many) a call whose key is taken makes no job, and the holder's id is returned for it. All arguments are
        checked before the first job is made. Errors as in `apply_async`.
        """
        calls = list(calls)
        checked = [self.arguments.check(args, {}) for args in calls]
        if any(self._parts(args, {}) for args in calls):
            raise InvalidArguments(f"A call of {self.name} is split into several jobs: use apply_async for each.")
        ids = list(job_ids) if job_ids is not None else [uuid4() for _ in checked]
        if len(ids) != len(checked):
            raise InvalidArguments(f"{len(checked)} calls, but {len(ids)} job ids.")
        if unique_keys is not None and len(unique_keys) != len(checked):
            raise InvalidArguments(f"{len(checked)} calls, but {len(unique_keys)} unique keys.")
        options = JobOptions(
            priority=priority,
            requested_by_id=getattr(requested_by, "pk", requested_by),
            unique_keys=unique_keys or (),
            lane_keys=self._lane_keys(calls),
        )
        return current_backend().enqueue(self.queue, self.name, list(zip(ids, checked, strict=True)), options)

    def enqueue_group(
        self,
        calls: Iterable[Sequence[Any]],
        *,
        indexes: Iterable[Iterable[int]] | None = None,
        job_id: UUID | None = None,
        priority: str = "normal",
        requested_by: Any = None,
        schedule_id: int | None = None,
    ) -> JobHandle:
        """Enqueue one call for each sequence of positional arguments, all of them as one job; return its id.

        Its result is what the task's `combine` makes of (indexes, result) of each call, `indexes` being for each call the
        numbers that its items had in the request; without `combine` it is the list of results. The same `job_id` twice
        makes it once. The group is accepted before its first member: from then on all of it is run, even if this process
        ends. So after QueueUnavailable it may run, and may be enqueued again with the same `job_id`. Errors as in
        `apply_async`.
        """
        options = JobOptions(
            priority=priority, requested_by_id=getattr(requested_by, "pk", requested_by), schedule_id=schedule_id
        )
        return self._make_group(list(calls), indexes, job_id or uuid4(), options)

    def _make_group(
        self,
        calls: Sequence[Sequence[Any]],
        indexes: Iterable[Iterable[int]] | None,
        job_id: UUID,
        options: JobOptions,
    ) -> JobHandle:
        checked = [self.arguments.check(args, {}) for args in calls]
        step = group_of_calls(self, checked, indexes, self._lane_keys(calls), is_split=self.split is not None)
        make(current_backend(), step, job_id, options)
        return JobHandle(job_id, self.queue)

    def _parts(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[tuple[Sequence[int], Sequence[Any]]]:
        """Return the parts of a call that is split, nothing for one that stays whole."""
        parts = self.split(*args, **kwargs) if self.split else ()
        return parts if len(parts) > 1 else ()

    def s(self, *args: Any, **kwargs: Any) -> Call:
        """Return a signature of a call, which gets the result of the job before it in front. Raises InvalidArguments."""
        return Call(task=self, args=args, kwargs=kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Call:
        """Return a signature of a call with these arguments only. Raises InvalidArguments."""
        return Call(task=self, args=args, kwargs=kwargs, is_immutable=True)


def task(
    *,
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

    Raises ImproperlyConfigured when another function has the name already, or for bounds that no batch can keep.
    """
    _check_bounds(batch, max_batch, max_batch_bytes)

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        registered = Task(
            function,
            name=name or function.__name__,
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


def run_on_commit(callback: Callable[[], object]) -> None:
    """Run `callback` after the current transaction commits; at once if there is none or no database."""
    try:
        transaction.on_commit(callback)
    except ImproperlyConfigured:
        callback()


def get_task(name: str) -> Task[Any, Any]:
    """Return the task registered under `name`; a dotted path to it is accepted too. Raises UnknownTask."""
    found = _registry.get(name) or _registry.get(name.rpartition(".")[2] if "." in name else "")
    if found is None or ("." in name and f"{found.function.__module__}.{found.function.__name__}" != name):
        raise UnknownTask(f"No task is registered as {name!r}.")
    return found


def find_task(name: str) -> Task[Any, Any] | None:
    """Return the task registered under exactly this name, None if there is none."""
    return _registry.get(name)


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
