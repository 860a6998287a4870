"""Looks over all connections every few seconds: one pass in place of a timer, or a task, for each of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from tasks_app.gateway.sessions import Connection
from tasks_app.gateway.shared import Shared
from tasks_app.gateway.tally import show_connections
from tasks_app.gateway.tcp import TrackerConnection
from tasks_app.gateway.udp import UNKNOWN_SECONDS

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
# Devices of connected trackers are looked up again: one that was switched off, or may not connect from there any more, is
# refused within this and the time of one pass.
CHECK_EVERY_SECONDS = 30.0
MAX_TOGETHER = 1000
# A connection that is closed and whose last bytes the tracker does not read.
CLOSING_SECONDS = 5.0
# One whose session a newer connection has, and that says nothing more.
RETIRED_SECONDS = 5.0


class Sweeper:
    """Closes connections that are silent, unnamed, unread or not allowed any more, and hands counts over."""

    def __init__(self, shared: Shared, protocols: Collection[str]) -> None:
        self._shared = shared
        self._protocols = protocols
        self._checked_at = shared.clock()

    async def run(self) -> None:
        """Look over all connections, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._look_over()
            except Exception:  # one failed round must not be the last: nothing else ends idle connections
                logger.exception("Connections cannot be looked over")

    async def _look_over(self) -> None:
        shared = self._shared
        now = shared.clock()
        for link in list(shared.sessions.links):
            self._look_at(link, now)
        shared.tally.hand_over()
        show_connections(self._protocols, shared.sessions.counts())
        if now - self._checked_at >= CHECK_EVERY_SECONDS:
            self._checked_at = now
            await self._check_devices()

    def _look_at(self, link: Connection, now: float) -> None:
        config = self._shared.config
        silent_seconds = now - link.heard_at
        if link.is_closed:
            if isinstance(link, TrackerConnection) and silent_seconds >= CLOSING_SECONDS:
                link.abort()
        elif link.device is None and not link.is_waiting and now - link.opened_at >= self._login_seconds(link):
            # One that waits has said who it is: the lookup takes as long as the database is away.
            link.close("no_login")
        elif link.is_retired and not link.is_waiting and silent_seconds >= RETIRED_SECONDS:
            link.close("superseded")
        elif silent_seconds >= config.idle_seconds:
            link.close("silent")
        elif isinstance(link, TrackerConnection):
            if link.unread_seconds(now) >= config.unread_seconds:
                link.close("does_not_read")
                link.abort()
            elif link.is_ended and silent_seconds >= config.unread_seconds:
                link.close("closed_by_tracker")

    def _login_seconds(self, link: Connection) -> float:
        return UNKNOWN_SECONDS if link.session.transport == "udp" else self._shared.config.login_seconds

    async def _check_devices(self) -> None:
        """Look connected devices up again, and close those that may not be connected any more."""
        links = [link for link in self._shared.sessions.links if link.device is not None and not link.is_closed]
        for start in range(0, len(links), MAX_TOGETHER):
            some = links[start : start + MAX_TOGETHER]
            names = {link.device.unique_id for link in some if link.device is not None}
            if await self._shared.identities.refresh(names):
                for link in some:
                    self._check(link)
            await asyncio.sleep(0)

    def _check(self, link: Connection) -> None:
        if link.is_closed or link.device is None:
            return
        identity = self._shared.identities.get(link.device.unique_id)
        if identity is None:
            return
        device = identity.device
        reason = device.why_refused(link.address) if device else "unknown"
        if device is None or reason:
            self._shared.tally.refused[link.protocol.name, reason] += 1
            link.close("refused")
        else:
            if link.fence and device.pk != link.device.pk:
                # Its tracker was given to another vehicle, which is reached by this connection from now on.
                self._shared.notes.connected(device.pk, link.protocol.name)
            link.device = device
            link.session.set_up(zone_minutes=device.zone_minutes, relay_variant=device.relay_variant)
