"""/ws/notifications/: a person's own notifications, as they are sent through the WebSocket channel.

The handshake is that of /ws/live/ (docs/live.md): a session's cookie from a page of ours, or a token as first message.
Messages: {"type": "unread", "count": 3} at the start, {"type": "notification", "id", "kind", "subject", "text",
"device_id", "event_id", "created_at"}, {"type": "heartbeat", "time"}, {"type": "pong"}.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.http import parse_cookie
from django.utils import timezone
from redis.exceptions import RedisError

from notifications_app.channels.websocket import user_group
from notifications_app.queries.recent import unread_count
from tasks_app.websockets import messages
from tasks_app.websockets.identity import Credential, current_access, session_credential, token_credential
from tasks_app.websockets.limits import RateLimit
from tasks_app.websockets.origins import is_allowed_origin
from tasks_app.websockets.slots import free_slot, renew_slots, take_slot

# Within so long a page that was logged out hears nothing any more. Shorter than the life of a slot.
CHECK_SECONDS = 20.0
TROUBLES = (DatabaseError, RedisError, OSError)


class NotificationConsumer(AsyncWebsocketConsumer):
    """One open page of one person."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.id = uuid.uuid4().hex
        self.user_id = 0
        self.credential: Credential | None = None
        self._rate = RateLimit(burst=10, per_second=1.0)
        self._minder: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Cookies count only where a page of ours sends them; everybody else has to show a token first."""
        headers = {name.lower(): value.decode("latin-1") for name, value in self.scope["headers"]}
        origin = headers.get(b"origin")
        if origin is not None and not _is_ours(origin, headers.get(b"host", "")):
            await self.close()
            return
        await self.accept()
        cookies = parse_cookie(headers.get(b"cookie", "")) if origin is not None else {}
        if not await self._open(session_credential(cookies)):
            self._minder = asyncio.create_task(self._wait_for_token())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self._rate.allows(time.monotonic()):
            await self.close(messages.TOO_MANY)
            return
        try:
            if text_data is None or len(text_data) > messages.MAX_INCOMING_BYTES:
                raise messages.InvalidMessage
            incoming = messages.parse_incoming(text_data)
        except messages.InvalidMessage:
            await self.close(messages.BAD_MESSAGE)
            return
        if incoming.type == "ping" and self.user_id:
            await self.send(messages.simple_message("pong"))
        elif incoming.type != "authenticate" or self.user_id or not await self._open(token_credential(incoming.token)):
            await self.close(messages.BAD_MESSAGE if self.user_id else messages.NOT_AUTHENTICATED)

    async def notification_told(self, event: dict[str, Any]) -> None:
        """What channels/websocket.py sends to the group."""
        await self.send(json.dumps({"type": "notification", **event["notification"]}))

    async def disconnect(self, code: int) -> None:
        if self._minder is not None:
            self._minder.cancel()
        if self.user_id:
            with suppress(*TROUBLES):
                await self.channel_layer.group_discard(user_group(self.user_id), self.channel_name)
            await database_sync_to_async(free_slot)(self.user_id, self.id)

    async def _open(self, credential: Credential | None) -> bool:
        """Whether this credential lets somebody in, who then is."""
        access = await self._access(credential)
        if access is None:
            return False
        limit = settings.LIVE_MAX_CONNECTIONS_PER_USER
        if not await database_sync_to_async(take_slot)(access.user_id, self.id, limit=limit, now=time.time()):
            await self.close(messages.TOO_MANY)
            return True
        self.user_id, self.credential = access.user_id, credential
        try:
            await self.channel_layer.group_add(user_group(self.user_id), self.channel_name)
            await self.send(
                messages.simple_message("unread", count=await database_sync_to_async(_unread)(self.user_id))
            )
        except TROUBLES:
            await self.close(messages.TRY_AGAIN_LATER)
            return True
        if self._minder is not None:
            self._minder.cancel()
        self._minder = asyncio.create_task(self._mind())
        return True

    async def _access(self, credential: Credential | None) -> Any:
        if credential is None:
            return None
        return (await database_sync_to_async(current_access)([credential])).get(credential)

    async def _wait_for_token(self) -> None:
        await self.send(messages.simple_message("authenticate", seconds=settings.LIVE_AUTHENTICATE_SECONDS))
        await asyncio.sleep(settings.LIVE_AUTHENTICATE_SECONDS)
        await self.close(messages.NOT_AUTHENTICATED)

    async def _mind(self) -> None:
        """Let go of who logged out; keep the others' slots, and tell them that we are still there."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                access = await self._access(self.credential)
            except TROUBLES:
                await self.close(messages.TRY_AGAIN_LATER)
                return
            if access is None:
                await self.close(messages.NOT_AUTHENTICATED)
                return
            await database_sync_to_async(renew_slots)([(self.user_id, self.id)], now=time.time())
            await self.send(messages.heartbeat(timezone.now()))


def _unread(user_id: int) -> int:
    return unread_count(get_user_model().objects.get(pk=user_id))


def _is_ours(origin: str, host: str) -> bool:
    return is_allowed_origin(
        origin,
        host,
        allowed_hosts=settings.ALLOWED_HOSTS,
        trusted_origins=settings.CSRF_TRUSTED_ORIGINS,
        https_only=not settings.INSECURE_HTTP,
    )
