"""The live traffic of one web process: it listens to Redis once for all of its viewers, and checks on all of them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from channels.db import database_sync_to_async
from channels.layers import channel_layers
from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone
from redis.exceptions import RedisError

from tasks_app.queries.live import (
    CommandNow,
    DeviceInfo,
    DeviceNow,
    RecentEvent,
    devices_of,
    geofence_marks_of,
    recent_commands_of,
    recent_events_of,
)
from tasks_app.services.accounts import ACCESS_GROUP
from tasks_app.services.broadcast import fleet_group
from tasks_app.websockets.identity import Access, Credential, current_access
from tasks_app.websockets.messages import NOT_AUTHENTICATED, TRY_AGAIN_LATER
from tasks_app.websockets.metrics import SOCKETS_OPEN
from tasks_app.websockets.slots import renew_slots
from tasks_app.websockets.views import FleetView
from tasks_app.websockets.waiting import WaitingRoom

logger = logging.getLogger(__name__)

# What may be away for a while without ending the process's live traffic.
TROUBLES = (DatabaseError, RedisError, OSError)
# A user whose access could not be confirmed for so long is disconnected.
UNCONFIRMED_SECONDS = 60.0
# Beats sent to ourselves through Redis that may be missing before we subscribe anew.
MISSED_BEATS = 3

_Loaded = tuple[
    dict[int, list[tuple[DeviceInfo, DeviceNow]]],
    dict[int, list[RecentEvent]],
    dict[int, list[CommandNow]],
    dict[int, tuple[int, datetime | None]],
]


class Viewer(Protocol):
    """A connection, as the hub sees it."""

    id: str
    credential: Credential
    access: Access
    watches_fleets: bool

    def wake(self) -> None: ...
    def admit(self, access: Access) -> None: ...
    def end(self, code: int) -> None: ...


class Hub:
    """Views of the watched fleets and their viewers. Lives on one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.views: dict[int, FleetView] = {}
        self.viewers: dict[int, set[Viewer]] = {}
        self.connections: set[Viewer] = set()
        self.waiting = WaitingRoom()
        # An instance of our own: flushing it must not touch other users of the default layer.
        self._layer: Any = channel_layers.make_backend("default")
        self._channel = ""
        self._lock = asyncio.Lock()
        self._receiver: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._asker: asyncio.Task[None] | None = None
        # Users whose access may have changed; 0 stands for everybody's.
        self._to_ask: set[int] = set()
        self._beats_sent = self._beats_heard = 0
        self._is_subscribed = True
        self._reread_at = 0.0

    # --- Who watches what ---

    async def join(self, viewer: Viewer) -> None:
        """Watch its access, and the fleets of it; on return their views are complete. Raises one of TROUBLES."""
        self.connections.add(viewer)
        SOCKETS_OPEN.set(len(self.connections))
        fleets = viewer.access.fleets if viewer.watches_fleets else {}
        try:
            await self._watch(fleets)
        except TROUBLES:
            self.leave(viewer)
            raise
        if viewer not in self.connections:
            return  # It ended meanwhile.
        for fleet_id in fleets:
            self.viewers.setdefault(fleet_id, set()).add(viewer)
        if self._watchdog is None or self._watchdog.done():
            self._watchdog = asyncio.create_task(self._mind())

    def leave(self, viewer: Viewer) -> None:
        """It gets nothing any more. Its fleets stay open until the next round: a page that is reloaded comes back."""
        self.connections.discard(viewer)
        SOCKETS_OPEN.set(len(self.connections))
        for viewers in self.viewers.values():
            viewers.discard(viewer)

    async def _watch(self, fleet_ids: Iterable[int]) -> None:
        async with self._lock:
            await self._connect()
            missing = [fleet_id for fleet_id in fleet_ids if fleet_id not in self.views]
            for fleet_id in missing:
                await self._layer.group_add(fleet_group(fleet_id), self._channel)
            if not missing:
                return
            # Listening first, then reading: what is published while we read is not missed.
            fresh = {fleet_id: FleetView() for fleet_id in missing}
            self.views |= fresh
            try:
                await self._reread(fresh)
            except TROUBLES:
                for fleet_id in fresh:
                    del self.views[fleet_id]
                raise

    async def _close_unwatched(self) -> None:
        async with self._lock:
            for fleet_id in [one for one in self.views if not self.viewers.get(one)]:
                del self.views[fleet_id]
                self.viewers.pop(fleet_id, None)
                await self._layer.group_discard(fleet_group(fleet_id), self._channel)

    # --- Messages of workers ---

    async def _connect(self) -> None:
        if self._receiver is None or self._receiver.done():
            self._channel = await self._layer.new_channel()
            self._receiver = asyncio.create_task(self._receive(self._channel))
            await self._layer.group_add(ACCESS_GROUP, self._channel)
            self._beats_sent = self._beats_heard = 0

    async def _subscribe_anew(self) -> None:
        """Redis was away and the layer did not find back: new connections, the same fleets."""
        async with self._lock:
            self._is_subscribed = False
            await self._disconnect()
            await self._connect()
            for fleet_id in self.views:
                await self._layer.group_add(fleet_group(fleet_id), self._channel)
            self._is_subscribed = True

    async def _disconnect(self) -> None:
        if self._receiver is not None:
            self._receiver.cancel()
            await asyncio.wait([self._receiver])
            self._receiver = None
        await self._layer.flush()

    async def _receive(self, channel: str) -> None:
        while True:
            message = await self._layer.receive(channel)
            if message["type"] == "live.beat":
                self._beats_heard = max(self._beats_heard, message["number"])
            elif message["type"] == "access.changed":
                self._ask_soon(message["user_id"])
            elif (view := self.views.get(message["fleet_id"])) is not None:
                devices = (DeviceNow(one, tuple(age), state) for one, age, state in message["devices"])
                # Hosts of the former version name no commands.
                commands = (CommandNow(*command) for command in message.get("commands", ()))
                view.apply(devices, (RecentEvent(*event) for event in message["events"]), commands)
                view.is_outdated |= message.get("is_outdated", False)
                self._wake(message["fleet_id"])

    def _wake(self, fleet_id: int) -> None:
        for viewer in self.viewers.get(fleet_id, ()):
            viewer.wake()

    def _ask_soon(self, user_id: int) -> None:
        """While one question is under way, those that come up meanwhile are put together."""
        self._to_ask.add(user_id)
        if self._asker is None or self._asker.done():
            self._asker = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        while self._to_ask:
            users, self._to_ask = self._to_ask, set()
            try:
                await self._check_access([one for one in self.connections if {one.access.user_id, 0} & users])
            except TROUBLES as error:
                logger.warning("Access that changed is checked a little later: %s", error)

    # --- Every few seconds ---

    async def _mind(self) -> None:
        """Until no viewer is left: check access, the connection to Redis, and the database for missed changes."""
        confirmed_at = time.monotonic()
        while self.connections or self.views:
            await asyncio.sleep(settings.LIVE_CHECK_SECONDS)
            try:
                await self._check_access(list(self.connections))
                confirmed_at = time.monotonic()
            except TROUBLES as error:
                logger.warning("The access of live viewers could not be checked: %s", error)
                if time.monotonic() - confirmed_at > UNCONFIRMED_SECONDS:
                    self._end_all()
            try:
                await self._check_messages()
                await self._close_unwatched()
            except TROUBLES as error:
                self._reread_at = 0.0
                logger.warning("Live viewers wait for what is away: %s", error)
        async with self._lock:
            if not self.connections:
                # A fleet that was opened meanwhile, for one who left, is opened again for the next: nothing listens to it now.
                self.views.clear()
                await self._disconnect()

    async def _check_access(self, checked: list[Viewer]) -> None:
        found = await _access_of(checked)
        changed: list[tuple[Viewer, Access, Access]] = []
        for viewer in checked:
            if viewer not in self.connections:
                continue
            access = found.get(viewer.credential)
            if access is None or access.user_id != viewer.access.user_id:
                viewer.end(NOT_AUTHENTICATED)
            elif access != viewer.access and viewer.watches_fleets:
                changed.append((viewer, self._take_lost(viewer, access), access))
        # Last, for it waits for what may be away: nobody keeps what was taken because of that.
        for viewer, kept, access in changed:
            await self._give(viewer, kept, access)

    def _take_lost(self, viewer: Viewer, access: Access) -> Access:
        """Take the fleets that are not in `access` any more; return what is left."""
        for fleet_id in viewer.access.fleets.keys() - access.fleets.keys():
            self.viewers.get(fleet_id, set()).discard(viewer)
        fleets = {fleet_id: name for fleet_id, name in access.fleets.items() if fleet_id in viewer.access.fleets}
        kept = Access(access.user_id, fleets, access.command_fleets & fleets.keys())
        viewer.admit(kept)
        return kept

    async def _give(self, viewer: Viewer, kept: Access, access: Access) -> None:
        """Let it see the new fleets, too, unless it ended or another check changed its access meanwhile."""
        await self._watch(access.fleets)
        if viewer in self.connections and viewer.access is kept:
            for fleet_id in access.fleets:
                self.viewers.setdefault(fleet_id, set()).add(viewer)
            viewer.admit(access)

    def _end_all(self) -> None:
        for viewer in list(self.connections):
            viewer.end(TRY_AGAIN_LATER)

    async def _check_messages(self) -> None:
        """Send a beat to ourselves, and read again from the database whenever something may have been missed."""
        missed = self._beats_sent - self._beats_heard
        if missed >= MISSED_BEATS or not self._is_subscribed:
            await self._subscribe_anew()
        self._beats_sent += 1
        await self._layer.send(self._channel, {"type": "live.beat", "number": self._beats_sent})
        is_due = time.monotonic() - self._reread_at >= settings.LIVE_REREAD_SECONDS
        if missed or is_due or any(view.is_outdated for view in self.views.values()):
            await self._reread(self.views)
            self._reread_at = time.monotonic()

    async def _reread(self, views: dict[int, FleetView]) -> None:
        views = dict(views)
        # First: what is heard meanwhile may not be in the answer.
        for view in views.values():
            view.is_outdated = False
        devices, events, commands, geofence_marks = await _load(list(views))
        for fleet_id, view in views.items():
            view.reread(devices[fleet_id], events[fleet_id], commands[fleet_id], geofence_marks[fleet_id])
            self._wake(fleet_id)


@database_sync_to_async
def _load(fleet_ids: list[int]) -> _Loaded:
    now = timezone.now()
    events, commands = recent_events_of(fleet_ids, now), recent_commands_of(fleet_ids, now)
    return devices_of(fleet_ids), events, commands, geofence_marks_of(fleet_ids)


@database_sync_to_async
def _access_of(viewers: list[Viewer]) -> dict[Credential, Access]:
    renew_slots(((viewer.access.user_id, viewer.id) for viewer in viewers), now=time.time())
    return current_access({viewer.credential for viewer in viewers})


_hub: Hub | None = None


def current_hub() -> Hub:
    """The hub of the running event loop; a web process has one."""
    global _hub
    if _hub is None or _hub.loop is not asyncio.get_running_loop():
        _hub = Hub()
    return _hub
