"""The messages of /ws/live/ in both directions, as docs/live.md describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from tasks_app.websockets.views import FleetUpdate, Known

# Close codes of our own; the others are the protocol's.
BAD_MESSAGE = 4400
NOT_AUTHENTICATED = 4401
TOO_MANY = 4429
TOO_BIG = 1009
TRY_AGAIN_LATER = 1013
DONE = 1000

MAX_INCOMING_BYTES = 4096
# A message stays small enough to be written without holding up others; 500 devices are about 200 KB.
MAX_DEVICES = 500


class InvalidMessage(ValueError):
    """The received text is not a known message."""


class Incoming(msgspec.Struct):
    """Message of a client."""

    type: Literal["authenticate", "ping"]
    token: str = ""


class _Fleet(msgspec.Struct):
    id: int
    name: str


class _Device(msgspec.Struct):
    id: int
    fleet_id: int
    unique_id: str
    name: str
    kind: str
    is_active: bool
    state: msgspec.Raw


class _DeviceState(msgspec.Struct):
    id: int
    state: msgspec.Raw


class _Message(msgspec.Struct, omit_defaults=True):
    type: str
    fleets: list[_Fleet] | None = None
    devices: list[_Device | _DeviceState] = []
    removed: list[int] = []
    events: list[msgspec.Raw] = []
    dropped_events: int = 0
    commands: list[msgspec.Raw] = []
    geofences_changed: bool = False
    more: bool = False


_decoder = msgspec.json.Decoder(Incoming)
_encode = msgspec.json.Encoder().encode


def parse_incoming(text: str) -> Incoming:
    """Raises InvalidMessage with the reason."""
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidMessage(str(error)) from error


def simple_message(kind: str, **values: Any) -> str:
    """A message without devices: heartbeat, pong, authenticate."""
    return _encode({"type": kind, **values}).decode()


def heartbeat(now: datetime) -> str:
    """Said when there is nothing else to say, so that a client notices a dead connection."""
    return simple_message("heartbeat", time=now.astimezone(UTC))


def task_message(jobs: Sequence[Any], queues: Sequence[Any] | None) -> str | None:
    """Jobs and queues that changed, as one message of /ws/tasks/; None if none did."""
    parts = {"jobs": list(jobs) or None, "queues": queues}
    shown = {name: part for name, part in parts.items() if part is not None}
    return simple_message("update", **shown) if shown else None


def command_message(commands: Sequence[Any]) -> str:
    """Commands that changed, as one message of /ws/commands/."""
    return simple_message("update", commands=list(commands))


def update_messages(kind: str, update: FleetUpdate, fleets: Mapping[int, str] | None) -> Iterator[str]:
    """`update` as one message or several (all but the last say "more"); `fleets` where the client needs them."""
    devices = [entry for known, with_info in update.devices if (entry := _entry(known, with_info)) is not None]
    chunks = [devices[start : start + MAX_DEVICES] for start in range(0, len(devices), MAX_DEVICES)] or [[]]
    for number, chunk in enumerate(chunks):
        message = _Message(kind, devices=chunk, more=number < len(chunks) - 1)
        if number == 0:
            message.fleets = None if fleets is None else [_Fleet(*pair) for pair in fleets.items()]
            message.removed, message.dropped_events = update.removed, update.dropped_events
            message.geofences_changed = update.geofences_changed
            message.events = [msgspec.Raw(event.event) for event in update.events]
            message.commands = [msgspec.Raw(one.command) for one in update.commands]
        yield _encode(message).decode()


def _entry(known: Known, with_info: bool) -> _Device | _DeviceState | None:
    """None for a device not yet read from the database: it follows as soon as it is."""
    if known.info is None or known.now is None:
        return None
    state = msgspec.Raw(known.now.state)
    if not with_info:
        return _DeviceState(known.device_id, state)
    return _Device(**msgspec.structs.asdict(known.info), state=state)
