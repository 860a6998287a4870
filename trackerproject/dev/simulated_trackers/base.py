"""The tracker's side of a protocol: what it measures, what it sends of it, and what it understands of what it hears.

Written from the protocols' documents alone. Nothing here is shared with the decoders in `tasks_app.ingest.trackers`: where both
misunderstood a field in the same way, no test could show it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

Transport = Literal["tcp", "udp"]


@dataclass(frozen=True, slots=True)
class Report:
    """One measurement: `at` is aware and in UTC, `alarm` is "" or "sos". `is_buffered` was measured without a connection."""

    at: datetime
    latitude: float
    longitude: float
    speed_kph: float = 0.0
    course_degrees: float = 0.0
    altitude_meters: float = 0.0
    ignition: bool = True
    is_relay_cut: bool = False
    alarm: str = ""
    is_buffered: bool = False
    satellites: int = 9
    odometer_meters: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """Bytes to send. `key` is what their acknowledgement will name; nothing acknowledges a packet whose key is ""."""

    data: bytes
    key: str = ""
    reports: int = 0


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The server has a packet; `is_refusal` says that it does not want this tracker. `then` is what a log-in goes on with."""

    key: str
    is_refusal: bool = False
    then: Packet | None = None


@dataclass(frozen=True, slots=True)
class HeardCommand:
    """A command with the answer to it. `cuts_relay` is True or False where it switches the relay, else None."""

    text: str
    answer: bytes = b""
    cuts_relay: bool | None = None


Heard = Acknowledgement | HeardCommand


class Encoder(ABC):
    """One tracker's side of its protocol."""

    protocol: ClassVar[str]
    # Identifier of the sample fleet's tracker of this protocol.
    sample_identifier: ClassVar[str]
    most_reports: ClassVar[int] = 1
    # Packets on their way at once.
    window: ClassVar[int] = 8
    # The transports on which positions are acknowledged at all, and so can be repeated.
    acknowledged_on: ClassVar[frozenset[str]] = frozenset({"tcp", "udp"})

    def __init__(self, identifier: str, transport: Transport = "tcp") -> None:
        self.identifier = identifier
        self.transport: Transport = transport
        self.last: Report | None = None
        self.buffer = b""
        self._serial = 0

    def pack(self, reports: Sequence[Report]) -> Packet:
        """Make one packet of at most `most_reports`."""
        self.last = reports[-1]
        return self.encode(reports)

    @abstractmethod
    def encode(self, reports: Sequence[Report]) -> Packet:
        """Make one packet of these."""

    def login(self) -> Packet | None:
        """Return what is sent first, None where nothing is."""
        return None

    @abstractmethod
    def heartbeat(self) -> Packet:
        """Return a sign of life without a place."""

    def begin(self) -> None:
        """Forget the half of a message that the former connection left."""
        self.buffer = b""

    def hear(self, data: bytes) -> list[Heard]:
        """Understand what came, and keep what is not whole."""
        self.buffer += data
        heard: list[Heard] = []
        while (taken := self.take()) is not None:
            heard += taken
        return heard

    @abstractmethod
    def take(self) -> list[Heard] | None:
        """Take one whole message from the buffer; None where there is none."""

    def next_serial(self, below: int = 0x10000) -> int:
        """Return the next number of a message."""
        self._serial = (self._serial + 1) % below
        return self._serial

    def take_until(self, end: bytes) -> bytes | None:
        """Take from the buffer what comes before `end`, and `end`."""
        message, found, rest = self.buffer.partition(end)
        if not found:
            return None
        self.buffer = rest
        return message


def degrees_minutes(value: float, digits: int, positive: str, negative: str) -> tuple[str, str]:
    """Write an angle as ddmm.mmmm, with so many digits of degrees, and its hemisphere."""
    minutes_e4 = round(abs(value) * 600_000)
    whole, rest = divmod(minutes_e4, 600_000)
    return f"{whole:0{digits}d}{rest / 10_000:07.4f}", positive if value >= 0 else negative
