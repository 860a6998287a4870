"""The groups and chains of a test double, in memory: what `redis_groups` does, for jobs that run where they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tasks_app.engine.flows import CHAIN, Membership, Step, member_id
from tasks_app.engine.groups.redis_groups import Advance, MemberEnd, NewGroup
from tasks_app.engine.keys import PRIORITIES
from tasks_app.engine.payload import Payload, seal_text
from tasks_app.engine.states import JobState
from tasks_app.engine.streams import ClaimedAttempt


@dataclass(slots=True)
class InlineGroup:
    """A group or chain that waits for members."""

    queue: str
    payload: Payload
    step: Step
    priority: str
    left: set[int]
    results: dict[int, bytes] = field(default_factory=dict)
    is_made: bool = False
    # Of a cancellation that was asked for.
    reason: str | None = None


class InlineGroups:
    """Where groups wait. Their last member that ends lets `run` combine the results, or `drop` end them as cancelled."""

    def __init__(
        self, run: Callable[[str, ClaimedAttempt], None], drop: Callable[[str, ClaimedAttempt, str], None]
    ) -> None:
        self._run = run
        self._drop = drop
        self._waiting: dict[str, InlineGroup] = {}
        self._known: set[str] = set()
        self._results: dict[str, dict[int, bytes]] = {}

    def is_known(self, job_id: str) -> bool:
        """Return whether a group or chain of this id was made."""
        return job_id in self._known

    def is_waiting(self, job_id: str) -> bool:
        """Return whether it waits for members."""
        return job_id in self._waiting

    def cancel(self, job_id: str, reason: str) -> list[str]:
        """Let no further step be made; return the ids of the members that are left."""
        if not (group := self._waiting.get(job_id)):
            return []
        group.reason = reason
        return [str(member_id(job_id, index)) for index in sorted(group.left)]

    def members(self, job_id: str) -> list[str]:
        """Return the ids of the members that were made of a group that waits; none of another job."""
        if not (group := self._waiting.get(job_id)):
            return []
        made = max(group.left, default=0) + 1 if group.step.kind == CHAIN else group.step.member_count
        return [str(member_id(job_id, index)) for index in range(made)]

    def begin(self, new: NewGroup) -> bool:
        """Let a group or chain wait for its first members; return whether they are to be made."""
        job_id, step = new.job_id, new.step
        if job_id in self._known:
            return False
        self._known.add(job_id)
        numbers = {number for number, _ in step.first_members()}
        self._waiting[job_id] = InlineGroup(step.queue, new.payload, step, new.priority, numbers)
        return True

    def advance(self, membership: Membership, ended: Sequence[MemberEnd], *, is_made: bool = False) -> Advance:
        """Take members that ended off their group; the last one ends it."""
        group = self._waiting.get(membership.id)
        if group is None:
            return Advance()
        group.is_made = group.is_made or is_made
        next_index = None
        for index, state, result in ended:
            group.left.discard(index)
            if result:
                group.results[index] = result
            is_last = index + 1 == group.step.member_count
            if group.step.kind == CHAIN and state == JobState.SUCCEEDED and not is_last and group.reason is None:
                next_index = index + 1
                group.left.add(next_index)
        if not group.left and group.is_made:
            del self._waiting[membership.id]
            self._results[membership.id] = group.results
            if group.reason is None:
                self._run(group.queue, _claim(membership.id, group))
            else:
                self._drop(group.queue, _claim(membership.id, group), group.reason)
        return Advance(next_index, group.reason is not None and bool(group.left))

    def advance_all(self, ended: Mapping[Membership, Sequence[MemberEnd]]) -> list[Advance]:
        """Do that for members of several groups."""
        return [self.advance(membership, notes) for membership, notes in ended.items()]

    def results(self, queue: str, job_ids: Sequence[str]) -> list[dict[int, bytes]]:
        """Return the results that each of these groups has kept."""
        return [self._results.get(job_id, {}) for job_id in job_ids]

    def cancel_left(self, membership: Membership) -> None:
        """Do nothing: members have run when their group is made."""

    def plan(self, membership: Membership) -> dict[int, Step]:
        """Return the steps of a chain."""
        group = self._waiting.get(membership.id)
        return dict(enumerate(group.step.members)) if group else {}


def _claim(job_id: str, group: InlineGroup) -> ClaimedAttempt:
    """Return the attempt that ends the group."""
    message = seal_text(group.queue, job_id, msgspec.json.encode(group.payload))
    priority = PRIORITIES.index(group.priority) + 1
    return ClaimedAttempt(priority, "0-1", job_id, 1, 0, group.payload.created_ms, group.payload.task, message, [])
