"""Making the jobs of steps: a call of a task, or a group or chain with all that it needs to make its members."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Protocol
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tasks_app.engine.config import engine_config
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import PayloadTooLarge
from tasks_app.engine.flows import CHAIN, TASK, Composite, Flow, Membership, Step, member_id
from tasks_app.engine.groups.redis_groups import Groups, NewGroup, has_callbacks
from tasks_app.engine.job_ids import has_ended_before
from tasks_app.engine.payload import Payload

# A message has more than its call: names, numbers, a signature.
ENVELOPE_BYTES = 1000
# All calls of a group together: its plan is one value in Redis.
MAX_PLAN_BYTES = 64 * 1024 * 1024


class FlowBackend(Protocol):
    """The part of a backend that makes the jobs of steps."""

    @property
    def groups(self) -> Groups:
        """Where groups and chains wait for their members."""

    def enqueue(self, queue: str, task_name: str, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> list[UUID]:
        """Make a job for each (id, checked arguments as JSON); see `backends.Backend`."""

    def make_whole(self, new: NewGroup, calls: Sequence[tuple[UUID, str]], options: JobOptions) -> bool:
        """Make a group together with its members, which are in lanes; return False where it has to be begun before them."""


def make(backend: FlowBackend, step: Step, job_id: UUID, options: JobOptions) -> None:
    """Make the job of a step, as a member or a callback where `options.flow` says so. Twice is harmless.

    The parts of a call that is split are made in one transaction with their group, if that may be. Any other group is begun
    with its plan before its members are made: if this process ends half way, the scheduler makes the rest.
    Raises InvalidArguments, PayloadTooLarge, QueueFull, QueueUnavailable.
    """
    if has_ended_before(job_id):
        return
    flow = flow_of(step, options.flow)
    if step.kind == TASK:
        options = replace(options, flow=flow, timeout_seconds=step.timeout_seconds or options.timeout_seconds)
        options = _in_lanes(options, [step])
        backend.enqueue(step.queue, step.task, [(job_id, call_text(step))], options)
        return
    check_sizes(step)
    _check_priority(step, options)
    now_ms = options.created_ms or time.time_ns() // 1_000_000
    due_ms = options.due_ms(now_ms)
    payload = Payload(
        task=step.task,
        call=([], {}),
        created_ms=now_ms,
        requested_by_id=options.requested_by_id,
        schedule_id=options.schedule_id,
        retry_of=str(options.retry_of) if options.retry_of else None,
        flow=msgspec.structs.replace(flow or Flow(), composite=composite_of(step)),
        request_id=options.request_to_note(),
        trace=options.trace_to_note(),
        member_index=options.member_indexes[0] if options.member_indexes else None,
    )
    new = NewGroup(str(job_id), step, payload, options.priority, due_ms, options.is_accepted)
    if not _make_whole(backend, new, options) and backend.groups.begin(new):
        finish_making(backend, Membership(step.queue, str(job_id), step.is_split), step.first_members(), options)


def _make_whole(backend: FlowBackend, new: NewGroup, options: JobOptions) -> bool:
    """Make the parts of a split call with their group; return False where that cannot be."""
    step = new.step
    members = step.first_members()
    # A call that is made again of which all parts had succeeded has none.
    if not step.is_split or not members or not all(one.lane_key for _, one in members):
        return False
    membership = Membership(step.queue, new.job_id, step.is_split)
    calls, own = _jobs_of(membership, members, replace(options, retry_of=None, is_accepted=True))
    return backend.make_whole(new, calls, own)


def finish_making(
    backend: FlowBackend, membership: Membership, members: Sequence[tuple[int, Step]], options: JobOptions
) -> None:
    """Make the first members of a group that is begun, and cancel them if it was cancelled meanwhile. Twice is harmless."""
    make_members(backend, membership, members, replace(options, retry_of=None, is_accepted=True))
    if backend.groups.advance(membership, [], is_made=True).is_cancelled:
        backend.groups.cancel_left(membership)


def make_members(
    backend: FlowBackend, membership: Membership, members: Iterable[tuple[int, Step]], options: JobOptions
) -> None:
    """Make members of a group: those that differ in their calls only are enqueued together."""
    for (kind, queue, task, *_), same in groupby(members, key=_in_common):
        numbered = list(same)
        if kind == TASK:
            calls, own = _jobs_of(membership, numbered, options)
            backend.enqueue(queue, task, calls, own)
            continue
        own = replace(options, flow=_flow_in(membership, options))
        for index, one in numbered:
            make(backend, one, member_id(membership.id, index), replace(own, member_indexes=[index]))


def _jobs_of(
    membership: Membership, numbered: Sequence[tuple[int, Step]], options: JobOptions
) -> tuple[list[tuple[UUID, str]], JobOptions]:
    """Return ids and calls of members that are tasks and differ in their calls only, and the options of their jobs."""
    step = numbered[0][1]
    own = replace(
        options,
        flow=flow_of(step, _flow_in(membership, options)),
        member_indexes=[index for index, _ in numbered],
        timeout_seconds=step.timeout_seconds or options.timeout_seconds,
    )
    calls = [(member_id(membership.id, index), call_text(one)) for index, one in numbered]
    return calls, _in_lanes(own, [one for _, one in numbered])


def _flow_in(membership: Membership, options: JobOptions) -> Flow:
    return Flow(parent_id=membership.id, membership=membership, label=options.flow.label if options.flow else "")


def _in_lanes(options: JobOptions, steps: Sequence[Step]) -> JobOptions:
    """Return the options with the lane keys of these steps. What follows a job of some priority has none in a lane."""
    if not any(step.lane_key for step in steps):
        return options
    priority = "normal" if options.is_accepted else options.priority
    return replace(options, lane_keys=[step.lane_key for step in steps], priority=priority)


def _check_priority(step: Step, options: JobOptions) -> None:
    """Refuse a priority where a member is in a lane, before anything is made. Raises InvalidArguments."""
    if not options.is_accepted and options.priority != "normal":
        replace(options, lane_keys=[one.lane_key for _, one in step.first_members()])


def _in_common(member: tuple[int, Step]) -> tuple[Any, ...]:
    step = member[1]
    return step.kind, step.queue, step.task, step.timeout_seconds, step.on_success, step.on_error, step.on_end


def flow_of(step: Step, flow: Flow | None) -> Flow | None:
    """Return `flow` with the callbacks of the step; None where there is nothing to note."""
    if not has_callbacks(step):
        return flow
    return msgspec.structs.replace(
        flow or Flow(), on_success=step.on_success, on_error=step.on_error, on_end=step.on_end
    )


def composite_of(step: Step) -> Composite:
    """Return what a group or chain notes of itself."""
    return Composite(
        kind=step.kind,
        total=step.member_count,
        steps=step.members if step.kind == CHAIN else (),
        is_combined=step.is_combined,
        is_split=step.is_split,
        indexes=step.indexes,
        repeats=step.repeats,
    )


def call_text(step: Step) -> str:
    """Return the call of a step as JSON text."""
    return bytes(step.call).decode()


def check_sizes(step: Step) -> None:
    """Check the step and all in it before any of it is made. Raises PayloadTooLarge."""
    limit = engine_config().max_payload_bytes
    for one in walk(step):
        callbacks = (*one.on_success, *one.on_error, *one.on_end, *(one.members if one.kind == CHAIN else ()))
        size = len(bytes(one.call)) + sum(map(size_of, callbacks)) + ENVELOPE_BYTES
        if size > limit:
            raise PayloadTooLarge(f"{size} bytes of arguments, callbacks and steps; at most {limit} are allowed.")
    if step.members and (size := size_of(step)) > MAX_PLAN_BYTES:
        raise PayloadTooLarge(f"{size} bytes of arguments of all members; a group may have {MAX_PLAN_BYTES} together.")


def size_of(step: Step) -> int:
    """Return about how many bytes the step takes as JSON."""
    return sum(len(bytes(one.call)) + 200 for one in walk(step))


def walk(step: Step) -> Iterable[Step]:
    """Yield the step and every step in it."""
    left = [step]
    while left:
        one = left.pop()
        yield one
        left += (*one.members, *one.on_success, *one.on_error, *one.on_end)
