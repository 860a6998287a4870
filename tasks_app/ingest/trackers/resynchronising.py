"""Where a stream goes on behind a length that lies: at the next whole frame whose checksum is right.

A length that is too great claims the frames that follow, and waits for more where these are not enough; one that is too small
cuts off a frame that may hold the start of another. So a frame whose checksum is not right, or that is not whole yet, is
believed as far as no other begins within it that is whole and right. By chance that happens to a good one of which a part
is still to come as rarely as a checksum is right by chance, and the mark of a start with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tasks_app.ingest.trackers.base import TrackerSession

# Starts that are looked at in one call: a flood of them costs no more, and real ones are whole and right within a few.
MAX_STARTS = 64
_SOUGHT = "sought"


@dataclass(frozen=True, slots=True)
class FrameShape:
    """The marks by which frames of a protocol are found.

    `start` matches where one may begin, and may match within another match; `begun` the beginning of a start at the end of all
    bytes, which is no longer than `start_bytes`. No frame that is looked for is longer than `max_bytes`.

    `length_of` is the length of the frame that begins at a place, 0 where none does, None where more bytes are needed;
    `is_right` says whether a whole one of this place and length has the right checksum.
    """

    start: re.Pattern[bytes]
    begun: re.Pattern[bytes]
    start_bytes: int
    max_bytes: int
    length_of: Callable[[bytes, int], int | None]
    is_right: Callable[[bytes, int, int], bool]


class Resynchronising:
    """The search of one call of `cut`: forward only, so that each start is looked at once.

    Between the calls the session keeps how far the bytes of a frame that is not whole yet were searched.
    """

    def __init__(self, data: bytes, session: TrackerSession, shape: FrameShape) -> None:
        self._data = data
        self._session = session
        self._shape = shape
        # Before this place no other frame that is whole and right begins.
        self._place: int = session.stream.pop(_SOUGHT, 0)
        self._is_found = False
        self._left = MAX_STARTS

    def end_of(self, at: int, length: int) -> int | None:
        """Where a frame ends that states this length and is not both whole and right; None where it is waited for.

        It ends where another one begins that is whole and right. Where none does, it is as long as it says; if that is all
        there, its checksum is wrong, and one that has begun within it may still become whole.
        """
        end = at + length
        if other := self._right_frame(at + 1, end):
            return other
        if end <= len(self._data):
            return self._unfinished(at + 1, end)
        self._note_waiting(at)
        return None

    def _right_frame(self, begin: int, end: int) -> int:
        """The first place from `begin` and before `end` where a frame begins that is whole and right; 0 for none."""
        if not (self._is_found and begin <= self._place):
            self._search(max(begin, self._place), end)
        return self._place if self._is_found and self._place < end else 0

    def _search(self, begin: int, end: int) -> None:
        self._is_found, self._place = False, begin
        while not self._is_found and (start := self._next_start(self._place, end)) is not None:
            self._is_found = self._is_right(start)
            self._place = start if self._is_found else start + 1

    def _next_start(self, begin: int, end: int) -> int | None:
        if self._left <= 0:
            return None
        self._left -= 1
        found = self._shape.start.search(self._data, begin)
        return found.start() if found and found.start() < end else None

    def _is_right(self, place: int) -> bool:
        length = self._shape.length_of(self._data, place)
        return (
            length is not None
            and 0 < length <= self._shape.max_bytes
            and place + length <= len(self._data)
            and self._shape.is_right(self._data, place, length)
        )

    def _unfinished(self, begin: int, end: int) -> int:
        """The first place from `begin` and before `end` where a frame begins that is not whole yet; `end` for none."""
        while (start := self._next_start(begin, end)) is not None:
            length = self._shape.length_of(self._data, start)
            if length is None or start + length > len(self._data):
                return start
            begin = start + 1
        found = self._shape.begun.search(self._data, max(begin, len(self._data) - self._shape.start_bytes))
        return min(found.start(), end) if found else end

    def _note_waiting(self, at: int) -> None:
        """Note for the next call that the frame at this place is not whole yet, and holds no other that is."""
        searched = len(self._data) if self._left > 0 else self._place
        # One that is whole the next time ends in bytes that are still to come.
        self._session.stream[_SOUGHT] = max(0, min(searched, len(self._data) - self._shape.max_bytes) - at)
