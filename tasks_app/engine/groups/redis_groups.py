"""The keys of groups and chains in Redis: begun once, advanced by each member that ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
import redis

from tasks_app.engine.config import engine_config
from tasks_app.engine.connection import RedisClient, client
from tasks_app.engine.errors import BadPayload, QueueFull, QueueUnavailable
from tasks_app.engine.flows import CHAIN, Membership, Step
from tasks_app.engine.groups.members import cancel_members
from tasks_app.engine.job_hash import read_job_hashes, read_results
from tasks_app.engine.keys import QueueKeys
from tasks_app.engine.payload import Payload, seal_text, unseal, unseal_text
from tasks_app.engine.scripts import ACCEPTED, Call, run_script, run_scripts
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import JobQueue, ring_call

_decoder = msgspec.json.Decoder(Step)
# Depth of a queue that takes whatever comes.
NO_LIMIT = 10**12


class NewGroup(NamedTuple):
    """A group or chain that is to be begun, with the content of its message."""

    job_id: str
    step: Step
    payload: Payload
    priority: str
    # When its first members are due, in ms since the epoch, 0 for now.
    due_ms: int = 0
    # It follows a job that was accepted: a full queue takes it, too.
    is_accepted: bool = False


class MemberEnd(NamedTuple):
    """The end of a member, with its result as JSON where the group keeps it."""

    number: int
    state: JobState
    result: bytes = b""


@dataclass(frozen=True, slots=True)
class Advance:
    """The outcome of a note to a group."""

    # Number of the chain's step that is to be made now.
    next_index: int | None = None
    # Cancellation of the whole is asked for, and members are left.
    is_cancelled: bool = False


class Groups(Protocol):
    """Interface of the place where groups and chains wait for their members."""

    def begin(self, new: NewGroup) -> bool:
        """Let a group or chain wait for its first members; return whether they are to be made. Twice is harmless."""

    def advance(self, membership: Membership, ended: Sequence[MemberEnd], *, is_made: bool = False) -> Advance:
        """Take members that ended off their group. Twice is harmless."""

    def advance_all(self, ended: Mapping[Membership, Sequence[MemberEnd]]) -> list[Advance]:
        """Do that for members of several groups; return the outcomes in the same order."""

    def results(self, queue: str, job_ids: Sequence[str]) -> list[dict[int, bytes]]:
        """Return the results that each of these groups has kept, as JSON by the numbers of its members."""

    def plan(self, membership: Membership) -> dict[int, Step]:
        """Return the steps of a chain, or the members of a group that is being made or has callbacks of members.

        None once it has ended, nor of one whose message or plan cannot be read.
        """

    def cancel_left(self, membership: Membership) -> None:
        """Cancel the members that are left of a group whose cancellation was asked for."""


class RedisGroups:
    """The groups and chains in Redis. Raises QueueUnavailable where Redis cannot be asked."""

    def __init__(self, redis_client: RedisClient | None = None) -> None:
        self._client = redis_client

    @property
    def client(self) -> RedisClient:
        return self._client or client()

    def begin(self, new: NewGroup) -> bool:
        """Write the hash, the plan and the numbers of the first members. Raises QueueFull, QueueUnavailable."""
        try:
            answer = run_script(self.client, *begin_call(new))
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return is_begun(new.step, answer)

    def drop(self, queue: str, job_id: str) -> None:
        """Forget a group of which not all members could be made; those that were end for nobody."""
        keys = QueueKeys(engine_config().prefix, queue)
        try:
            pipe = self.client.pipeline(transaction=False)
            pipe.zrem(keys.groups, job_id)
            pipe.delete(keys.job(job_id), keys.members(job_id))
            pipe.execute()
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def advance(self, membership: Membership, ended: Sequence[MemberEnd], *, is_made: bool = False) -> Advance:
        """Take members that ended off their group; the last one queues it."""
        (outcome,) = self._advance([_advance_call(membership, ended, is_made=is_made)], {membership.queue})
        return outcome

    def advance_all(self, ended: Mapping[Membership, Sequence[MemberEnd]]) -> list[Advance]:
        """Do that for members of several groups, in one round trip."""
        calls = [_advance_call(membership, notes, is_made=False) for membership, notes in ended.items()]
        return self._advance(calls, {membership.queue for membership in ended})

    def _advance(self, calls: list[Call], queues: Iterable[str]) -> list[Advance]:
        """Run these calls, and wake the workers of queues with lanes: a group may have been queued there."""
        config = engine_config()
        bells = [ring_call(QueueKeys(config.prefix, name)) for name in queues if config.queue(name).lanes]
        try:
            answers = run_scripts(self.client, [*calls, *bells])[: len(calls)]
        except redis.RedisError as error:
            raise _unavailable(error) from error
        return [Advance(None if index < 0 else index, bool(is_cancelled)) for index, is_cancelled in answers]

    def results(self, queue: str, job_ids: Sequence[str]) -> list[dict[int, bytes]]:
        """Return the results in the hashes of the groups, read in one round trip."""
        keys = QueueKeys(engine_config().prefix, queue)
        try:
            return read_results(self.client, keys, job_ids)
        except redis.RedisError as error:
            raise _unavailable(error) from error

    def plan(self, membership: Membership) -> dict[int, Step]:
        """Return the steps from the message of a chain, or the members from the plan of a group."""
        keys = QueueKeys(engine_config().prefix, membership.queue)
        try:
            message = self.client.hget(keys.job(membership.id), "p")
            plan = self.client.get(keys.plan(membership.id))
        except redis.RedisError as error:
            raise _unavailable(error) from error
        try:
            if plan:
                step = _decoder.decode(unseal_text(membership.queue, f"{membership.id} plan", plan))
                return dict(step.first_members())
            flow = unseal(membership.queue, membership.id, message).flow if message else None
        except (BadPayload, msgspec.MsgspecError):
            return {}
        return dict(enumerate(flow.composite.steps)) if flow and flow.composite else {}

    def cancel_left(self, membership: Membership) -> None:
        """Cancel the members that are left, with the reason that the group has."""
        queue = JobQueue(membership.queue, self.client)
        try:
            (job,) = read_job_hashes(queue.client, [(queue.keys, membership.id)])
            if job and job.cancellation:
                cancel_members(queue, membership.id, job.cancellation)
        except redis.RedisError as error:
            raise _unavailable(error) from error


def begin_call(new: NewGroup, sign: str = "") -> Call:
    """Return the script call that begins a group or chain.

    With a `sign` its members are made in the same transaction, by scripts that know the sign; without, its plan is kept until
    they are made, or until it ends: then the callbacks of a member that Redis loses are still known.
    """
    job_id, step, payload = new.job_id, new.step, new.payload
    config = engine_config()
    keys = QueueKeys(config.prefix, step.queue)
    is_planned = step.kind != CHAIN and not sign
    arguments: list[Any] = [
        job_id,
        step.task,
        payload.created_ms,
        seal_text(step.queue, job_id, msgspec.json.encode(payload)),
        step.kind,
        step.member_count,
        payload.requested_by_id or "",
        new.priority,
        NO_LIMIT if new.is_accepted else config.max_queue_depth,
        seal_text(step.queue, f"{job_id} plan", msgspec.json.encode(step)) if is_planned else b"",
        ",".join(sorted(queues_of(step))),
        sign,
        new.due_ms or "",
        "1" if is_planned and any(map(has_callbacks, step.members)) else "",
        *(number for number, _ in step.first_members()),
    ]
    script = "group_begin" + (ACCEPTED if new.is_accepted else "")
    return script, [*keys.streams, keys.delayed, *keys.group(job_id)], arguments


def is_begun(step: Step, answer: Any) -> bool:
    """Return whether the answer to `begin_call` says that the first members are to be made. Raises QueueFull."""
    outcome, depth = answer
    if outcome == b"full":
        count = len(step.first_members())
        raise QueueFull(f"Queue {step.queue!r} holds {depth} jobs: its limit leaves no room for {count} more.")
    return bool(outcome != b"duplicate")


def _advance_call(membership: Membership, ended: Sequence[MemberEnd], *, is_made: bool) -> Call:
    keys = QueueKeys(engine_config().prefix, membership.queue)
    arguments: list[Any] = [membership.id, int(is_made)]
    for index, state, result in ended:
        arguments += (index, str(state), result)
    return "group_advance", [*keys.streams, keys.ended, *keys.group(membership.id)], arguments


def has_callbacks(step: Step) -> bool:
    """Return whether jobs are to be made when the job of the step ends."""
    return bool(step.on_success or step.on_error or step.on_end)


def queues_of(step: Step) -> set[str]:
    """Return the queues of a group or chain and of all its members."""
    return {step.queue}.union(*map(queues_of, step.members))


def _unavailable(error: redis.RedisError) -> QueueUnavailable:
    return QueueUnavailable(f"The queue server did not take the job: {error}")
