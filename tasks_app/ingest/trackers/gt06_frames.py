"""Frames of GT06: where they begin and end in a stream, and how one is made.

7878, u8 length, type, content, u16 serial, u16 CRC-16/X-25 of length to serial, 0D0A; length = content + 5
7979, u16 length, the same
"""

from __future__ import annotations

import re

from tasks_app.ingest.trackers.base import Cut, TrackerSession
from tasks_app.ingest.trackers.checksums import crc16_x25
from tasks_app.ingest.trackers.resynchronising import FrameShape, Resynchronising

MAX_FRAME_BYTES = 2048
# So many starts in a row that are none: then only what follows an end counts, so that a flood of starts costs little.
MAX_FALSE_STARTS = 32

_STOP = b"\r\n"
_START = re.compile(rb"xx[\x05-\xff]|yy[\x00-\x07].", re.DOTALL)
_BEGUN = re.compile(rb"(?:xx?|yy?|yy[\x00-\x07])\Z")


def cut(data: bytes, session: TrackerSession) -> Cut:
    """Cut frames by their length; behind one that lies the next whole frame with a right checksum is looked for.

    One that does not end where it says is no frame, and the next start is looked for.
    """
    frames: list[bytes] = []
    at, skipped, false_starts = 0, 0, 0
    resync = Resynchronising(data, session, _SHAPE)
    while at < len(data):
        length = frame_length(data, at)
        if length is None:
            break
        end: int | None = at + length
        if length and not has_right_checksum(data, at, length):
            end = resync.end_of(at, length)
        if end is None:
            break
        if length and (end < at + length or _ends(data, end)):
            frames.append(data[at:end])
            at, false_starts = end, 0
        else:
            false_starts += 1
            start = _next_start(data, at + 1) if false_starts < MAX_FALSE_STARTS else _after_stop(data, at + 1)
            skipped += start - at
            at = start
    return Cut(frames, at, skipped)


def _ends(data: bytes, end: int) -> bool:
    return data[end - 2 : end] == _STOP


def has_right_checksum(data: bytes, at: int, length: int) -> bool:
    """Whether a frame is whole, ends where it says, and has the checksum of its content."""
    end = at + length
    return (
        end <= len(data)
        and _ends(data, end)
        and crc16_x25(data[at + 2 : end - 4]) == int.from_bytes(data[end - 4 : end - 2], "big")
    )


def frame_length(data: bytes, at: int) -> int | None:
    """The length of the frame that begins here, 0 where none does, None where more bytes are needed."""
    head = data[at : at + 4]
    if head[:2] not in (b"xx", b"yy"):
        return None if head in (b"x", b"y") else 0
    if head[0] == 0x78:
        return None if len(head) < 3 else head[2] + 5 if head[2] >= 5 else 0
    if len(head) < 4:
        return None
    length = int.from_bytes(head[2:], "big")
    return length + 6 if 5 <= length <= MAX_FRAME_BYTES - 6 else 0


_SHAPE = FrameShape(_START, _BEGUN, 3, MAX_FRAME_BYTES, frame_length, has_right_checksum)


def _next_start(data: bytes, at: int) -> int:
    if found := _START.search(data, at):
        return found.start()
    # The last bytes may be a start whose rest is still to come.
    found = _BEGUN.search(data, max(at, len(data) - 3))
    return found.start() if found else len(data)


def _after_stop(data: bytes, at: int) -> int:
    stop = data.find(_STOP, at)
    return stop + len(_STOP) if stop >= 0 else len(data)


def framed(kind: int, content: bytes, serial: bytes) -> bytes:
    """A frame of the short kind."""
    body = bytes([len(content) + 5, kind]) + content + serial
    return b"xx" + body + crc16_x25(body).to_bytes(2, "big") + _STOP
