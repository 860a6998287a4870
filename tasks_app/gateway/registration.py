"""The registration of a node and its sessions in Redis: heartbeat, descriptions as they change, sessions that ended."""

from __future__ import annotations

import asyncio

from tasks_app.gateway.sessions import Connection, described
from tasks_app.gateway.shared import Shared
from tasks_app.gateway.threads import Pool, report
from tasks_app.services.trackers import HeldSession, beat, close_sessions, hold_sessions, leave

BEAT_SECONDS = 1.0
# Sessions of which something was heard are written down at this interval, all of them at the other.
CHANGED_EVERY_SECONDS, ALL_EVERY_SECONDS = 10.0, 60.0
MAX_TOGETHER = 500


def _held(link: Connection, now: float) -> HeldSession:
    assert link.device is not None
    return HeldSession(link.device.unique_id, link.fence, described(link, now))


class Registration:
    """Keeps Redis informed, from one thread."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._sessions = shared.sessions
        self._pool = Pool("sessions")
        self._wrote_changed_at = self._wrote_all_at = shared.clock()
        self._is_away = False

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
            await self._pool.run(leave, self._shared.node)
        except Exception as error:  # noqa: BLE001 - other gateways remove it
            report("The node is not removed", error)

    def close(self) -> None:
        """End the thread."""
        self._pool.close()

    async def _beat(self) -> None:
        is_known = await self._pool.run(beat, self._shared.node)
        await self._close_ended()
        now = self._shared.clock()
        if not is_known or now - self._wrote_all_at >= ALL_EVERY_SECONDS:
            self._wrote_all_at = self._wrote_changed_at = now
            await self._hold(0.0)
        elif now - self._wrote_changed_at >= CHANGED_EVERY_SECONDS:
            since, self._wrote_changed_at = self._wrote_changed_at, now
            await self._hold(since)

    async def _close_ended(self) -> None:
        waiting = self._sessions.ended
        while waiting:
            ended = waiting[:MAX_TOGETHER]
            await self._pool.run(close_sessions, self._shared.node, ended)
            del waiting[: len(ended)]

    async def _hold(self, since: float) -> None:
        """Write down the sessions of which something was heard since then, and close those that a newer connection has."""
        links = [link for link in self._sessions.by_device.values() if link.heard_at >= since]
        for start in range(0, len(links), MAX_TOGETHER):
            some = [link for link in links[start : start + MAX_TOGETHER] if link.fence and not link.is_closed]
            now = self._shared.clock()
            await self._hold_some([_held(link, now) for link in some])

    async def _hold_some(self, held: list[HeldSession]) -> None:
        fences = {one.unique_id: one.fence for one in held}
        for unique_id in await self._pool.run(hold_sessions, self._shared.node, held):
            self._sessions.superseded(unique_id, fences[unique_id] + 1)
