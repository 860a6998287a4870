"""The shape of a tracker's protocol: pure functions that cut a stream into frames, decode these, and encode commands.

No function of a protocol does I/O or reads the clock. Units are brought into the product's own here, speeds into km/h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tasks_app.ingest.message import DeviceMessage


class BadFrame(ValueError):
    """A frame that cannot be right: it is counted under `code`, is not acknowledged, and closes no connection.

    Whole frames whose content cannot be read are no BadFrame (`messages.unreadable`): they would come again for ever.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class FrameTooLong(ValueError):
    """A stream in which no frame can end within the protocol's bound: the connection is closed."""


class InvalidCommand(ValueError):
    """A command that this protocol cannot express, with a sentence for people.

    `parameter` is the one whose value it cannot express, "" where it is not a value's fault.
    """

    def __init__(self, sentence: str, parameter: str = "") -> None:
        super().__init__(sentence)
        self.parameter = parameter


@dataclass(slots=True)
class TrackerSession:
    """Knowledge a protocol has of one connection, or of one UDP sender.

    `device_id` is the identifier the tracker named itself by, "" before it did. `zone_minutes` is the offset of its clock from
    UTC where the protocol sends local time, None where nothing is known of it. `relay_variant` is the protocol's form of the
    engine's relay that the device's settings name, "" for what the connection shows; `password` is the one in the device's
    settings, of which only commands hear. `memory` holds what the protocol itself keeps of the device, its last state for one,
    and `stream` what it keeps of the bytes, the size of binary frames for one.
    """

    transport: Literal["tcp", "udp"] = "tcp"
    device_id: str = ""
    zone_minutes: int | None = None
    relay_variant: str = ""
    password: str = field(default="", repr=False)
    memory: dict[str, Any] = field(default_factory=dict)
    stream: dict[str, Any] = field(default_factory=dict)

    def belong_to(self, device_id: str) -> None:
        """Be of this device from now on: what is known of another one, which sent by the same way before, is forgotten."""
        if self.device_id not in ("", device_id):
            self.memory = {}
        self.device_id = device_id

    def set_up(self, *, zone_minutes: int | None, relay_variant: str) -> None:
        """Take over what the settings of its device say of its frames, as they are now."""
        self.zone_minutes, self.relay_variant = zone_minutes, relay_variant


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole frames at the beginning of a buffer, and how many of its bytes are done with.

    `skipped` of the used bytes belong to no frame: garbage before a start mark.
    """

    frames: list[bytes]
    used: int
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """A tracker's answer to a command.

    `token` is what the protocol echoes of the attempt, `name` the command's name or keyword where that is all it echoes; both
    are "" where only their order says which command answers belong to. `is_success` is None where the answer says neither.
    """

    text: str
    token: str = ""
    name: str = ""
    is_success: bool | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """The content of one frame.

    `device_id` is the identifier stated in the frame, "" where the connection's counts. `reply` is sent once the messages are
    in Redis; `refusal` in its place to a tracker that is not registered or switched off. `kind` is a word for counters:
    login, heartbeat, position, alarm, answer or other, or the code of what of it cannot be read. `is_relay_cut` is the state of
    the engine's relay in a frame without a place, None where it says nothing of it: fixes say it by their attributes.
    """

    kind: str
    device_id: str = ""
    messages: tuple[DeviceMessage, ...] = ()
    reply: bytes = b""
    refusal: bytes = b""
    answer: CommandAnswer | None = None
    is_relay_cut: bool | None = None


@dataclass(frozen=True, slots=True)
class OutgoingCommand:
    """A command to encode: `type` is a key of COMMAND_TYPES, `parameters` are checked, `number` is the attempt's own.

    `now` (aware, UTC) is the time that protocols put into a command which echo it.
    """

    type: str
    parameters: dict[str, Any]
    number: int
    now: datetime


@dataclass(frozen=True, slots=True)
class EncodedCommand:
    """The bytes of a command; `text` is the same for people. `token` and `name` are those its answer will have.

    `secret` is a password within both, which is kept nowhere.
    """

    data: bytes
    text: str
    token: str = ""
    name: str = ""
    secret: str = field(default="", repr=False)

    @property
    def kept_data(self) -> bytes:
        """The bytes as they are kept: with asterisks for the password."""
        secret = self.secret.encode()
        return self.data.replace(secret, b"*" * len(secret)) if secret else self.data

    @property
    def kept_text(self) -> str:
        """The text as it is kept: without the password."""
        return self.text.replace(self.secret, "…") if self.secret else self.text


@dataclass(frozen=True, slots=True)
class RelayVariant:
    """A form of the commands that switch the engine, of one protocol; its name is that of no other protocol's."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class TrackerProtocol:
    """One protocol: its functions, Traccar's port as default, and the types of commands it can express.

    `cut` raises FrameTooLong, `decode` BadFrame, `encode` InvalidCommand. `decode` may change the session, nothing else.
    `memories` are what sessions of different models remember, as far as it decides which commands they can be sent: a command
    that none of them can express is refused before its tracker connects.
    """

    name: str
    label: str
    port: int
    cut: Callable[[bytes, TrackerSession], Cut]
    decode: Callable[[bytes, TrackerSession, datetime], Decoded]
    encode: Callable[[OutgoingCommand, TrackerSession], EncodedCommand]
    command_types: frozenset[str]
    relay_variants: tuple[RelayVariant, ...] = ()
    memories: tuple[Mapping[str, Any], ...] = ({},)
    has_tcp: bool = True
    has_udp: bool = True
