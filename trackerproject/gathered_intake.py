"""Messages of devices, gathered: those that arrive while others are taken in are the next to be taken in, together.

A phone sends one fix in a request. Django's way of a request costs several milliseconds of processor time, most of them for
what a phone has no use for; here a request costs a tenth, and the busier the server, the less. Only ordinary messages end
here (`tasks_app.api.intake.together`). Every other request is handed to Django as it came.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

from tasks_app.api.intake import take_in_together
from trackerproject.middleware import content_security_policy
from trackerproject.observed_requests import observed_in

logger = logging.getLogger(__name__)

PLACE = "/ingest/"
METHODS = ("GET", "POST")
# In metrics, where each other request has the name of its address.
ROUTE = "ingest_gathered"
# A larger body, or one of a size that is not said, is read by Django.
MAX_BODY_BYTES = 64 * 1024
MAX_TOGETHER = 200
# Each time the database is asked and Redis twice: worth a wait that no phone notices.
GATHER_SECONDS = 0.005


_security = SecurityMiddleware(lambda request: HttpResponse())
_frames = XFrameOptionsMiddleware(lambda request: HttpResponse())
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that was read to its end."""

    scope: dict[str, Any]
    body: bytes

    def request(self) -> HttpRequest | None:
        """Return the request as Django has it; None for one that Django refuses or sends to another address."""
        try:
            request = ASGIRequest(self.scope, BytesIO(self.body))
            _ = request.get_host()
        except (UnicodeDecodeError, SuspiciousOperation):
            return None
        return None if settings.SECURE_SSL_REDIRECT and not request.is_secure() else request


class GatheredIntake:
    """ASGI application in front of Django's. One thread takes in, with one connection to PostgreSQL."""

    def __init__(self, django_application: Any) -> None:
        self._django = django_application
        self._waiting: deque[tuple[_Sent, asyncio.Future[HttpResponse | None]]] = deque()
        self._work: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="intake")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve an HTTP request."""
        if PLACE not in scope["path"] or scope["method"] not in METHODS or not _is_small(scope):
            await self._django(scope, receive, send)
            return
        messages = await _received(receive)
        answer = None
        if messages[-1]["type"] == "http.request":
            body = b"".join(message.get("body", b"") for message in messages)
            answer = await self._answer(_Sent(scope, body))
        if answer is not None and (observed := observed_in(scope)):
            observed.route = ROUTE
        if answer is None:
            await self._django(scope, _again(messages, receive), send)
        else:
            await _send(answer, send)

    def close(self) -> None:
        """End the thread, and its connection."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown()

    async def _answer(self, sent: _Sent) -> HttpResponse | None:
        answer: asyncio.Future[HttpResponse | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((sent, answer))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._take_in_all())
        return await answer

    async def _take_in_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            gathered = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_TOGETHER))]
            sent = [one for one, _ in gathered]
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, _take_in, sent)
            for (_, future), answer in zip(gathered, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _take_in(sent: Sequence[_Sent]) -> list[HttpResponse | None]:
    """Return the answer to each request; None for one that is Django's."""
    close_old_connections()
    requests = [one.request() for one in sent]
    try:
        answers = iter(take_in_together([request for request in requests if request]))
    except Exception as error:  # noqa: BLE001 - Django finds out by itself, and answers it
        logger.warning("Messages of devices are taken in one by one: %s", error)
        return [None] * len(sent)
    return [_with_headers(request, next(answers)) if request else None for request in requests]


def _with_headers(request: HttpRequest, answer: HttpResponse | None) -> HttpResponse | None:
    """Set the headers that middleware gives every answer, but those of its language: it has none."""
    if answer is None:
        return None
    answer.headers["Content-Length"] = str(len(answer.content))
    _security.process_response(request, answer)
    _frames.process_response(request, answer)
    return content_security_policy(lambda _request: answer)(request)


def _is_small(scope: dict[str, Any]) -> bool:
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    return b"transfer-encoding" not in headers and length.isdigit() and int(length[:20]) <= MAX_BODY_BYTES


async def _received(receive: Receive) -> list[Message]:
    """Return the messages of a request, up to the last of its body or the end of its connection."""
    messages = [await receive()]
    while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _again(messages: Sequence[Message], receive: Receive) -> Receive:
    """Return a `receive` that gives these messages again, then what follows them."""
    left = deque(messages)

    async def receive_again() -> Message:
        return left.popleft() if left else await receive()

    return receive_again


async def _send(answer: HttpResponse, send: Any) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})
