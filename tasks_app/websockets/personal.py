"""A connection of one user: authentication, access, limits. Its messages are up to the subclass."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http import parse_cookie

from tasks_app.websockets import messages
from tasks_app.websockets.hub import TROUBLES, Hub, current_hub
from tasks_app.websockets.identity import Access, Credential, current_access, session_credential, token_credential
from tasks_app.websockets.limits import RateLimit
from tasks_app.websockets.metrics import SOCKETS_ENDED, SOCKETS_OPENED
from tasks_app.websockets.origins import is_allowed_origin
from tasks_app.websockets.slots import free_slot, take_slot
from tasks_app.websockets.waiting import address_of


class PersonalConsumer(AsyncWebsocketConsumer):
    """It waits for a token where there is no session, and closes as soon as its credential is no longer valid."""

    watches_fleets = False
    # As a label of metrics.
    kind = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.id = uuid.uuid4().hex
        self.address = ""
        self.hub: Hub = current_hub()
        self.credential = Credential("", "")
        self.access = Access(0, {})
        self.is_open = False
        self._is_waiting = False
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

    async def opened(self) -> None:
        """Called once it is authenticated and may stay. May raise one of TROUBLES."""
        raise NotImplementedError

    # --- Who is it ---

    async def connect(self) -> None:
        """Cookies count only from allowed origins; other clients have to send a token first."""
        self.address = address_of(self.scope)
        headers = {name.lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and not _is_ours(origin, headers.get(b"host", "")):
            await self.close()
            return
        cookies = parse_cookie(headers.get(b"cookie", "")) if origin is not None else {}
        credential = session_credential(cookies)
        try:
            access = await self._access(credential)
        except TROUBLES:
            await self.accept()
            self.end(messages.TRY_AGAIN_LATER)
            return
        await self.accept()
        if credential is not None and access is not None:
            await self._open(credential, access)
        else:
            self._wait_for_token()

    def _wait_for_token(self) -> None:
        self._is_waiting = True
        self.hub.waiting.enter(self)
        self._start(self._wait_at_most(settings.LIVE_AUTHENTICATE_SECONDS))

    async def _wait_at_most(self, seconds: float) -> None:
        await self.send(messages.simple_message("authenticate", seconds=seconds))
        await asyncio.sleep(seconds)
        if self._is_waiting:
            self.end(messages.NOT_AUTHENTICATED)

    def _stop_waiting(self) -> None:
        self._is_waiting = False
        self.hub.waiting.leave(self)

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
        SOCKETS_OPENED.add(1, self.kind)
        try:
            await self.hub.join(self)
            if self.is_open:
                await self.opened()
        except TROUBLES:
            self.end(messages.TRY_AGAIN_LATER)

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
        if incoming.type == "ping" and self.is_open:
            await self.send(messages.simple_message("pong"))
        elif incoming.type == "authenticate" and self._is_waiting:
            await self._authenticate(incoming.token)
        else:
            self.end(messages.NOT_AUTHENTICATED if self._is_waiting else messages.BAD_MESSAGE)

    async def _authenticate(self, token: str) -> None:
        """One attempt to authenticate. It stays in the waiting room meanwhile."""
        credential = token_credential(token)
        try:
            access = await self._access(credential)
        except TROUBLES:
            self.end(messages.TRY_AGAIN_LATER)
            return
        if not self._is_waiting:
            return  # It had to leave.
        self._stop_waiting()
        if credential is None or access is None:
            self.end(messages.NOT_AUTHENTICATED)
        else:
            await self._open(credential, access)

    # --- What changes while it is open ---

    def wake(self) -> None:
        """Note a change in one of its fleets."""

    def admit(self, access: Access) -> None:
        """It may see these fleets from now on, and no other."""
        self.access = access

    # --- The end ---

    def end(self, code: int) -> None:
        """Nothing more is sent from now on; close it. A client that does not read cannot hold this up."""
        self._release()
        SOCKETS_ENDED.add(1, str(code))
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
