"""/ws/notifications/: a person's own notifications, as they are sent through the WebSocket channel.

The handshake, the limits and the ends are those of /ws/live/ (docs/live.md): a session's cookie from a page of ours, or a
token as first message. Messages: {"type": "unread", "count": 3} at the start, {"type": "notification", "id", "kind", "subject",
"text", "device_id", "event_id", "created_at"}, {"type": "heartbeat", "time"}, {"type": "pong"}.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.auth import get_user_model
from django.utils import timezone

from notifications_app.channels.websocket import user_group
from notifications_app.queries.inbox_cache import unread_count
from tasks_app.websockets import messages
from tasks_app.websockets.hub import TROUBLES
from tasks_app.websockets.personal import PersonalConsumer

HEARTBEAT_SECONDS = 20.0


class NotificationConsumer(PersonalConsumer):
    """One open page of one person."""

    kind = "notifications"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Ask to come again where Redis is away, which is asked for a channel before anything else."""
        try:
            await super().__call__(scope, receive, send)
        except TROUBLES:
            if hasattr(self, "base_send"):
                raise
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": messages.TRY_AGAIN_LATER})

    async def opened(self) -> None:
        await self.channel_layer.group_add(user_group(self.access.user_id), self.channel_name)
        count = await database_sync_to_async(_unread)(self.access.user_id)
        await self.send(messages.simple_message("unread", count=count))
        self._start(self._beat())

    async def notification_created(self, event: dict[str, Any]) -> None:
        """Pass on what channels/websocket.py sends to the group."""
        if self.is_open:
            await self.send(json.dumps({"type": "notification", **event["notification"]}))

    async def disconnect(self, code: int) -> None:
        if self.access.user_id:
            with suppress(*TROUBLES):
                await self.channel_layer.group_discard(user_group(self.access.user_id), self.channel_name)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self.send(messages.heartbeat(timezone.now()))


def _unread(user_id: int) -> int:
    return unread_count(get_user_model().objects.get(pk=user_id))
