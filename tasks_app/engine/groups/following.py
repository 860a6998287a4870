"""Following the end of a job: its callbacks, and the note to the group or chain it is a member of.

Called after the row of the job is written and before it is acknowledged, so it is repeated after a crash in between.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import redis
from django.core.exceptions import ImproperlyConfigured

from tasks_app.engine.backends import current_backend
from tasks_app.engine.enqueueing import JobOptions
from tasks_app.engine.errors import BadPayload, InvalidArguments, PayloadTooLarge, QueueUnavailable, UnknownTask
from tasks_app.engine.failures import describe
from tasks_app.engine.flows import END, ERROR, GROUP, SUCCESS, TASK, Flow, Membership, Step, callback_id, member_id
from tasks_app.engine.groups.making import FlowBackend, make
from tasks_app.engine.groups.redis_groups import MemberEnd
from tasks_app.engine.groups.splitting import split_step
from tasks_app.engine.payload import Payload, unseal
from tasks_app.engine.records import FinishedJob, job_store
from tasks_app.engine.redaction import redact_call
from tasks_app.engine.registry import get_task, parameter_names
from tasks_app.engine.states import JobState
from tasks_app.engine.storing import store_rows

logger = logging.getLogger(__name__)

# Trying again cannot make such a job.
IMPOSSIBLE = (InvalidArguments, PayloadTooLarge, UnknownTask, ImproperlyConfigured)
Store = Callable[[list[FinishedJob]], list[FinishedJob]]


def follow(ended: Iterable[tuple[Payload | None, FinishedJob]]) -> None:
    """Make the callbacks of jobs that have their rows, then note their ends in their groups. Twice is harmless.

    Parts of one call that leave no row have theirs in memory only.

    Raises redis.RedisError and errors of the database: call again.
    """
    linked = [(payload.flow, row) for payload, row in ended if payload and payload.flow]
    if not linked:
        return
    try:
        Follower(current_backend(), store_rows).follow(linked)
    except QueueUnavailable as error:
        raise redis.ConnectionError(str(error)) from error


def follow_stored(queue: str, messages: dict[str, bytes]) -> None:
    """Follow jobs, given as id -> message, whose rows were written by a worker that may have died before it followed them.

    Errors as in `follow`.
    """
    payloads = {job_id: payload for job_id, message in messages.items() if (payload := _linked(queue, job_id, message))}
    if payloads:
        rows = job_store().find_ended(list(payloads))
        follow((payloads[job_id], row) for job_id, row in rows.items())


def _linked(queue: str, job_id: str, message: bytes) -> Payload | None:
    """Return the payload of a job that has to do with others, None for most."""
    if b'"flow":' not in message:
        return None
    with suppress(BadPayload):
        payload = unseal(queue, job_id, message)
        return payload if payload.flow else None
    return None


class Follower:
    """Follows jobs that end, with the jobs of one backend and a store of rows."""

    def __init__(self, backend: FlowBackend, store: Store) -> None:
        self._backend = backend
        self._store = store

    def follow(self, ended: Iterable[tuple[Flow, FinishedJob]]) -> None:
        """Make callbacks and note ends, as the function `follow` does. Raises QueueUnavailable."""
        members: dict[Membership, list[FinishedJob]] = defaultdict(list)
        for flow, row in ended:
            self._make_callbacks(flow, row)
            if flow.membership:
                members[flow.membership].append(row)
        notes = {
            membership: [_end_of(row, membership) for row in rows if row.member_index is not None]
            for membership, rows in members.items()
        }
        advances = self._backend.groups.advance_all(notes) if notes else []
        for (membership, rows), advance in zip(members.items(), advances, strict=True):
            if advance.next_index is not None:
                self.make_next(membership, advance.next_index, rows[-1])

    def _make_callbacks(self, flow: Flow, row: FinishedJob) -> None:
        if not flow.on_success and not flow.on_error and not flow.on_end:
            return
        called: list[tuple[str, tuple[Step, ...], list[Any]]] = [(END, flow.on_end, [UUID(row.job_id).hex])]
        if row.state == JobState.SUCCEEDED:
            called.append((SUCCESS, flow.on_success, [row.result]))
        else:
            called.append((ERROR, flow.on_error, [row.job_id, row.error_class, row.error_message]))
        options = _options(row, Flow(parent_id=row.job_id))
        for kind, steps, leading in called:
            for index, step in enumerate(steps):
                self._make_or_fail(step, leading, callback_id(row.job_id, kind, index), options)

    def make_next(self, membership: Membership, index: int, row: FinishedJob) -> None:
        """Make the next step of a chain, which gets the result of the one before. Twice is harmless."""
        if step := self._backend.groups.plan(membership).get(index):
            flow = Flow(parent_id=membership.id, membership=membership, label=row.label)
            options = _options(row, flow, [index])
            self._make_or_fail(step, [row.result], member_id(membership.id, index), options)
            # It was not there to be cancelled with the chain, should that have been meanwhile.
            if self._backend.groups.advance(membership, []).is_cancelled:
                self._backend.groups.cancel_left(membership)

    def _make_or_fail(self, step: Step, leading: list[Any], job_id: UUID, options: JobOptions) -> None:
        """Make the job of a step; one that cannot be made gets the row of a job that failed, and is followed as one."""
        try:
            make(self._backend, with_arguments(step, leading), job_id, options)
        except IMPOSSIBLE as error:
            logger.warning("job %s (%s) cannot be made: %s", job_id, step.task, error)
            rows = self._store([_impossible(step, job_id, options, error)])
            flow = msgspec.structs.replace(options.flow or Flow(), on_error=step.on_error, on_end=step.on_end)
            self.follow((flow, row) for row in rows)


def _end_of(row: FinishedJob, membership: Membership) -> MemberEnd:
    is_kept = membership.is_part and row.state == JobState.SUCCEEDED
    return MemberEnd(row.member_index or 0, row.state, msgspec.json.encode(row.result) if is_kept else b"")


def _options(row: FinishedJob, flow: Flow, member_indexes: Sequence[int] = ()) -> JobOptions:
    return JobOptions(
        requested_by_id=row.requested_by_id,
        request_id=row.request_id,
        trace=row.trace,
        priority=row.priority,
        flow=flow,
        member_indexes=member_indexes,
        is_accepted=True,
    )


def _impossible(step: Step, job_id: UUID, options: JobOptions, error: Exception) -> FinishedJob:
    now = datetime.now(UTC)
    args, kwargs = msgspec.json.decode(step.call)
    args, kwargs = redact_call(parameter_names(step.task), args, kwargs)
    failed = describe(error)
    return FinishedJob(
        job_id=str(job_id),
        task=step.task,
        queue=step.queue,
        state=JobState.FAILED,
        created_at=now,
        finished_at=now,
        args=args,
        kwargs=kwargs,
        error_class=failed.error_class,
        error_message=failed.error_message,
        requested_by_id=options.requested_by_id,
        request_id=options.request_id,
        priority=options.priority,
        parent_id=options.flow.parent_id if options.flow else None,
        member_index=options.member_indexes[0] if options.member_indexes else None,
        label=options.flow.label if options.flow else "",
    )


def with_arguments(step: Step, leading: list[Any]) -> Step:
    """Return the step with these arguments in front, checked. A group passes them to each member, a chain to its first.

    Raises InvalidArguments, UnknownTask.
    """
    if step.is_immutable:
        return step
    if step.kind == TASK:
        args, kwargs = msgspec.json.decode(step.call)
        # As they are read back: a result may be encoded already.
        given = msgspec.json.decode(msgspec.json.encode(leading))
        task, args = get_task(step.task), [*given, *args]
        call = task.arguments.check(args, kwargs)
        bound = msgspec.structs.replace(step, call=msgspec.Raw(call.encode()), lane_key=task.lane_key(args, kwargs))
        return split_step(task, bound, args, kwargs)
    count = len(step.members) if step.kind == GROUP else 1
    members = [with_arguments(one, leading) for one in step.members[:count]]
    return msgspec.structs.replace(step, members=(*members, *step.members[count:]))
