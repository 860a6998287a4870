"""Threads that serve one request after the other, and keep their connections to PostgreSQL.

Django's own ASGI handler makes a thread for each request, and a connection is its thread's: every request would open a new
one, and leave it open until the thread is collected.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

# More threads than these come and go with the requests that need them. Each may keep a connection.
KEPT_THREADS = 16


class RequestThread(ThreadPoolExecutor):
    """One thread, for one request at a time."""

    def __init__(self) -> None:
        super().__init__(max_workers=1, thread_name_prefix="request")
        self._last: Future[Any] | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call in the thread, after those before it."""
        self._last = super().submit(fn, *args, **kwargs)
        return self._last

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to run; a view goes on when its client hangs up."""
        return self._last is None or self._last.done()

    def retire(self) -> None:
        """Close the thread's connections and end it, after the call that it runs."""
        self.submit(connections.close_all)
        self.shutdown(wait=False)


class ThreadKeepingHandler(ASGIHandler):
    """Django's handler, with threads that are used again. All its steps but the requests run in the thread of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.idle: list[RequestThread] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve an HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is served here, not {scope['type']}.")
        thread = self.idle.pop() if self.idle else RequestThread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if thread.is_idle and len(self.idle) < KEPT_THREADS:
                self.idle.append(thread)
            else:
                thread.retire()


def http_application() -> ThreadKeepingHandler:
    """Set Django up and return its ASGI application."""
    django.setup(set_prefix=False)
    return ThreadKeepingHandler()
