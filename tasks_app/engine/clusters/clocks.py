"""Deciding whether heartbeats can be judged now. Pure, but for the monotonic clock.

After a jump of Redis's clock, or after this process was frozen, every other host looks silent. No consumer is declared dead
in the first round after that: in the second, those that live have sent a heartbeat again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_DISAGREEMENT_SECONDS = 1.0
MAX_PAUSE_SECONDS = 6.0


class ClockGuard:
    """Compares the advance of Redis's clock between two rounds with that of our own."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: tuple[float, float] | None = None

    @property
    def is_new(self) -> bool:
        """Whether no round was seen yet, so that the next one has nothing to be compared with."""
        return self._last is None

    def agree(self, redis_time: tuple[int, int]) -> bool:
        """Call once a round with Redis's TIME (seconds, microseconds); False in the first round and after a jump or pause."""
        now, theirs = self._monotonic(), redis_time[0] + redis_time[1] / 1e6
        last, self._last = self._last, (now, theirs)
        if last is None:
            return False
        passed, they_passed = now - last[0], theirs - last[1]
        return passed <= MAX_PAUSE_SECONDS and abs(passed - they_passed) <= MAX_DISAGREEMENT_SECONDS
