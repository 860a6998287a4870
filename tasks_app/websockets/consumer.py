"""One connection of /ws/live/: who is it, what it may say, and sending it what is new, at its own pace."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import parse_cookie
from django.utils import timezone

from tasks_app.websockets import messages
from tasks_app.websockets.hub import TROUBLES, Hub, current_hub
from tasks_app.websockets.identity import Access, Credential, current_access, session_credential, token_credential
from tasks_app.websockets.limits import RateLimit
from tasks_app.websockets.origins import is_allowed_origin
from tasks_app.websockets.slots import free_slot, take_slot
from tasks_app.websockets.views import Cursor, News

# A device is told of once in this time, however often it moved.
COALESCE_SECONDS = 1.0
HEARTBEAT_SECONDS = 25.0
SNAPSHOT_EVENTS = 20
MAX_WAITING = 200


class LiveConsumer(AsyncWebsocketConsumer):
    """Positions and events of the fleets its user may see. What it tells, and when it closes: docs/live.md."""

    # The hub listens, once for all connections of the process.
    channel_layer_alias = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.id = uuid.uuid4().hex
        self.hub: Hub = current_hub()
        self.credential = Credential("", "")
        self.access = Access(0, {})
        self.is_open = False
        self._is_waiting = False
        self._cursors: dict[int, Cursor] = {}
        self._fleets_changed = False
        self._has_snapshot = False
        self._news = asyncio.Event()
        self._rate = RateLimit(burst=10, per_second=1.0)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """However it ends, it leaves nothing behind."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._release()
            if self.access.user_id:
                await database_sync_to_async(free_slot)(self.access.user_id, self.id)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without closing old database connections in a thread at each message: no message uses one here."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    # --- Who is it ---

    async def connect(self) -> None:
        """Cookies count only where a page of ours sends them; everybody else has to show a token first."""
        headers = {name.lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and not _is_ours(origin, headers.get(b"host", "")):
            await self.close()
            return
        cookies = parse_cookie(headers.get(b"cookie", "")) if origin is not None else {}
        credential = session_credential(cookies)
        access = await self._access(credential)
        if access is None and self.hub.waiting >= MAX_WAITING:
            await self.close()
            return
        await self.accept()
        if credential is not None and access is not None:
            await self._open(credential, access)
        else:
            self._wait_for_token()

    def _wait_for_token(self) -> None:
        self._is_waiting = True
        self.hub.waiting += 1
        self._start(self._wait_at_most(settings.LIVE_AUTHENTICATE_SECONDS))

    async def _wait_at_most(self, seconds: float) -> None:
        await self.send(messages.simple_message("authenticate", seconds=seconds))
        await asyncio.sleep(seconds)
        if self._is_waiting:
            self.end(messages.NOT_AUTHENTICATED)

    def _stop_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self.hub.waiting -= 1

    async def _access(self, credential: Credential | None) -> Access | None:
        if credential is None:
            return None
        return (await database_sync_to_async(current_access)([credential])).get(credential)

    async def _open(self, credential: Credential, access: Access) -> None:
        self.credential, self.access = credential, access
        limit = settings.LIVE_MAX_CONNECTIONS_PER_USER
        if not await database_sync_to_async(take_slot)(access.user_id, self.id, limit=limit, now=time.time()):
            self.end(messages.TOO_MANY)
            return
        self.is_open = True
        try:
            await self.hub.join(self)
        except TROUBLES:
            self.end(messages.TRY_AGAIN_LATER)
            return
        if self.is_open:
            self._start(self._tell())

    # --- What it may say ---

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self._rate.allows(time.monotonic()):
            self.end(messages.TOO_MANY)
        elif bytes_data is not None:
            self.end(messages.BAD_MESSAGE)
        elif text_data is not None and len(text_data.encode()) > messages.MAX_INCOMING_BYTES:
            self.end(messages.TOO_BIG)
        else:
            await self._receive_text(text_data or "")

    async def _receive_text(self, text: str) -> None:
        try:
            incoming = messages.parse_incoming(text)
        except messages.InvalidMessage:
            self.end(messages.NOT_AUTHENTICATED if self._is_waiting else messages.BAD_MESSAGE)
            return
        if incoming.type == "ping" and not self._is_waiting:
            await self.send(messages.simple_message("pong"))
        elif incoming.type == "authenticate" and self._is_waiting:
            await self._authenticate(incoming.token)
        else:
            self.end(messages.NOT_AUTHENTICATED if self._is_waiting else messages.BAD_MESSAGE)

    async def _authenticate(self, token: str) -> None:
        """One attempt."""
        credential = token_credential(token)
        access = await self._access(credential)
        self._stop_waiting()
        if credential is None or access is None:
            self.end(messages.NOT_AUTHENTICATED)
        else:
            await self._open(credential, access)

    # --- What it is told ---

    def wake(self) -> None:
        """There is news of one of its fleets."""
        self._news.set()

    def admit(self, access: Access) -> None:
        """It may see these fleets from now on, and no other."""
        self.access, self._fleets_changed = access, True
        self._cursors = {fleet_id: cursor for fleet_id, cursor in self._cursors.items() if fleet_id in access.fleets}
        self._news.set()

    async def _tell(self) -> None:
        """A snapshot, then what is new, at most once a second. A client that reads slowly holds up only this loop."""
        while True:
            if not self._has_snapshot:
                self._has_snapshot, self._fleets_changed = True, False
                await self._send_all("snapshot", self._snapshot(), self.access.fleets)
            await asyncio.sleep(COALESCE_SECONDS)
            if not self._has_snapshot:
                continue
            try:
                await asyncio.wait_for(self._news.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await self.send(messages.heartbeat(timezone.now()))
                continue
            self._news.clear()
            fleets = self.access.fleets if self._fleets_changed else None
            self._fleets_changed = False
            news = self._collect()
            if news or fleets is not None:
                await self._send_all("update", news, fleets)

    async def _send_all(self, kind: str, news: News, fleets: dict[int, str] | None) -> None:
        access = self.access
        for message in messages.news_messages(kind, news, fleets):
            if not self.is_open:
                return
            if self.access is not access:
                # What is left may be of a fleet that was lost while a slow client took the rest.
                self._has_snapshot = False
                return
            await self.send(message)

    def _snapshot(self) -> News:
        everything = News()
        for fleet_id in self.access.fleets:
            if (view := self.hub.views.get(fleet_id)) is not None:
                cursor = self._cursors[fleet_id] = Cursor()
                everything.add(view.snapshot(cursor, SNAPSHOT_EVENTS))
        everything.keep_latest_events(SNAPSHOT_EVENTS)
        return everything

    def _collect(self) -> News:
        everything = News()
        for fleet_id in self.access.fleets:
            if (view := self.hub.views.get(fleet_id)) is None:
                continue
            if (cursor := self._cursors.get(fleet_id)) is None:
                cursor = self._cursors[fleet_id] = Cursor()
                everything.add(view.snapshot(cursor, SNAPSHOT_EVENTS))
            else:
                everything.add(view.news_after(cursor))
        return everything

    # --- The end ---

    def end(self, code: int) -> None:
        """Nothing more is sent from now on; close it. A client that does not read cannot hold this up."""
        self._release()
        closing = asyncio.create_task(self._close(code))
        self._tasks.add(closing)

    async def _close(self, code: int) -> None:
        try:
            await self.close(code)
        except OSError:
            return  # It is gone already.

    def _release(self) -> None:
        self.is_open = False
        self._stop_waiting()
        self.hub.leave(self)
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except OSError:
            self._release()  # The client went away while it was written to.


def _is_ours(origin: str, host: str) -> bool:
    return is_allowed_origin(
        origin,
        host,
        allowed_hosts=settings.ALLOWED_HOSTS,
        trusted_origins=settings.CSRF_TRUSTED_ORIGINS,
        https_only=not settings.INSECURE_HTTP,
    )
