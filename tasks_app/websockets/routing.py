"""The WebSockets there are; any other address is refused."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from tasks_app.websockets.command_consumer import CommandConsumer
from tasks_app.websockets.consumer import LiveConsumer
from tasks_app.websockets.task_consumer import TaskConsumer


async def refuse(scope: Any, receive: Any, send: Any) -> Any:
    """Answer the handshake with 403."""
    await send({"type": "websocket.close"})


websocket_application = URLRouter(
    [
        path("ws/live/", LiveConsumer.as_asgi()),
        path("ws/commands/", CommandConsumer.as_asgi()),
        path("ws/tasks/", TaskConsumer.as_asgi()),
        re_path(r"", refuse),
    ]
)
