"""Trackers that send datagrams. An address of a datagram may be forged, so nothing is sent to one without a known device.

No answer is larger than its request but by a few bytes, unknown identifiers get none, and a datagram never takes the session
of a device that is connected by TCP. The senders that are remembered are bounded, and so is what waits of each of them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, cast

from tasks_app.gateway.link import Link
from tasks_app.gateway.shared import Shared
from tasks_app.ingest.trackers.base import TrackerProtocol, TrackerSession
from tasks_app.utils.client_addresses import parse_address

# Datagrams of one sender that wait while others of it are taken in; further ones are lost, and sent again by the tracker.
MAX_WAITING = 8
# How often a sender whose device is connected by TCP asks for the session again.
ASK_SESSION_SECONDS = 60.0
# A sender without a known device is forgotten after so long.
UNKNOWN_SECONDS = 60.0

Address = tuple[Any, ...]


class UdpSender(Link):
    """An address that sends datagrams."""

    __slots__ = ("_asked_at", "_key", "_listener", "_waiting")

    def __init__(self, listener: UdpListener, key: Address, address: str) -> None:
        super().__init__(listener.shared, listener.protocol, TrackerSession("udp"), address)
        self._listener = listener
        self._key = key
        self._waiting: list[bytes] = []
        self._asked_at = -ASK_SESSION_SECONDS

    def datagram(self, data: bytes) -> None:
        """Take a datagram: whole frames, nothing of which belongs to the next one."""
        if self.is_waiting:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(data)
            else:
                self.shared.tally.refused[self.protocol.name, "too_many_datagrams"] += 1
            return
        self._buffer = b""
        self.receive(data)

    def resume(self) -> None:
        """Go on with the next datagram that waits."""
        if self._buffer:
            self._buffer = b""
            self._bad_frame(b"", "incomplete")
        if self._waiting and not self.is_closed:
            self.shared.call_later(0, self._next)

    def _next(self) -> None:
        if self._waiting and not self.is_waiting and not self.is_closed:
            self.datagram(self._waiting.pop(0))

    def refused(self, refusal: bytes) -> None:
        """Forget the sender, without a word: its address may be another's."""
        self.close("refused")

    def reply(self, replies: list[bytes]) -> None:
        """Send each acknowledgement as a datagram of its own."""
        for one in replies:
            self.send(one)

    def wants_session(self) -> bool:
        """Return whether to ask for the session: not all the time where a TCP connection has it."""
        now = self.shared.clock()
        if now - self._asked_at < ASK_SESSION_SECONDS:
            return False
        self._asked_at = now
        return True

    def session_not_opened(self) -> None:
        """Ask for the session again with the next try."""
        self._asked_at = -ASK_SESSION_SECONDS

    def transmit(self, data: bytes) -> None:
        """Send bytes to the address."""
        self._listener.send(data, self._key)

    def end(self) -> None:
        """Forget the sender."""
        self._listener.forget(self._key, self)


class UdpListener(asyncio.DatagramProtocol):
    """The UDP port of a protocol."""

    def __init__(self, shared: Shared, protocol: TrackerProtocol) -> None:
        self.shared = shared
        self.protocol = protocol
        self._transport: asyncio.DatagramTransport | None = None
        # The longest silent first.
        self.senders: OrderedDict[Address, UdpSender] = OrderedDict()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a datagram."""
        if self.shared.is_draining or not data:
            return
        sender = self.senders.get(addr)
        if sender is None:
            sender = self._new_sender(addr)
        self.senders.move_to_end(addr)
        sender.datagram(data)

    def _new_sender(self, addr: Address) -> UdpSender:
        if len(self.senders) >= self.shared.config.max_udp_senders:
            next(iter(self.senders.values())).close("too_many_senders")
        sender = UdpSender(self, addr, str(parse_address(addr[0]) or addr[0]))
        self.senders[addr] = sender
        self.shared.sessions.joined(sender)
        return sender

    def send(self, data: bytes, addr: Address) -> None:
        """Send a datagram."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def forget(self, addr: Address, sender: UdpSender) -> None:
        """Forget a sender."""
        if self.senders.get(addr) is sender:
            del self.senders[addr]
        self.shared.sessions.lost(sender)

    def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()
