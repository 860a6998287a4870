"""A gateway process: its ports, its parts, and its end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial

from tasks_app.gateway.commands import CommandDesk
from tasks_app.gateway.config import GatewayConfig
from tasks_app.gateway.listening import TcpListener, bound_socket
from tasks_app.gateway.registration import Registration
from tasks_app.gateway.shared import Shared
from tasks_app.gateway.sweeper import Sweeper
from tasks_app.gateway.tcp import TrackerConnection, tls_context
from tasks_app.gateway.udp import UdpListener
from tasks_app.ingest.trackers.base import TrackerProtocol

logger = logging.getLogger(__name__)

# Of the grace period, for closing the connections and sessions.
CLOSING_SECONDS = 3.0
LOOK_SECONDS = 0.02


def _same(listener: UdpListener) -> UdpListener:
    return listener


class Gateway:
    """One gateway process. Everything here runs in its event loop."""

    def __init__(self, config: GatewayConfig, protocols: Mapping[str, tuple[TrackerProtocol, int]]) -> None:
        self.protocols = protocols
        self.shared = Shared(config)
        # In the order of the protocols, TCP before UDP; where 0 was asked for, those that the system chose.
        self.ports: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._registration = Registration(self.shared)
        self._desk = CommandDesk(self.shared, self._loop)
        self._tcp: list[TcpListener] = []
        self._udp: list[UdpListener] = []

    # --- Life of the process ------------------------------------------------------------------------------------------

    async def run(self, listening: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`; call `listening` once every port is open. Raises OSError for a port that cannot be had."""
        shared = self.shared
        parts = (shared.identities, shared.intake, shared.notes, self._registration, Sweeper(shared, self.protocols))
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            tasks += await self._listen()
            self._desk.start()
            listening()
            stopped = asyncio.create_task(self._stop.wait())
            # A part that ends has failed: systemd or the container starts the gateway anew, and trackers come back.
            ended, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            await self._drain()
            for task in ended - {stopped}:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._close_parts()

    def stop(self) -> None:
        """End in order."""
        self._stop.set()

    async def _listen(self) -> list[asyncio.Task[None]]:
        config = self.shared.config
        tls = tls_context(config.tls_certificate, config.tls_key) if config.tls_certificate else None
        for protocol, port in self.protocols.values():
            if protocol.has_tcp:
                listening = self._bound(socket.SOCK_STREAM, port)
                self._tcp.append(TcpListener(self.shared, protocol, listening, tls))
            if protocol.has_udp and tls is None:
                udp = UdpListener(self.shared, protocol)
                self._udp.append(udp)
                bound = self._bound(socket.SOCK_DGRAM, port)
                await self._loop.create_datagram_endpoint(partial(_same, udp), sock=bound)
        return [listener.start() for listener in self._tcp]

    def _bound(self, kind: socket.SocketKind, port: int) -> socket.socket:
        config = self.shared.config
        found = bound_socket(kind, config.host, port, reuse_port=config.reuse_port)
        self.ports.append(found.getsockname()[1])
        return found

    async def _drain(self) -> None:
        """Accept and decode nothing more, acknowledge what was decoded, and close the sessions."""
        shared = self.shared
        ends_at = shared.clock() + shared.config.grace_seconds
        shared.is_draining = True
        self._desk.stop()
        for listener in self._tcp:
            await listener.close()
        for link in shared.sessions.links:
            link.pause()
        while not (shared.intake.is_idle and self._desk.is_idle) and shared.clock() < ends_at - CLOSING_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
        for link in list(shared.sessions.links):
            link.close("gateway_stops")
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self._registration.leave()
                await shared.notes.write_to_redis()
                await shared.notes.write_to_database()
        except TimeoutError:
            logger.warning("Sessions are left to be removed by other gateways: Redis or PostgreSQL does not answer.")

    def _close_parts(self) -> None:
        for listener in self._udp:
            listener.close()
        shared = self.shared
        for link in list(shared.sessions.links):
            if isinstance(link, TrackerConnection):
                link.abort()
        for part in (shared.identities, shared.intake, shared.notes, self._registration, self._desk):
            part.close()
        shared.tally.hand_over()
