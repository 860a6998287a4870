"""Threads that serve one request after the other, and keep their connections to PostgreSQL.

Django's own ASGI handler makes a thread for each request, and a connection is its thread's: every request would open a new
one, and leave it open until the thread is collected.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, cast

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.signals import request_started
from django.db import connections
from django.http import FileResponse, StreamingHttpResponse
from django.urls import set_script_prefix

# More threads than these come and go with the requests that need them. Each may keep a connection.
KEPT_THREADS = 16
# Of a stream, of which a file's have 64 KiB each.
PIECES_AT_ONCE = 16


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
    """Django's handler, with threads that are used again, each of which does all of a request's work in one go.

    Django's own goes to a thread and back for each signal and for the view, which takes longer than many a view does.
    """

    def __init__(self) -> None:
        super().__init__()
        # No middleware and no view is a coroutine.
        self.load_middleware(is_async=False)
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

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Read the body, let a thread answer, and send the answer; nothing is sent to a client that hung up before."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        try:
            response = await sync_to_async(self._respond)(scope, body)
            if response.streaming:
                await self._send_stream(response, receive, send)
            else:
                await self.send_response(response, send)
        finally:
            body.close()

    def _respond(self, scope: dict[str, Any], body: Any) -> Any:
        """Return the answer, closed already unless it is a stream."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response

    async def _send_stream(self, response: StreamingHttpResponse, receive: Any, send: Any) -> None:
        """Send an answer piece by piece, as long as the client is there, and close it."""
        if not response.is_async:
            response.streaming_content = pieces_of(cast(Iterable[bytes], response.streaming_content))
        steps = [asyncio.create_task(self.send_response(response, send)), asyncio.create_task(receive())]
        try:
            await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            if steps[0].done():
                await steps[0]
        finally:
            for step in steps:
                step.cancel()
            await asyncio.gather(*steps, return_exceptions=True)
            await sync_to_async(response.close)()


async def pieces_of(content: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield what the request's thread reads, a few pieces at a time: Django would read all before it sends the first."""
    unread = iter(content)
    is_over = False
    while not is_over:
        read = await sync_to_async(lambda: list(islice(unread, PIECES_AT_ONCE)))()
        for piece in read:
            yield piece
        is_over = len(read) < PIECES_AT_ONCE


def http_application() -> ThreadKeepingHandler:
    """Set Django up and return its ASGI application."""
    django.setup(set_prefix=False)
    return ThreadKeepingHandler()
