"""Signatures: jobs that are still to be made, alone or as groups and chains, with callbacks. The names are Celery's.

    add.s(1, 2).on_success(mail.s("ana@example.org")).delay()      # mail(3, "ana@example.org")
    chain(add.s(1, 2), add.s(4)).delay().get()                     # 7
    chord(group([add.s(1, 1), add.s(2, 2)]), total.s()).delay()    # total([2, 4])

A signature does not change: each method returns another one, so none can contain itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Never, NoReturn, Protocol, Self
from uuid import UUID, uuid4

import msgspec

from tasks_app.engine.arguments import ArgumentChecker, checked_job_id, encode_json
from tasks_app.engine.backends import current_backend
from tasks_app.engine.celery_names import SIGNATURE_NAMES, SIGNATURE_OPTIONS, missing, refuse_options
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import InvalidArguments, NotOffered
from tasks_app.engine.flows import CHAIN, ERROR_ARGUMENTS, GROUP, NO_CALL, Step
from tasks_app.engine.groups.making import make
from tasks_app.engine.groups.splitting import split_step
from tasks_app.engine.handles import JobHandle

# Of one group or chain, with all that is in it.
MAX_MEMBERS = 10_000
# A chain is in one message.
MAX_STEPS = 100
# Groups, chains and callbacks around a call.
MAX_DEPTH = 5
# What a callback of an error gets, of the types that it has.
AN_ERROR = (str(UUID(int=0)), "ValueError", "a message")


class CallableTask(Protocol):
    """The part of a registered task that a signature needs."""

    name: str
    queue: str
    arguments: ArgumentChecker

    def lane_key(self, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        """Return the lane key of a checked call, "" for none. Raises InvalidArguments for an improper one."""

    def parts(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[tuple[Sequence[int], Sequence[Any]]]:
        """Return the parts of a call that is split, nothing for one that stays whole."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A job that is still to be made."""

    callbacks: tuple[Signature, ...] = ()
    error_callbacks: tuple[Signature, ...] = ()

    if not TYPE_CHECKING:  # to type checkers every name would exist

        def __getattr__(self, name: str) -> NoReturn:
            raise missing(self, name, SIGNATURE_NAMES)

    def __call__(self, *args: Never, **kwargs: Never) -> NoReturn:
        """Refuse: Celery runs the job here. Raises NotOffered."""
        raise NotOffered("A signature is not called: delay() makes its job, and its task, called itself, runs here.")

    def on_success(self, *callbacks: Signature) -> Self:
        """Return this signature with callbacks that get its result as their first argument. Raises InvalidArguments."""
        for callback in map(checked, callbacks):
            callback.step(leading=1)
        return self._within_depth(replace(self, callbacks=(*self.callbacks, *callbacks)))

    def on_error(self, *callbacks: Signature) -> Self:
        """Return this signature with callbacks that get the job's id, and class and message of its error, as text.

        They run when it failed or was cancelled. Raises InvalidArguments.
        """
        for callback in map(checked, callbacks):
            callback.step(leading=ERROR_ARGUMENTS)
            if isinstance(callback, Call) and not callback.is_immutable:
                callback.task.arguments.check((*AN_ERROR, *callback.args), callback.kwargs)
        return self._within_depth(replace(self, error_callbacks=(*self.error_callbacks, *callbacks)))

    def delay(self, *args: Never, **kwargs: Never) -> JobHandle:
        """Make the job and return its id. Errors as in `apply_async`."""
        return self.apply_async(*args, **kwargs)

    def apply_async(
        self,
        *args: Never,
        countdown: float | None = None,
        eta: datetime | None = None,
        job_id: UUID | None = None,
        priority: str = "normal",
        requested_by: Any = None,
        **others: Never,
    ) -> JobHandle:
        """Make the job and return its id. The options are those of `Task.apply_async`; members and callbacks inherit
        `priority` and `requested_by`, and the first members wait for `countdown` or `eta`.

        The same `job_id` twice makes it once. Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable; after
        the last one a group may be made nevertheless. Raises NotOffered for `args` and `others`, as Celery has them.
        """
        if args:
            raise NotOffered("The arguments of a signature are given when it is made: task.s(...).")
        refuse_options("apply_async", others, SIGNATURE_OPTIONS)
        options = JobOptions(
            countdown=countdown,
            eta=eta,
            priority=priority,
            requested_by_id=getattr(requested_by, "pk", requested_by),
        )
        step = self.step()
        made = uuid4() if job_id is None else checked_job_id(job_id)
        make(current_backend(), step, made, options)
        return JobHandle(made, step.queue)

    def step(self, leading: int = 0) -> Step:
        """Return the stored form. `leading` arguments will be put in front, where it is not immutable.

        Raises InvalidArguments when the arguments do not fit.
        """
        raise NotImplementedError

    def depth(self) -> int:
        """Return how many groups, chains and callbacks are around the innermost call."""
        return max((1 + one.depth() for one in (*self.callbacks, *self.error_callbacks)), default=0)

    def count(self) -> int:
        """Return how many calls of tasks are in it, without callbacks."""
        return 1

    def _within_depth(self, made: Self) -> Self:
        if made.depth() > MAX_DEPTH:
            raise InvalidArguments(f"Groups, chains and callbacks are more than {MAX_DEPTH} deep.")
        return made

    def _success_steps(self) -> tuple[Step, ...]:
        return tuple(one.step(leading=1) for one in self.callbacks)

    def _error_steps(self) -> tuple[Step, ...]:
        return tuple(one.step(leading=ERROR_ARGUMENTS) for one in self.error_callbacks)

    def __or__(self, other: Signature) -> Composed:
        return chain(self, other)


@dataclass(frozen=True, kw_only=True)
class Call(Signature):
    """A call of a task. `Task.s` and `Task.si` make it."""

    task: CallableTask
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    is_immutable: bool = False
    timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        """Check as much as is known without the arguments that will be put in front. Raises InvalidArguments."""
        if self.is_immutable:
            self.task.arguments.check(self.args, self.kwargs)
            return
        encode_json([list(self.args), self.kwargs])
        self.task.arguments.check_names(self.args, self.kwargs)

    def step(self, leading: int = 0) -> Step:
        """Return the stored form; see `Signature.step`."""
        leading = 0 if self.is_immutable else leading
        try:
            call = self.task.arguments.check_following(self.args, self.kwargs, leading)
        except InvalidArguments as error:
            raise InvalidArguments(f"{self.task.name}: {error}") from error
        step = Step(
            task=self.task.name,
            queue=self.task.queue,
            call=msgspec.Raw(call.encode()),
            is_immutable=self.is_immutable,
            # With a result in front the key is known when that is.
            lane_key="" if leading else self.task.lane_key(self.args, self.kwargs),
            timeout_seconds=self.timeout_seconds,
            on_success=self._success_steps(),
            on_error=self._error_steps(),
        )
        return step if leading else split_step(self.task, step, self.args, self.kwargs)


@dataclass(frozen=True, kw_only=True)
class Composed(Signature):
    """A group or a chain. `group`, `chain` and `chord` make it."""

    kind: str
    members: tuple[Signature, ...]
    name: str

    def __post_init__(self) -> None:
        """Check number and depth. Raises InvalidArguments."""
        check_numbers(self.kind, len(self.members), self.count())
        self._within_depth(self)
        for following in self.members[1:] if self.kind == CHAIN else ():
            following.step(leading=1)

    def step(self, leading: int = 0) -> Step:
        """Return the stored form; see `Signature.step`."""
        rest = leading if self.kind == GROUP else 1
        steps = tuple(one.step(leading if index == 0 else rest) for index, one in enumerate(self.members))
        return Step(
            task=self.name,
            queue=steps[0].queue,
            call=NO_CALL,
            kind=self.kind,
            members=steps,
            on_success=self._success_steps(),
            on_error=self._error_steps(),
        )

    def depth(self) -> int:
        """Return how many groups, chains and callbacks are around the innermost call."""
        return max(super().depth(), 1 + max(one.depth() for one in self.members))

    def count(self) -> int:
        """Return how many calls of tasks are in it, without callbacks."""
        return sum(one.count() for one in self.members)


def group(*signatures: Signature | Iterable[Signature]) -> Composed:
    """Return a group of signatures, or of a list of them: they run at any time and in any order.

    Its result is the list of theirs. It fails when one of them fails, after all have ended. Raises InvalidArguments.
    """
    members = _listed(signatures)
    names = {one.task.name if isinstance(one, Call) else "" for one in members}
    return Composed(kind=GROUP, members=members, name=names.pop() if len(names) == 1 and "" not in names else GROUP)


def chain(*signatures: Signature | Iterable[Signature]) -> Composed:
    """Return a chain of signatures, or of a list of them.

    Each step gets the result of the one before as its first argument (unless it was made with `si`). Its result is that
    of the last step. It ends with the first step that fails. Raises InvalidArguments.
    """
    steps: list[Signature] = []
    for one in _listed(signatures):
        is_plain_chain = (
            isinstance(one, Composed) and one.kind == CHAIN and not one.callbacks and not one.error_callbacks
        )
        steps += one.members if is_plain_chain else [one]
    return Composed(kind=CHAIN, members=tuple(steps), name=CHAIN)


def chord(header: Composed | Iterable[Signature], callback: Signature) -> Composed:
    """Return a chain of a group and a callback that gets the list of its results. Raises InvalidArguments."""
    members = header if isinstance(header, Composed) else group(header)
    return replace(chain(members, callback), name="chord")


def _listed(signatures: Sequence[Any]) -> tuple[Any, ...]:
    """Return the signatures, which may come as one list. Raises InvalidArguments."""
    is_list = len(signatures) == 1 and isinstance(signatures[0], Iterable)
    return tuple(map(checked, signatures[0] if is_list else signatures))


def check_numbers(kind: str, members: int, calls: int) -> None:
    """Check the number of members of a group or chain, and of calls in it. Raises InvalidArguments."""
    if not members:
        raise InvalidArguments(f"A {kind} of no jobs: it would have no end that could be followed.")
    if calls > MAX_MEMBERS:
        raise InvalidArguments(f"A {kind} of {calls} jobs: at most {MAX_MEMBERS} are taken together.")
    if kind == CHAIN and members > MAX_STEPS:
        raise InvalidArguments(f"A chain of {members} steps: at most {MAX_STEPS} are taken together.")


def checked(value: Any) -> Any:
    """Return `value`, a signature. Raises InvalidArguments for anything else."""
    if not isinstance(value, Signature):
        raise InvalidArguments(f"{value!r} is no signature: give task.s(...), or signature('name of the task', ...).")
    return value


def group_of_calls(
    task: CallableTask,
    calls: Sequence[str],
    indexes: Iterable[Iterable[int]] | None,
    lane_keys: Sequence[str] = (),
    *,
    is_split: bool = False,
) -> Step:
    """Return a group of checked calls of one task, whose results the task combines. Raises InvalidArguments."""
    members = tuple(
        Step(task=task.name, queue=task.queue, call=msgspec.Raw(call.encode()), lane_key=key)
        for call, key in zip(calls, lane_keys or [""] * len(calls), strict=True)
    )
    places = tuple(map(tuple, indexes)) if indexes is not None else ()
    check_numbers(GROUP, len(members), len(members))
    if not all(type(place) is int for numbers in places for place in numbers):
        raise InvalidArguments("The indexes of a call are whole numbers.")
    if indexes is not None and len(places) != len(members):
        raise InvalidArguments(f"{len(members)} calls, but {len(places)} lists of indexes.")
    return Step(
        task=task.name,
        queue=task.queue,
        call=NO_CALL,
        kind=GROUP,
        members=members,
        is_combined=True,
        is_split=is_split,
        indexes=places,
    )
