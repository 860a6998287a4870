"""A call of a split task as a member, a step or a callback: the group of its parts, as where it is enqueued by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from tasks_app.engine.arguments import ArgumentChecker
from tasks_app.engine.flows import GROUP, NO_CALL, Step


class SplitTask(Protocol):
    """The part of a registered task that splitting a call needs."""

    arguments: ArgumentChecker

    def lane_key(self, args: Sequence[Any], kwargs: dict[str, Any]) -> str:
        """Return the lane key of a checked call."""

    def parts(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Sequence[tuple[Sequence[int], Sequence[Any]]]:
        """Return the parts of a call that is split, nothing for one that stays whole."""


def split_step(task: SplitTask, step: Step, args: Sequence[Any], kwargs: dict[str, Any]) -> Step:
    """Return the step of a call whose arguments are all known, as a group where it is split. Raises InvalidArguments."""
    parts = task.parts(args, kwargs)
    if not parts:
        return step
    indexes, calls = zip(*parts, strict=True)
    members = tuple(
        Step(
            task=step.task,
            queue=step.queue,
            call=msgspec.Raw(task.arguments.check(call, {}).encode()),
            lane_key=task.lane_key(call, {}),
            timeout_seconds=step.timeout_seconds,
        )
        for call in calls
    )
    return msgspec.structs.replace(
        step,
        call=NO_CALL,
        kind=GROUP,
        lane_key="",
        timeout_seconds=None,
        members=members,
        is_combined=True,
        is_split=True,
        indexes=tuple(map(tuple, indexes)),
    )
