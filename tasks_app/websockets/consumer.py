"""One connection of /ws/live/: sending changes at its own pace."""

from __future__ import annotations

import asyncio
from typing import Any

from django.utils import timezone

from tasks_app.websockets import messages
from tasks_app.websockets.identity import Access
from tasks_app.websockets.personal import PersonalConsumer
from tasks_app.websockets.views import Cursor, FleetUpdate

# A device is sent once in this time, however often it moved.
COALESCE_SECONDS = 1.0
HEARTBEAT_SECONDS = 25.0
SNAPSHOT_EVENTS = 20


class LiveConsumer(PersonalConsumer):
    """Positions and events of the fleets its user may see. Its messages and close codes: docs/live.md."""

    # The hub listens, once for all connections of the process.
    channel_layer_alias = None
    watches_fleets = True
    kind = "live"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._cursors: dict[int, Cursor] = {}
        self._fleets_changed = False
        self._has_snapshot = False
        self._has_updates = asyncio.Event()

    async def opened(self) -> None:
        self._start(self._send_updates())

    def wake(self) -> None:
        """Note that one of its fleets changed."""
        self._has_updates.set()

    def admit(self, access: Access) -> None:
        """It may see these fleets from now on, and no other."""
        self.access, self._fleets_changed = access, True
        self._cursors = {fleet_id: cursor for fleet_id, cursor in self._cursors.items() if fleet_id in access.fleets}
        self._has_updates.set()

    async def _send_updates(self) -> None:
        """Send a snapshot, then changes, at most once a second. A client that reads slowly holds up only this loop."""
        while True:
            if not self._has_snapshot:
                self._has_snapshot, self._fleets_changed = True, False
                await self._send_all("snapshot", self._snapshot(), self.access.fleets)
            await asyncio.sleep(COALESCE_SECONDS)
            if not self._has_snapshot:
                continue
            try:
                await asyncio.wait_for(self._has_updates.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await self.send(messages.heartbeat(timezone.now()))
                continue
            self._has_updates.clear()
            fleets = self.access.fleets if self._fleets_changed else None
            self._fleets_changed = False
            update = self._collect()
            if update or fleets is not None:
                await self._send_all("update", update, fleets)

    async def _send_all(self, kind: str, update: FleetUpdate, fleets: dict[int, str] | None) -> None:
        access = self.access
        for message in messages.update_messages(kind, update, fleets):
            if not self.is_open:
                return
            if self.access is not access:
                # What is left may be of a fleet that was lost while a slow client took the rest.
                self._has_snapshot = False
                return
            await self.send(message)

    def _snapshot(self) -> FleetUpdate:
        everything = FleetUpdate()
        for fleet_id in self.access.fleets:
            if (view := self.hub.views.get(fleet_id)) is not None:
                cursor = self._cursors[fleet_id] = Cursor()
                everything.add(self._allowed(fleet_id, view.snapshot(cursor, SNAPSHOT_EVENTS)))
        everything.keep_latest_events(SNAPSHOT_EVENTS)
        return everything

    def _collect(self) -> FleetUpdate:
        everything = FleetUpdate()
        for fleet_id in self.access.fleets:
            if (view := self.hub.views.get(fleet_id)) is None:
                continue
            if (cursor := self._cursors.get(fleet_id)) is None:
                cursor = self._cursors[fleet_id] = Cursor()
                everything.add(self._allowed(fleet_id, view.snapshot(cursor, SNAPSHOT_EVENTS)))
            else:
                everything.add(self._allowed(fleet_id, view.updates_after(cursor)))
        self._keep_moved(everything)
        return everything

    def _keep_moved(self, update: FleetUpdate) -> None:
        """A device that went from one of its fleets to another is there, and not gone."""
        views = [view for fleet_id in self.access.fleets if (view := self.hub.views.get(fleet_id)) is not None]
        moved = {pk: known for pk in update.removed for view in views if (known := view.device(pk)) is not None}
        if moved:
            update.removed = [pk for pk in update.removed if pk not in moved]
            others = [one for one in update.devices if one[0].device_id not in moved]
            update.devices = others + [(known, True) for known in moved.values()]

    def _allowed(self, fleet_id: int, update: FleetUpdate) -> FleetUpdate:
        """The update without commands where its user may not see them."""
        if fleet_id not in self.access.command_fleets:
            update.commands = []
        return update
