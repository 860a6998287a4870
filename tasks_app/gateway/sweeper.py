"""Looks over all connections every few seconds: one pass in place of a timer, or a task, for each of them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from tasks_app.gateway.link import Link
from tasks_app.gateway.tally import show_connections
from tasks_app.gateway.tcp import TrackerConnection
from tasks_app.gateway.udp import UNKNOWN_SECONDS

if TYPE_CHECKING:
    from tasks_app.gateway.server import Gateway

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

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._checked_at = gateway.clock()

    async def run(self) -> None:
        """Look over all connections, until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._look_over()
            except Exception:  # one failed round must not be the last: nothing else ends idle connections
                logger.exception("Connections cannot be looked over")

    async def _look_over(self) -> None:
        gateway = self._gateway
        now = gateway.clock()
        for link in list(gateway.links):
            self._look_at(link, now)
        gateway.tally.hand_over()
        show_connections(gateway.protocols, gateway.counts())
        if now - self._checked_at >= CHECK_EVERY_SECONDS:
            self._checked_at = now
            await self._check_devices()

    def _look_at(self, link: Link, now: float) -> None:
        config = self._gateway.config
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

    def _login_seconds(self, link: Link) -> float:
        return UNKNOWN_SECONDS if link.session.transport == "udp" else self._gateway.config.login_seconds

    async def _check_devices(self) -> None:
        """Look connected devices up again, and close those that may not be connected any more."""
        gateway = self._gateway
        links = [link for link in gateway.links if link.device is not None and not link.is_closed]
        for start in range(0, len(links), MAX_TOGETHER):
            some = links[start : start + MAX_TOGETHER]
            names = {link.device.unique_id for link in some if link.device is not None}
            if await gateway.identities.refresh(names):
                for link in some:
                    self._check(link)
            await asyncio.sleep(0)

    def _check(self, link: Link) -> None:
        if link.is_closed or link.device is None:
            return
        identity = self._gateway.identities.get(link.device.unique_id)
        if identity is None:
            return
        device = identity.device
        reason = device.why_refused(link.address) if device else "unknown"
        if device is None or reason:
            self._gateway.tally.refused[link.protocol.name, reason] += 1
            link.close("refused")
        else:
            if link.fence and device.pk != link.device.pk:
                # Its tracker was given to another vehicle, which is reached by this connection from now on.
                self._gateway.notes.connected(device.pk, link.protocol.name)
            link.device = device
            link.session.set_up(zone_minutes=device.zone_minutes, relay_variant=device.relay_variant)
