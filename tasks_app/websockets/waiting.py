"""Waiting room of connections not yet authenticated: few per address, and never so many that others cannot enter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tasks_app.websockets.messages import TOO_MANY

MAX_PER_ADDRESS = 20
MAX_WAITING = 200


class Guest(Protocol):
    """A connection, as the waiting room sees it."""

    address: str

    def end(self, code: int) -> None: ...


class WaitingRoom:
    """Unauthenticated connections of one web process. When full, the oldest of the address with the most is closed."""

    def __init__(self) -> None:
        self._guests: dict[str, dict[Guest, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._guests.values()))

    def enter(self, guest: Guest) -> None:
        here = self._guests.setdefault(guest.address, {})
        here[guest] = None
        if len(here) > MAX_PER_ADDRESS:
            next(iter(here)).end(TOO_MANY)
        elif len(self) > MAX_WAITING:
            busiest = max(self._guests, key=lambda address: len(self._guests[address]))
            next(iter(self._guests[busiest])).end(TOO_MANY)

    def leave(self, guest: Guest) -> None:
        here = self._guests.get(guest.address, {})
        here.pop(guest, None)
        if not here:
            self._guests.pop(guest.address, None)


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a connection comes from, as the web server says; empty over a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""
