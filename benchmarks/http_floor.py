"""The least that accepting a batch takes: an ASGI application that decodes the JSON and makes one XADD of the body.

It checks nothing, knows no devices, and nobody could read what it wrote. Served as ours is: `benchmarks.web`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import redis.asyncio

STREAM = "bench:floor"
connection = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])
HEADERS = [(b"content-type", b"application/json")]


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        return
    parts, is_complete = [], False
    while not is_complete:
        message = await receive()
        parts.append(message["body"])
        is_complete = not message.get("more_body", False)
    body = b"".join(parts)
    fixes = msgspec.json.decode(body)
    entry = await connection.xadd(STREAM, {"p": body})
    answer = msgspec.json.encode({"task_id": entry.decode(), "accepted": len(fixes)})
    await send({"type": "http.response.start", "status": 202, "headers": HEADERS})
    await send({"type": "http.response.body", "body": answer})
