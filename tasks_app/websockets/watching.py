"""A connection that looks at what it watches once a second, and sends what changed."""

from __future__ import annotations

import asyncio
from typing import Any

from django.utils import timezone

from tasks_app.websockets import messages
from tasks_app.websockets.hub import TROUBLES
from tasks_app.websockets.personal import PersonalConsumer

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 25.0


class WatchingConsumer(PersonalConsumer):
    """The address says what to watch: `read` reads it, `look` returns what is to be sent of it."""

    channel_layer_alias = None

    def read(self, query: str) -> Any:
        """Return what the query string of the address asks for; None for anything that cannot be watched."""
        raise NotImplementedError

    async def look(self, watched: Any) -> tuple[str | None, bool]:
        """Return the message about what changed, None if nothing did, and whether all of it has ended."""
        raise NotImplementedError

    async def opened(self) -> None:
        """Begin to look, once its user is known."""
        watched = self._watched()
        if watched is None:
            self.end(messages.BAD_MESSAGE)
            return
        self._start(self._look_on(watched))

    def _watched(self) -> Any:
        try:
            return self.read(self.scope["query_string"].decode("ascii"))
        except ValueError:
            return None

    async def _look_on(self, watched: Any) -> None:
        """Send what changed, once a second, until all of it has ended."""
        quiet_seconds = 0.0
        while True:
            try:
                message, is_over = await self.look(watched)
            except TROUBLES:
                self.end(messages.TRY_AGAIN_LATER)
                return
            if message is not None:
                await self.send(message)
                quiet_seconds = 0.0
            if is_over:
                self.end(messages.DONE)
                return
            await asyncio.sleep(LOOK_SECONDS)
            quiet_seconds += LOOK_SECONDS
            if quiet_seconds >= HEARTBEAT_SECONDS:
                await self.send(messages.heartbeat(timezone.now()))
                quiet_seconds = 0.0
