"""Commands as they are now, for people who watch them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from tasks_app.models import Command, CommandState
from tasks_app.queries.access import visible_commands
from tasks_app.queries.commands import reason_text

# Of a device that is watched, so many of its newest commands.
MAX_OF_DEVICE = 50
NOT_FOUND = "not_found"
_ENDED = frozenset(
    {
        CommandState.DONE,
        CommandState.FAILED,
        CommandState.EXPIRED,
        CommandState.CANCELLED,
        CommandState.UNCONFIRMED,
        NOT_FOUND,
    }
)


class CommandNow(msgspec.Struct, frozen=True):
    """A command as it is now; its state is `not_found` where the user sees no such command."""

    id: int
    state: str
    device_id: int = 0
    type: str = ""
    state_reason: str = ""
    state_text: str = ""
    answer: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    acknowledged_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in _ENDED


def commands_now(command_ids: Sequence[int], *, user: Any) -> list[CommandNow]:
    """Return these commands as `user` may see them."""
    found = {command.pk: command for command in visible_commands(user).filter(pk__in=command_ids)}
    return [_now(found[number]) if number in found else CommandNow(number, NOT_FOUND) for number in command_ids]


def commands_of_device_now(device_id: int, *, user: Any) -> list[CommandNow]:
    """Return the newest commands of a device; none of one whose commands the user may not see."""
    rows = visible_commands(user).filter(device_id=device_id).order_by("-created_at", "-pk")
    return [_now(command) for command in rows[:MAX_OF_DEVICE]]


def _now(command: Command) -> CommandNow:
    names = ("device_id", "type", "state_reason", "answer", "created_at", "expires_at", "sent_at", "acknowledged_at")
    values = {name: getattr(command, name) for name in (*names, "ended_at")}
    return CommandNow(command.pk, str(command.state), state_text=reason_text(command.state_reason), **values)
