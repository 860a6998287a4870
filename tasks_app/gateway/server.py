"""A gateway: its ports, its trackers, what it counts, and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from tasks_app.engine.consumers import HOST
from tasks_app.gateway.commands import CommandDesk
from tasks_app.gateway.config import GatewayConfig
from tasks_app.gateway.identities import Identities
from tasks_app.gateway.intake import Intake, Parcel
from tasks_app.gateway.limits import ConnectionLimits, MinuteThrottle, RefusalThrottle
from tasks_app.gateway.link import Link
from tasks_app.gateway.listening import TcpListener, bound_socket
from tasks_app.gateway.notes import Notes
from tasks_app.gateway.registration import Registration
from tasks_app.gateway.sweeper import Sweeper
from tasks_app.gateway.tally import Tally
from tasks_app.gateway.tcp import TrackerConnection, tls_context
from tasks_app.gateway.udp import UdpListener
from tasks_app.ingest.trackers.base import TrackerProtocol

logger = logging.getLogger(__name__)

# Of the grace period, for closing the connections and sessions.
CLOSING_SECONDS = 3.0
LOOK_SECONDS = 0.02
# Of one device. Each is a job before all others, and no device is sent so many commands.
ANSWERS_PER_MINUTE = 60


def _same(listener: UdpListener) -> UdpListener:
    return listener


class Gateway:
    """One gateway process. Everything here runs in its event loop."""

    def __init__(self, config: GatewayConfig, protocols: Mapping[str, tuple[TrackerProtocol, int]]) -> None:
        self.config = config
        self.protocols = protocols
        self.node = f"{HOST}:{os.getpid()}:{secrets.token_hex(4)}"
        self.clock = time.monotonic
        self.limits = ConnectionLimits(config.max_connections, config.max_connections_per_address)
        # Apart, since addresses of datagrams may be forged: those of a network's trackers, for one.
        self.throttles = {name: RefusalThrottle(config.refusals_per_minute) for name in ("tcp", "udp")}
        self.answers = MinuteThrottle(ANSWERS_PER_MINUTE)
        self.tally = Tally()
        self.identities = Identities(self.clock)
        self.intake = Intake(self.node)
        self.notes = Notes(self.clock, raw_frames=config.raw_frames)
        self.registration = Registration(self)
        self.links: set[Link] = set()
        self.sessions: dict[str, Link] = {}
        # By device and transport: the latest connection that named itself, with or without its session.
        self._newest: dict[tuple[str, str], Link] = {}
        self.is_draining = False
        # In the order of the protocols, TCP before UDP; where 0 was asked for, those that the system chose.
        self.ports: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._desk = CommandDesk(self, self._loop)
        self._tcp: list[TcpListener] = []
        self._udp: list[UdpListener] = []

    # --- Life of the process ------------------------------------------------------------------------------------------

    async def run(self, listening: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`; call `listening` once every port is open. Raises OSError for a port that cannot be had."""
        parts = [self.identities.run(), self.intake.run(), self.notes.run(), self.registration.run()]
        parts.append(Sweeper(self).run())
        tasks = [asyncio.create_task(part) for part in parts]
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
        tls = None
        if self.config.tls_certificate:
            tls = tls_context(self.config.tls_certificate, self.config.tls_key)
        for protocol, port in self.protocols.values():
            if protocol.has_tcp:
                listening = self._bound(socket.SOCK_STREAM, port)
                self._tcp.append(TcpListener(self, protocol, listening, tls))
            if protocol.has_udp and tls is None:
                udp = UdpListener(self, protocol)
                self._udp.append(udp)
                bound = self._bound(socket.SOCK_DGRAM, port)
                await self._loop.create_datagram_endpoint(partial(_same, udp), sock=bound)
        return [listener.start() for listener in self._tcp]

    def _bound(self, kind: socket.SocketKind, port: int) -> socket.socket:
        found = bound_socket(kind, self.config.host, port, reuse_port=self.config.reuse_port)
        self.ports.append(found.getsockname()[1])
        return found

    async def _drain(self) -> None:
        """Accept and decode nothing more, acknowledge what was decoded, and close the sessions."""
        ends_at = self.clock() + self.config.grace_seconds
        self.is_draining = True
        self._desk.stop()
        for listener in self._tcp:
            await listener.close()
        for link in self.links:
            link.pause()
        while not (self.intake.is_idle and self._desk.is_idle) and self.clock() < ends_at - CLOSING_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
        for link in list(self.links):
            link.close("gateway_stops")
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.registration.leave()
                await self.notes.write_to_redis()
                await self.notes.write_to_database()
        except TimeoutError:
            logger.warning("Sessions are left to be removed by other gateways: Redis or PostgreSQL does not answer.")

    def _close_parts(self) -> None:
        for listener in self._udp:
            listener.close()
        for link in list(self.links):
            if isinstance(link, TrackerConnection):
                link.abort()
        for part in (self.identities, self.intake, self.notes, self.registration, self._desk):
            part.close()
        self.tally.hand_over()

    # --- What links report --------------------------------------------------------------------------------------------

    def joined(self, link: Link) -> None:
        """Take up a connection."""
        self.links.add(link)
        self.tally.opened[link.protocol.name, link.session.transport] += 1

    def opened(self, link: Link, parcel: Parcel) -> None:
        """Take up the session that was opened with a parcel: the newer connection of a device wins.

        After an outage several of one tracker open theirs in any order; those that it gave up meanwhile are older.
        """
        former = self.sessions.get(parcel.unique_id)
        if former is not None and former.fence > parcel.fence:
            self.registration.ended(parcel.unique_id, parcel.fence)
            link.retire()
            return
        if link.is_closed or self.has_newer(link):
            if former is not None and former is not link:
                former.fence = parcel.fence
            else:
                self.registration.ended(parcel.unique_id, parcel.fence)
            link.retire()
            return
        link.fence = parcel.fence
        self.sessions[parcel.unique_id] = link
        if former is not None and former is not link:
            former.retire()
        assert link.device is not None
        self.notes.connected(link.device.pk, link.protocol.name)

    def named(self, link: Link) -> None:
        """Note that a connection said whose it is."""
        if link.device is not None and not self.has_newer(link):
            self._newest[link.device.unique_id, link.session.transport] = link

    def has_newer(self, link: Link) -> bool:
        """Return whether a later connection is of the same device: its tracker has given this one up.

        A datagram, whose address may be forged, says nothing of a connection by TCP.
        """
        if link.device is None:
            return False
        transports = ("tcp", "udp") if link.session.transport == "udp" else ("tcp",)
        others = (self._newest.get((link.device.unique_id, transport)) for transport in transports)
        return any(one is not None and one.opened_at > link.opened_at for one in others)

    def may_answer(self, link: Link) -> bool:
        """Return whether an answer of a link is more than a sign of life: none is beyond those of its device in this minute."""
        assert link.device is not None
        if not self.answers.is_over(link.device.unique_id, self.clock()):
            return True
        self.tally.refused[link.protocol.name, "too_many_answers"] += 1
        return False

    def answered(self, *, device_id: str, count: int) -> None:
        """Count answers of a device that were taken in."""
        for _ in range(count):
            self.answers.note(device_id, self.clock())

    def session(self, unique_id: str, fence: int) -> Link | None:
        """Return the link that holds exactly this session; None for one that its tracker has given up."""
        link = self.sessions.get(unique_id)
        if link is None or link.fence != fence or link.is_closed or self.has_newer(link):
            return None
        return link

    def superseded(self, unique_id: str, fence: int) -> None:
        """Close a session that a newer connection, of this fence, took over on another node."""
        link = self.sessions.get(unique_id)
        if link is not None and link.fence < fence:
            link.close("superseded")

    def leave_session(self, link: Link) -> None:
        """End the session of a link, which is no more its device's."""
        if link.device is not None:
            key = link.device.unique_id, link.session.transport
            if self._newest.get(key) is link:
                del self._newest[key]
        if link.device is not None and link.fence:
            if self.sessions.get(link.device.unique_id) is link:
                del self.sessions[link.device.unique_id]
            self.registration.ended(link.device.unique_id, link.fence)
            self.notes.left(link.device.pk)
        link.fence = 0

    def left(self, link: Link) -> None:
        """Take leave of a link that closes."""
        self.leave_session(link)

    def lost(self, link: Link) -> None:
        """Forget a link whose transport is gone."""
        if link in self.links:
            self.links.remove(link)
            if link.session.transport == "tcp":
                self.limits.leave(link.address)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call a function after a while."""
        self._loop.call_later(seconds, function)

    def counts(self) -> Counter[str]:
        """Return how many connections of each protocol named themselves."""
        return Counter(link.protocol.name for link in self.sessions.values())
