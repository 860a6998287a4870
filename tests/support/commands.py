"""Devices that can be commanded, and a way that notes what was written to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from tasks_app.ingest.trackers.base import EncodedCommand, OutgoingCommand
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.models import Command, Device, DeviceState, FleetMembership, FleetRole
from tasks_app.queries.commands import _ways as known_ways
from tasks_app.services.commands import NothingWritten, SendOutcome, request_command, send_attempt, sweep_commands
from tasks_app.services.commands.ways.registry import WAYS


@dataclass
class Wire:
    """A device's end of a way: what was written to it, and what is to happen when it is written to."""

    written: list[EncodedCommand] = field(default_factory=list)
    fault: BaseException | None = None
    # Called before the bytes count as written.
    meanwhile: Callable[[], object] | None = None

    def write(self, encoded: EncodedCommand, expires_at: datetime) -> str | None:
        if self.meanwhile is not None:
            self.meanwhile()
        if self.fault is not None and isinstance(self.fault, NothingWritten):
            raise self.fault
        self.written.append(encoded)
        if self.fault is not None:
            raise self.fault
        return None

    @property
    def tokens(self) -> list[str]:
        return [one.token for one in self.written]


def encode(outgoing: OutgoingCommand) -> EncodedCommand:
    """A protocol that echoes the number of the attempt."""
    text = f"{outgoing.type} {outgoing.parameters}"
    return EncodedCommand(text.encode(), text, token=f"{outgoing.number:04X}", name=outgoing.type)


class HeldWay:
    """A way that can take everything while it is open, and that only notes what it was given."""

    name = "session"
    answer_seconds = 60.0

    def __init__(self) -> None:
        self.is_open = True
        self.taken: list[int] = []
        self.known = frozenset(COMMAND_TYPES)

    def types(self, device: Device) -> frozenset[str]:
        return self.known

    def check(self, device: Device, command: OutgoingCommand) -> None:
        """Refuse nothing."""

    def can_take(self, device: Device, command: Command) -> bool:
        return self.is_open

    def hand_over(self, device: Device, command: Command) -> None:
        self.taken.append(command.pk)


def use_ways(monkeypatch: Any, *ways: Any) -> None:
    """Let these be the only ways, until the test has ended; then all are there again, in their order."""
    for known in (WAYS, known_ways):
        # What goes last comes back first.
        for name in reversed(list(known)):
            monkeypatch.delitem(known, name)
        for way in ways:
            monkeypatch.setitem(known, way.name, way)


def manager_of(make_user: Callable[..., User], fleet: Any, name: str = "maria") -> User:
    user = make_user(username=name)
    FleetMembership.objects.create(user=user, fleet=fleet, role=FleetRole.MANAGER)
    return user


def a_fix(device: Device, *, speed_kph: float | None = 0.0, age_seconds: float = 5, **attributes: Any) -> None:
    """The device's newest fix."""
    at = timezone.now() - timedelta(seconds=age_seconds)
    values = {
        "fix_time": at, "latitude": -23.5, "longitude": -46.6, "speed_kph": speed_kph, "attributes": attributes,
        "last_seen_at": at,
    }  # fmt: skip
    DeviceState.objects.update_or_create(device=device, defaults=values)


def ask(device: Device, user: Any, type: str = "position_request", **options: Any) -> Command:
    """Request a command, confirmed by the device's name."""
    given = {"parameters": {}, "typed_name": device.name, **options}
    return request_command(device=device, type=type, user=user, **given)


def send(command: Command, wire: Wire, **options: Any) -> SendOutcome:
    """Send it as a way does."""
    given = {"way": "session", "address": "192.0.2.7:5004", "encode": encode, "write": wire.write, **options}
    return send_attempt(command.pk, **given)


def state_of(command: Command) -> tuple[str, str]:
    """The state as it is now, with its reason."""
    command.refresh_from_db()
    return str(command.state), command.state_reason


def long_ago(command: Command, **seconds: float) -> None:
    """Set times of the command that many seconds back."""
    now = timezone.now()
    Command.objects.filter(pk=command.pk).update(
        **{name: now - timedelta(seconds=ago) for name, ago in seconds.items()}
    )


def sweep(after_seconds: float = 0) -> dict[str, int]:
    """Sweep as if it were so much later; return what it did."""
    done = sweep_commands(now=timezone.now() + timedelta(seconds=after_seconds))
    return {name: number for name, number in done.items() if number}
