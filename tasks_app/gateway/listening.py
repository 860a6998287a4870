"""The ports of a gateway: sockets, accepting of connections within the limits, headers of the PROXY protocol."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine
from functools import partial
from typing import Any

from tasks_app.gateway.proxy_protocol import PREFIX_BYTES, InvalidHeader, rest_bytes, source_address
from tasks_app.gateway.shared import Shared
from tasks_app.gateway.tcp import TrackerConnection
from tasks_app.ingest.trackers.base import TrackerProtocol
from tasks_app.utils.client_addresses import parse_address
from tasks_app.utils.networks import lies_within

logger = logging.getLogger(__name__)

BACKLOG = 1024
# What the kernel keeps for one connection: packets of trackers are small, and one that is not read may send no more.
KERNEL_BYTES = 64 * 1024
# Without a free file descriptor nothing can be accepted: connections that end free some.
WAIT_FOR_FILES_SECONDS = 0.5
HEADER_SECONDS = 5.0


def bound_socket(kind: socket.SocketKind, host: str, port: int, *, reuse_port: bool) -> socket.socket:
    """Return a socket of this kind at this address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, kind)
    try:
        found.setblocking(False)
        if kind == socket.SOCK_STREAM:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Inherited by accepted connections.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        if reuse_port:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        found.bind((host, port))
    except BaseException:  # also where the process is being stopped: nobody else knows the socket
        found.close()
        raise
    return found


class TcpListener:
    """The TCP port of a protocol. Accepts by itself, so that a connection over a limit costs no more than the accepting."""

    def __init__(
        self, shared: Shared, protocol: TrackerProtocol, listening: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        self._shared = shared
        self._protocol = protocol
        self._socket = listening
        self._tls = tls
        self._accepting: asyncio.Task[None] | None = None
        self._beginning: set[asyncio.Task[None]] = set()

    def start(self) -> asyncio.Task[None]:
        """Begin to accept connections; the task never ends by itself."""
        self._socket.listen(BACKLOG)
        self._accepting = asyncio.create_task(self._accept())
        return self._accepting

    async def close(self) -> None:
        """Close the port, and connections that have not begun."""
        tasks = [task for task in (self._accepting, *self._beginning) if task is not None]
        for task in tasks:
            task.cancel()
        # The event loop lets go of a socket before that is closed, and its number another's.
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                found, peer = await loop.sock_accept(self._socket)
            except OSError as error:
                logger.warning("%s: no connection can be accepted: %s", self._protocol.name, error)
                await asyncio.sleep(WAIT_FOR_FILES_SECONDS)
                continue
            address = str(parse_address(peer[0]) or peer[0])
            if self._shared.config.proxy_protocol and self._is_proxy(address):
                self._begin(self._behind_proxy(found, address))
            else:
                self._begin_within_limits(found, address)

    def _is_proxy(self, address: str) -> bool:
        networks = self._shared.config.trusted_proxies
        return bool(networks) and lies_within(address, networks)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    def _begin_within_limits(self, found: socket.socket, address: str) -> None:
        reason = self._shared.limits.enter(address)
        if reason:
            self._shared.tally.refused[self._protocol.name, reason] += 1
            found.close()
            return
        self._begin(self._connect(found, address))

    async def _behind_proxy(self, found: socket.socket, proxy: str) -> None:
        """Read the header, no byte more, and begin with the address that it names."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(HEADER_SECONDS):
                prefix = await _read(loop, found, PREFIX_BYTES)
                rest = await _read(loop, found, rest_bytes(prefix))
            address = source_address(prefix, rest) or proxy
        except (InvalidHeader, OSError, TimeoutError) as error:
            logger.info("%s: no header of the PROXY protocol from %s: %s", self._protocol.name, proxy, error)
            self._shared.tally.refused[self._protocol.name, "no_proxy_header"] += 1
            found.close()
        except BaseException:  # cancelled, for one
            found.close()
            raise
        else:
            self._begin_within_limits(found, address)

    async def _connect(self, found: socket.socket, address: str) -> None:
        """Make the connection; with TLS, after its handshake."""
        shared = self._shared
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = {"ssl_handshake_timeout": shared.config.login_seconds} if self._tls else {}
        made: list[TrackerConnection] = []
        factory = partial(_make, shared, self._protocol, address, made)
        try:
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(factory, found, ssl=self._tls, **options)
        except (OSError, TimeoutError) as error:
            logger.debug("%s: %s did not begin: %s", self._protocol.name, address, error)
            shared.tally.refused[self._protocol.name, "no_handshake"] += 1
        finally:
            # `lost` takes back what `joined` was called for.
            if not made or not made[0].has_begun:
                found.close()
                shared.limits.leave(address)


def _make(shared: Shared, protocol: TrackerProtocol, address: str, made: list[TrackerConnection]) -> TrackerConnection:
    made.append(TrackerConnection(shared, protocol, address))
    return made[0]


async def _read(loop: asyncio.AbstractEventLoop, found: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = await loop.sock_recv(found, length - len(data))
        if not piece:
            raise InvalidHeader("closed")
        data += piece
    return data
