"""How often a client may speak."""

from __future__ import annotations


class RateLimit:
    """So many messages at once, and then so many per second."""

    def __init__(self, *, burst: int, per_second: float) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._left = float(burst)
        self._at: float | None = None

    def allows(self, now: float) -> bool:
        """Count one message at `now` (seconds of a clock that only goes forward)."""
        passed = 0.0 if self._at is None else now - self._at
        self._left, self._at = min(self._burst, self._left + passed * self._per_second), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
