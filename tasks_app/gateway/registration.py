"""The registration of a node and its sessions in Redis: heartbeat, descriptions as they change, sessions that ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from tasks_app.gateway.threads import Pool, report
from tasks_app.queries.trackers import SessionDescription
from tasks_app.services.trackers import HeldSession, beat, close_sessions, hold_sessions, leave

if TYPE_CHECKING:
    from tasks_app.gateway.link import Link
    from tasks_app.gateway.server import Gateway

BEAT_SECONDS = 1.0
# Sessions of which something was heard are written down at this interval, all of them at the other.
CHANGED_EVERY_SECONDS, ALL_EVERY_SECONDS = 10.0, 60.0
MAX_TOGETHER = 500


def described(link: Link) -> SessionDescription:
    """Describe the session of a link as it is now."""
    assert link.device is not None
    silent = timedelta(seconds=link.gateway.clock() - link.heard_at)
    return SessionDescription(
        device_pk=link.device.pk,
        protocol=link.protocol.name,
        transport=link.session.transport,
        since=link.since,
        last_seen_at=timezone.now() - silent,
        address=link.address,
        bytes_received=link.bytes_received,
        bytes_sent=link.bytes_sent,
        frames=link.frame_count,
    )


def _held(link: Link) -> HeldSession:
    assert link.device is not None
    return HeldSession(link.device.unique_id, link.fence, described(link))


class Registration:
    """Keeps Redis informed, from one thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._pool = Pool("sessions")
        self._ended: list[tuple[str, int]] = []
        self._wrote_changed_at = self._wrote_all_at = gateway.clock()
        self._is_away = False

    def ended(self, unique_id: str, fence: int) -> None:
        """Remove a session with the next heartbeat."""
        self._ended.append((unique_id, fence))

    async def run(self) -> None:
        """Write the heartbeat and what changed, until cancelled."""
        while True:
            try:
                await self._beat()
                self._is_away = False
            except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
                if not self._is_away:
                    report("Sessions are not written down", error)
                self._is_away = True
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Remove the sessions and the node."""
        try:
            await self._close_ended()
            await self._pool.run(leave, self._gateway.node)
        except Exception as error:  # noqa: BLE001 - other gateways remove it
            report("The node is not removed", error)

    def close(self) -> None:
        """End the thread."""
        self._pool.close()

    async def _beat(self) -> None:
        is_known = await self._pool.run(beat, self._gateway.node)
        await self._close_ended()
        now = self._gateway.clock()
        if not is_known or now - self._wrote_all_at >= ALL_EVERY_SECONDS:
            self._wrote_all_at = self._wrote_changed_at = now
            await self._hold(0.0)
        elif now - self._wrote_changed_at >= CHANGED_EVERY_SECONDS:
            since, self._wrote_changed_at = self._wrote_changed_at, now
            await self._hold(since)

    async def _close_ended(self) -> None:
        while self._ended:
            ended = self._ended[:MAX_TOGETHER]
            await self._pool.run(close_sessions, self._gateway.node, ended)
            del self._ended[: len(ended)]

    async def _hold(self, since: float) -> None:
        """Write down the sessions of which something was heard since then, and close those that a newer connection has."""
        links = [link for link in self._gateway.sessions.values() if link.heard_at >= since]
        for start in range(0, len(links), MAX_TOGETHER):
            held = [_held(link) for link in links[start : start + MAX_TOGETHER] if link.fence and not link.is_closed]
            await self._hold_some(held)

    async def _hold_some(self, held: list[HeldSession]) -> None:
        fences = {one.unique_id: one.fence for one in held}
        for unique_id in await self._pool.run(hold_sessions, self._gateway.node, held):
            self._gateway.superseded(unique_id, fences[unique_id] + 1)
