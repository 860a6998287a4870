"""Stored forms of what several jobs have to do with each other: steps that are still to be made, members of groups, callbacks.

They travel in signed messages (engine.payload). `engine.groups` makes them and follows them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import msgspec

TASK, GROUP, CHAIN = "task", "group", "chain"
# Kinds of callbacks.
SUCCESS, ERROR, END = "success", "error", "end"
# Error callbacks get the id of the job, the class and the message of its error.
ERROR_ARGUMENTS = 3


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job that is still to be made: a call of a task, or a group or chain of further steps."""

    # Of a group or chain: the name shown for it.
    task: str
    queue: str
    # [args, kwargs] as JSON, checked.
    call: msgspec.Raw
    kind: str = TASK
    # It takes no result of the job before it.
    is_immutable: bool = False
    lane_key: str = ""
    timeout_seconds: float | None = None
    members: tuple[Step, ...] = ()
    # The results of the members are combined by the `combine` function of the task.
    is_combined: bool = False
    # Its members are the parts of one call of a task that is split.
    is_split: bool = False
    # For each member the places that its items had in the request, for `combine`.
    indexes: tuple[tuple[int, ...], ...] = ()
    on_success: tuple[Step, ...] = ()
    on_error: tuple[Step, ...] = ()
    # Hooks of django-q2: they get the id of the job, however it ends.
    on_end: tuple[Step, ...] = ()
    # Of a group or chain that is made again: the former one, whose members that succeeded count as members of this one,
    # the number of all members, and those of the members of a group that are here, or of the step a chain goes on with.
    repeats: str = ""
    total: int = 0
    numbers: tuple[int, ...] = ()

    @property
    def member_count(self) -> int:
        return self.total or len(self.members)

    def first_members(self) -> list[tuple[int, Step]]:
        """Return the members that are made at once, with their numbers: all of a group, the first step of a chain."""
        if self.kind == CHAIN:
            first = self.numbers[0] if self.numbers else 0
            return [(first, self.members[first])]
        return list(zip(self.numbers or range(len(self.members)), self.members, strict=True))


class Membership(msgspec.Struct, frozen=True, omit_defaults=True):
    """The group or chain that a job is a member of."""

    queue: str
    id: str
    # Of the parts of one call: those that succeed at once hand their results to the group, and leave no rows.
    is_part: bool = False


class Composite(msgspec.Struct, frozen=True, omit_defaults=True):
    """The part of a group or chain that its own message has."""

    kind: str
    total: int
    # Of a chain: all of its steps. Those of a group are kept apart, until its members are made.
    steps: tuple[Step, ...] = ()
    is_combined: bool = False
    is_split: bool = False
    indexes: tuple[tuple[int, ...], ...] = ()
    # See Step.
    repeats: str = ""


class Flow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The group, the callbacks and, of a group or chain, the members of a job."""

    # The group or chain it is a member of, or the job whose callback it is.
    parent_id: str = ""
    membership: Membership | None = None
    on_success: tuple[Step, ...] = ()
    on_error: tuple[Step, ...] = ()
    on_end: tuple[Step, ...] = ()
    # Name under which django-q2 counts it with others; a group or chain gives it to its members.
    label: str = ""
    composite: Composite | None = None


NO_CALL = msgspec.Raw(b"[[],{}]")


def member_id(parent_id: str, index: int) -> UUID:
    """Return the id of a member: the same however often it is made."""
    return uuid5(UUID(parent_id), f"member {index}")


def callback_id(job_id: str, kind: str, index: int) -> UUID:
    """Return the id of a callback (of a success, error or end): the same however often it is made."""
    return uuid5(UUID(job_id), f"{kind} {index}")


def read_flow(kept: dict[str, Any] | None) -> Flow | None:
    """Return group and callbacks of a row; None where it has none that can be read."""
    try:
        return msgspec.json.decode(msgspec.json.encode(kept), type=Flow) if kept else None
    except msgspec.MsgspecError:
        return None
