"""The shape of a way on which commands reach their devices."""

from __future__ import annotations

from typing import Protocol

from tasks_app.ingest.trackers.base import OutgoingCommand
from tasks_app.models import Command, Device


class Way(Protocol):
    """One way. `name` is a CommandWay; `answer_seconds` is how long an answer is waited for after sending."""

    name: str
    answer_seconds: float

    def types(self, device: Device) -> frozenset[str]:
        """Return the types of commands that this way can express for the device; none where the device has not this way."""
        ...

    def check(self, device: Device, command: OutgoingCommand) -> None:
        """Raise InvalidCommand where this way cannot express such a command, of its types, for the device as it is set up now.

        Asked before the command is stored, too: what only a connection shows does not count against it.
        """
        ...

    def can_take(self, device: Device, command: Command) -> bool:
        """Return whether the way could send the command now."""
        ...

    def hand_over(self, device: Device, command: Command) -> None:
        """Have the command sent: by `send_attempt`, here or in the process that it is given to.

        Called without a transaction. A way that only prepares (a wake-up) or waits (for a device that asks) leaves the command
        queued: the next way of the chain gets it when this one can no longer take it, and it is handed over again later.
        """
        ...
