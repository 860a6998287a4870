"""Trackers that connect by TCP, with or without TLS."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import sslproto
from typing import cast

from tasks_app.gateway.link import Link
from tasks_app.gateway.shared import Shared
from tasks_app.ingest.trackers.base import TrackerProtocol, TrackerSession

# Read at once from any connection, into memory that all of them share.
READ_BYTES = 16 * 1024
# Of answers that the tracker has not read; after that it is not read either, and later closed.
UNREAD_BYTES = 16 * 1024

_shared = memoryview(bytearray(READ_BYTES))


class TrackerConnection(Link, asyncio.BufferedProtocol):
    """One connection. It has no task of its own: the event loop calls it, and it calls nothing that waits."""

    __slots__ = ("_is_paused", "_transport", "_unread_since", "has_begun", "is_ended")

    def __init__(self, shared: Shared, protocol: TrackerProtocol, address: str) -> None:
        super().__init__(shared, protocol, TrackerSession("tcp"), address)
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._unread_since = 0.0
        self.has_begun = False
        # It sends no more, but what it sent is still to be acknowledged.
        self.is_ended = False

    # --- Called by the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self.has_begun = True
        self.shared.sessions.joined(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return the memory to read into: what is in it is taken before any other connection reads."""
        return _shared

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if not self.is_closed:
            self.receive(bytes(_shared[:nbytes]))

    def eof_received(self) -> bool:
        """Close, after what was sent is acknowledged."""
        self.is_ended = True
        if not self.is_waiting:
            self.close("closed_by_tracker")
        # TLS has no half of a connection.
        is_tls = self._transport is not None and self._transport.get_extra_info("sslcontext") is not None
        return not self.is_closed and not is_tls

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self.close("closed_by_tracker" if error is None else "connection_lost")
        self.shared.sessions.lost(self)
        self._transport = None

    def pause_writing(self) -> None:
        """Stop reading from a tracker that does not read."""
        self._unread_since = self.shared.clock()
        self.pause()

    def resume_writing(self) -> None:
        """Read again."""
        self._unread_since = 0.0
        if not self.is_waiting:
            self.work()

    # --- Called by the link -------------------------------------------------------------------------------------------

    def transmit(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is not None:
            self._transport.write(data)

    def has_unsent(self) -> bool:
        """Return whether bytes wait because the tracker does not read."""
        return self._transport is None or self._transport.get_write_buffer_size() > 0

    def unread_seconds(self, now: float) -> float:
        """Return for how long it has not read what it was sent, as far as that is too much."""
        return now - self._unread_since if self._unread_since else 0.0

    def pause(self) -> None:
        """Read no further."""
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again, unless the tracker does not read."""
        if self.is_ended:
            self.close("closed_by_tracker")
        elif self._transport is not None and self._is_paused and not self._unread_since:
            self._is_paused = False
            self._transport.resume_reading()

    def end(self) -> None:
        """Close once what was written is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    """Return the context of a gateway with this certificate. Raises OSError, ssl.SSLError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Trackers are old: TLS 1.2 is what most of them have.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    # Of each connection asyncio has a buffer of this size, else of 256 KiB: 2.5 GB for 10 000 trackers.
    sslproto.SSLProtocol.max_size = READ_BYTES
    return context
