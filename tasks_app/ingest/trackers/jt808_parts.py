"""Messages of JT/T 808 that come in parts: what a connection holds of one until it is whole. Pure.

    header of a part: attributes with bit 13, then u16 total and u16 index behind the serial; serials of parts follow each other
    8003 asks for missing parts: u16 serial of the first one, their number (u8, of 2019 u16), u16 index of each

The frames themselves are held, so that one that is decoded again, because nothing could be taken in, is known from one that its
tracker sent again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from struct import pack

from tasks_app.ingest.trackers.base import TrackerSession

# A body has at most 1023 bytes: 32 KiB of one message, and one message of a connection.
MAX_PARTS = 32
# From the first part to the last one.
MAX_AGE = timedelta(minutes=2)
MAX_REQUESTS = 3
_MEMORY = "parts"


@dataclass(slots=True)
class Parts:
    """The parts of one message, by index from 1."""

    key: tuple[int, int, int]
    began_at: datetime
    frames: dict[int, bytes] = field(default_factory=dict)
    requests: int = 0

    @property
    def first_serial(self) -> int:
        return self.key[2]

    @property
    def missing(self) -> list[int]:
        return [index for index in range(1, self.key[1] + 1) if index not in self.frames]

    def hold(self, index: int, frame: bytes) -> bool:
        """Keep a part; return whether its tracker sent it before."""
        known = self.frames.get(index)
        self.frames[index] = frame
        return known is not None and known is not frame

    def in_order(self) -> Iterable[bytes]:
        """Return the frames by index."""
        return (self.frames[index] for index in sorted(self.frames))


def parts_of(session: TrackerSession, *, message: int, total: int, index: int, serial: int, now: datetime) -> Parts:
    """Return the parts of the message that this part belongs to; those of another one, or too old, are forgotten."""
    key = (message, total, (serial - index + 1) & 0xFFFF)
    parts = held_parts(session)
    if parts is None or parts.key != key or now - parts.began_at > MAX_AGE:
        parts = session.memory[_MEMORY] = Parts(key, now)
    return parts


def held_parts(session: TrackerSession) -> Parts | None:
    """Return the parts that the connection holds."""
    parts: Parts | None = session.memory.get(_MEMORY)
    return parts


def request_for_missing(parts: Parts | None, *, is_2019: bool) -> bytes:
    """Return the body that asks for the parts that are missing, b"" for none or where it was asked often enough."""
    missing = parts.missing if parts is not None else []
    if parts is None or not missing or parts.requests >= MAX_REQUESTS:
        return b""
    parts.requests += 1
    return pack(">HH" if is_2019 else ">HB", parts.first_serial, len(missing)) + pack(f">{len(missing)}H", *missing)
