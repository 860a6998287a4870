"""Bounds: connections in all and of one address, and in a minute refusals of one address and answers of one device. No I/O."""

from __future__ import annotations

from collections import Counter

from tasks_app.utils.client_addresses import limit_key

WINDOW_SECONDS = 60
# Further ones share one count until the minute ends: senders of UDP may invent as many addresses as they like.
MAX_NAMES = 50_000
_OTHERS = "others"


class ConnectionLimits:
    """Counts open connections."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._by_address: Counter[str] = Counter()
        self.total = 0

    def enter(self, address: str) -> str:
        """Count a connection and return ""; or return why there may be no further one, and count none."""
        key = limit_key(address)
        if self.total >= self._most:
            return "too_many_connections"
        if self._by_address[key] >= self._most_per_address:
            return "too_many_of_address"
        self._by_address[key] += 1
        self.total += 1
        return ""

    def leave(self, address: str) -> None:
        """Take back a connection that was counted."""
        key = limit_key(address)
        self._by_address[key] -= 1
        self.total -= 1
        if not self._by_address[key]:
            del self._by_address[key]


class MinuteThrottle:
    """Counts in the present minute, by a name: of an address, or of a device. Times are seconds of any steady clock."""

    def __init__(self, most_per_minute: int) -> None:
        self._most = most_per_minute
        self._minute = -1
        self._counts: Counter[str] = Counter()

    def note(self, name: str, now: float) -> None:
        """Count one."""
        self._counts[self._key(name, now)] += 1

    def is_over(self, name: str, now: float) -> bool:
        """Return whether this name had as many as it may have in this minute."""
        return self._counts[key] >= self._most if (key := self._key(name, now)) in self._counts else self._most <= 0

    def _key(self, name: str, now: float) -> str:
        minute = int(now // WINDOW_SECONDS)
        if minute != self._minute:
            self._minute = minute
            self._counts.clear()
        return name if name in self._counts or len(self._counts) < MAX_NAMES else _OTHERS


class RefusalThrottle(MinuteThrottle):
    """Counts refusals of addresses."""

    def _key(self, name: str, now: float) -> str:
        return super()._key(limit_key(name), now)
