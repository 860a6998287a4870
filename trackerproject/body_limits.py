"""Bounds of request bodies, in front of everything: Django writes a body to disk before any view sees its request.

A body may have as many bytes as a batch of positions. Only a form with files may have more, up to an upload's limit, and
only with the token or session of an active user: the two are looked up before its bytes are read.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import RequestAborted, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, connections
from django.db.utils import InterfaceError, OperationalError
from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from tasks_app.api.authentication import TokenAuthentication
from tasks_app.api.errors import JSON_PATHS, NO_ROOM, ApiError, Problem, api_problem, json_problem, not_stored
from tasks_app.api.parsers import too_large
from tasks_app.web.content_policy import page_policy
from tasks_app.web.error_pages import not_stored_page, too_large_page, too_slow_page
from tasks_app.web.upload_limit import FORM_BYTES

logger = logging.getLogger(__name__)
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class BodyLimits:
    """ASGI middleware: answers 413 to a body that is too large, 408 to one whose next bytes do not come in time, and 507 to
    one that does not fit on the disk, where Django keeps it while it comes."""

    def __init__(self, application: Any, *, idle_seconds: float) -> None:
        self._application = application
        self._idle_seconds = idle_seconds
        # Forms with large files are rare: one thread, with one connection to PostgreSQL, looks up who sends them.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="uploader")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._application(scope, receive, send)
            return
        most = await self._most_bytes(scope)
        if _stated_bytes(scope) > most:
            await _refuse(scope, 413, most, send)
            return
        body = _Body(receive, most, self._idle_seconds)
        answered = _Answered(send)
        try:
            with suppress(RequestAborted):
                await self._application(scope, body.receive, answered.send)
        except OSError as error:
            if answered.has_begun or error.errno not in NO_ROOM:
                raise
            logger.warning("A body of a request was not written to the disk: %s", error)
            body.refused_as = 507
        if body.refused_as and not answered.has_begun:
            await _refuse(scope, body.refused_as, most, send)

    def close(self) -> None:
        """End the thread, and its connection."""
        self._thread.submit(connections.close_all)
        self._thread.shutdown()

    async def _most_bytes(self, scope: Any) -> int:
        small: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        is_form = _header(scope, b"content-type").strip().lower().startswith(b"multipart/form-data")
        if not is_form or (_stated_bytes(scope) <= small and not _header(scope, b"transfer-encoding")):
            return small
        is_known = await asyncio.get_running_loop().run_in_executor(self._thread, _is_of_active_user, scope)
        return settings.MAX_UPLOAD_BYTES + FORM_BYTES if is_known else small


class _Body:
    """The body of a request, counted while it comes."""

    def __init__(self, receive: Receive, most: int, idle_seconds: float) -> None:
        self._receive = receive
        self._most, self._idle_seconds = most, idle_seconds
        self._read_bytes = 0
        self._is_whole = False
        # A status of HTTP.
        self.refused_as = 0

    async def receive(self) -> Message:
        """Return the next message. Raises RequestAborted, on which Django gives the request up without an answer."""
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError:
            self.refused_as = 408
            raise RequestAborted from None
        self._read_bytes += len(message.get("body", b""))
        if self._read_bytes > self._most:
            self.refused_as = 413
            raise RequestAborted
        self._is_whole = not message.get("more_body", False)
        return message


class _Answered:
    """The answer of the application, to know whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def send(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)


def _has_body(scope: Any) -> bool:
    return bool(_stated_bytes(scope) or _header(scope, b"transfer-encoding"))


def _header(scope: Any, wanted: bytes) -> bytes:
    return next((value for name, value in scope["headers"] if name == wanted), b"")


def _stated_bytes(scope: Any) -> int:
    """Return Content-Length, 0 where it is not said. Servers let no other text through than digits."""
    stated = _header(scope, b"content-length")
    return int(stated[:20]) if stated.isdigit() else 0


def _is_of_active_user(scope: Any) -> bool:
    close_old_connections()
    try:
        request = ASGIRequest(scope, BytesIO())
        found = TokenAuthentication().authenticate(Request(request))
        if found:
            return bool(found[0].is_active)
        sessions = import_module(settings.SESSION_ENGINE)
        request.session = sessions.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        return bool(get_user(request).is_authenticated)
    except (APIException, SuspiciousOperation, UnicodeDecodeError):
        return False
    except (OperationalError, InterfaceError) as error:
        logger.warning("Nobody can be asked whether a large form is of a user: %s", error)
        return False


async def _refuse(scope: Any, status: int, most_bytes: int, send: Send) -> None:
    """Send a refusal, and close the connection: what is left of the body is not read."""
    answer = _page(scope, status, most_bytes) if _wants_page(scope) else _problem(status, most_bytes)
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.items()]
    headers += [(b"content-length", str(len(answer.content)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


def _wants_page(scope: Any) -> bool:
    return b"text/html" in _header(scope, b"accept") and not scope["path"].startswith(JSON_PATHS)


def _page(scope: Any, status: int, most_bytes: int) -> HttpResponse:
    with translation.override(translation.get_language_from_request(ASGIRequest(scope, BytesIO()))):
        match status:
            case 408:
                page = too_slow_page()
            case 507:
                page = not_stored_page(_no_room().detail)
            case _:
                page = too_large_page(most_bytes)
    page.headers["Content-Security-Policy"] = page_policy()
    return page


def _problem(status: int, most_bytes: int) -> HttpResponse:
    match status:
        case 408:
            too_slow = ApiError(408, "body_too_slow", _("The body of the request did not come in time."))
            return json_problem(api_problem(too_slow))
        case 507:
            return json_problem(_no_room())
        case _:
            return json_problem(api_problem(too_large(most_bytes)))


def _no_room() -> Problem:
    return not_stored(os.strerror(errno.ENOSPC))
