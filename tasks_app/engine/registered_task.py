"""A task: its options, and the ways to enqueue calls of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Never, NoReturn, ParamSpec, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from tasks_app.engine.arguments import ArgumentChecker, check_unique_key, checked_job_id
from tasks_app.engine.backends import current_backend
from tasks_app.engine.batches import MAX_BATCH_BYTES, BatchFunction
from tasks_app.engine.celery_names import CALL_OPTIONS, TASK_NAMES, missing, refuse_options
from tasks_app.engine.config import engine_config
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.signatures import Call, group_of_calls
from tasks_app.engine.handles import JobHandle
from tasks_app.engine.job_ids import has_ended_before, new_job_id
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
NO_OPTIONS = JobOptions()


class CheckedCall(NamedTuple):
    """Arguments of a call, known to be right, as JSON text `[args, kwargs]`, and its lane key, "" for none."""

    text: str
    lane_key: str = ""


class Task(Generic[P, R]):
    """A registered function. Calling it runs it at once; `delay` and `apply_async` make a job of the call."""

    # Django's templates call callables: without this a template that prints a task would run it.
    do_not_call_in_templates = True

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
        startable: bool = True,
        needs_operate: bool = True,
        other_queues: Sequence[str] = (),
        arguments: ArgumentChecker | None = None,
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
        self.is_startable = startable
        self.needs_operate = needs_operate
        self.queues = (queue, *other_queues)
        self._timeout_seconds = timeout_seconds
        self._max_attempts = max_attempts
        self.arguments = arguments or ArgumentChecker(function)
        self.parameter_names = tuple(self.arguments.signature.parameters)
        self.__doc__ = function.__doc__

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    if not TYPE_CHECKING:  # to type checkers every name would exist

        def __getattr__(self, name: str) -> NoReturn:
            raise missing(self, name, TASK_NAMES)

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

    def on_queue(self, queue: str) -> Task[P, R]:
        """Return the task as it is on one of its queues; on any other it is as on its own."""
        if queue == self.queue or queue not in self.queues:
            return self
        other = copy(self)
        other.queue = queue
        return other

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> JobHandle:
        """Enqueue a call with these arguments; return the job's id, which can be asked for state and result.

        Errors as in `apply_async`.
        """
        if self.lane or self.split:
            return self.apply_async(args, kwargs)
        return self._make_one(self.arguments.check(args, kwargs), new_job_id(), NO_OPTIONS)

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
        **others: Never,
    ) -> JobHandle:
        """Enqueue a call and return its job id, which can be asked for state and result.

        `countdown` (seconds) or `eta` (aware datetime) delay the start. The same `job_id` twice makes one job. While a job with
        `unique_key` lives, enqueueing the same key (in the same lane) returns that job's id. `priority` is high, normal or low
        within the queue. `requested_by` is a user or a user id. `timeout_seconds` takes the place of the task's time limit. A
        call that `is_whole` is not split. Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable, and
        NotOffered for `others`, the options of Celery.
        """
        refuse_options("apply_async", others, CALL_OPTIONS)
        kwargs = kwargs or {}
        call = self.arguments.check(args, kwargs)
        parts = self.parts(args, kwargs) if self.split and not is_whole else ()
        if unique_key is not None:
            check_unique_key(unique_key)
        if parts and unique_key:
            raise InvalidArguments(f"This call of {self.name} is split into {len(parts)} jobs: it takes no unique key.")
        options = JobOptions(
            countdown=countdown,
            eta=eta,
            unique_keys=(unique_key,) if unique_key else (),
            lane_keys=(self.lane_key(args, kwargs),) if self.lane and not parts else (),
            priority=priority,
            requested_by_id=getattr(requested_by, "pk", requested_by),
            schedule_id=schedule_id,
            retry_of=retry_of,
            timeout_seconds=timeout_seconds,
        )
        job_id = new_job_id() if job_id is None else checked_job_id(job_id)
        if parts:
            indexes, calls = zip(*parts, strict=True)
            return self._make_group(self._checked(calls), indexes, job_id, options)
        return self._make_one(call, job_id, options)

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
        checked = self._checked(calls)
        if any(self.parts(args, {}) for args in calls):
            raise InvalidArguments(f"A call of {self.name} is split into several jobs: use apply_async for each.")
        ids = [new_job_id() for _ in checked] if job_ids is None else [checked_job_id(one) for one in job_ids]
        if len(ids) != len(checked):
            raise InvalidArguments(f"{len(checked)} calls, but {len(ids)} job ids.")
        if len(set(ids)) != len(ids):
            raise InvalidArguments("Two of the calls have the same job id: only one of them would be made.")
        if unique_keys is not None and len(unique_keys) != len(checked):
            raise InvalidArguments(f"{len(checked)} calls, but {len(unique_keys)} unique keys.")
        for unique_key in unique_keys or ():
            check_unique_key(unique_key)
        options = JobOptions(
            priority=priority,
            requested_by_id=getattr(requested_by, "pk", requested_by),
            unique_keys=unique_keys or (),
            lane_keys=[call.lane_key for call in checked],
        )
        made = [(one, call.text) for one, call in zip(ids, checked, strict=True)]
        return current_backend().enqueue(self.queue, self.name, made, options)

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
        group_id = new_job_id() if job_id is None else checked_job_id(job_id)
        return self._make_group(self._checked(calls), indexes, group_id, options)

    def enqueue_checked(
        self, calls: Sequence[CheckedCall], *, indexes: Iterable[Iterable[int]] | None = None, requested_by: Any = None
    ) -> JobHandle:
        """Enqueue calls that the caller has checked: without `indexes` the only one, as a job, else all of them as a group.

        They are not checked again: for data that comes in by the thousand. `indexes` and errors as in `enqueue_group`.
        """
        requested_by_id = getattr(requested_by, "pk", requested_by)
        if indexes is not None:
            return self._make_group(calls, indexes, new_job_id(), JobOptions(requested_by_id=requested_by_id))
        (call,) = calls
        options = JobOptions(requested_by_id=requested_by_id, lane_keys=(call.lane_key,))
        return self._make_one(call.text, new_job_id(), options)

    def _checked(self, calls: Iterable[Sequence[Any]]) -> list[CheckedCall]:
        return [CheckedCall(self.arguments.check(args, {}), self.lane_key(args, {})) for args in calls]

    def _make_one(self, call: str, job_id: UUID, options: JobOptions) -> JobHandle:
        if has_ended_before(job_id):
            return JobHandle(job_id, self.queue)
        made = current_backend().enqueue(self.queue, self.name, [(job_id, call)], options)
        return JobHandle(made[0], self.queue)

    def _make_group(
        self,
        calls: Sequence[CheckedCall],
        indexes: Iterable[Iterable[int]] | None,
        job_id: UUID,
        options: JobOptions,
    ) -> JobHandle:
        step = group_of_calls(
            self,
            [call.text for call in calls],
            indexes,
            [call.lane_key for call in calls],
            is_split=self.split is not None,
        )
        make(current_backend(), step, job_id, options)
        return JobHandle(job_id, self.queue)

    def parts(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[tuple[Sequence[int], Sequence[Any]]]:
        """Return the parts of a call that is split, nothing for one that stays whole."""
        parts = self.split(*args, **kwargs) if self.split else ()
        return parts if len(parts) > 1 else ()

    def s(self, *args: Any, **kwargs: Any) -> Call:
        """Return a signature of a call, which gets the result of the job before it in front. Raises InvalidArguments."""
        return Call(task=self, args=args, kwargs=kwargs)

    def si(self, *args: Any, **kwargs: Any) -> Call:
        """Return a signature of a call with these arguments only. Raises InvalidArguments."""
        return Call(task=self, args=args, kwargs=kwargs, is_immutable=True)


def run_on_commit(callback: Callable[[], object]) -> None:
    """Run `callback` after the current transaction commits; at once if there is none or no database."""
    try:
        transaction.on_commit(callback)
    except ImproperlyConfigured:
        callback()
