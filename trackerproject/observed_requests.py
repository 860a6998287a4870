"""Requests as logs and metrics see them: each has an id, which its answer says too, and is counted by route.

Under ASGI this is the outermost layer, so that answers are seen that Django does not give; under WSGI it is a middleware.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tasks_app.engine.metrics import OTHER, SECONDS_OF_REQUESTS, Counter, Histogram
from tasks_app.request_ids import HEADER, current_request, request_id_of
from tasks_app.tracing import Span, span

REQUESTS = Counter(
    "tracker_http_requests_total", "Requests answered, by route and class of status", ("route", "method", "status")
)
REQUEST_SECONDS = Histogram.of_seconds(
    "tracker_http_request_seconds",
    "From the arrival of a request to the end of its answer",
    ("route", "method"),
    SECONDS_OF_REQUESTS,
)
# Of an address that no view has.
UNMATCHED = "unmatched"
STATIC = "static"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Of W3C's trace context.
TRACEPARENT = "traceparent"
_SCOPE_KEY = "tracker.observed"
_HEADER = HEADER.lower().encode()


class Observed:
    """One request, from its beginning."""

    def __init__(self, method: str, given_id: str | None) -> None:
        self.request_id = request_id_of(given_id)
        # Set where it is known.
        self.route = UNMATCHED
        self._method = method if method in _METHODS else OTHER
        self._began = time.monotonic()

    def span(self, parent: str) -> AbstractContextManager[Span]:
        """Return its span, under that of its sender if it names one."""
        attributes = {"http.request.method": self._method, "request.id": self.request_id}
        return span(self._method, "server", [parent], attributes)

    def answered(self, status: int, traced: Span) -> None:
        """Count the request, and say in its span how it was answered."""
        traced.name(f"{self._method} {self.route}")
        traced.note("http.route", self.route)
        traced.note("http.response.status_code", status)
        REQUESTS.add(1, self.route, self._method, f"{status // 100}xx")
        REQUEST_SECONDS.observe([time.monotonic() - self._began], self.route, self._method)


class ObservedRequests:
    """ASGI middleware around all others."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection; what is no HTTP request has an id only."""
        observed = Observed(scope.get("method", ""), _header(scope, HEADER))
        current_request.set(observed.request_id)
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        statuses: list[int] = []

        async def send_with_id(message: Any) -> None:
            if message["type"] == "http.response.start":
                # Django has closed the request, and the server writes the line of its access log now.
                current_request.set(observed.request_id)
                statuses.append(message["status"])
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != _HEADER]
                message = {**message, "headers": [*headers, (_HEADER, observed.request_id.encode())]}
            await send(message)

        with observed.span(_header(scope, TRACEPARENT)) as traced:
            try:
                await self._application({**scope, _SCOPE_KEY: observed}, receive, send_with_id)
            finally:
                if statuses:
                    observed.answered(statuses[0], traced)


def _header(scope: Any, wanted: str) -> str:
    name = wanted.lower().encode()
    return next((value.decode("latin-1") for found, value in scope.get("headers", ()) if found == name), "")


def observed_in(scope: Any) -> Observed | None:
    """Return the request as it is observed under ASGI."""
    found: Observed | None = scope.get(_SCOPE_KEY)
    return found


def observe_request(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django middleware that finds out the route; under WSGI all else that the layer around ASGI does."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        observed = observed_in(getattr(request, "scope", {}))
        if observed is not None:
            response = get_response(request)
            observed.route = _route_of(request)
            return response
        observed = Observed(request.method or "", request.headers.get(HEADER))
        current_request.set(observed.request_id)
        with observed.span(request.headers.get(TRACEPARENT, "")) as traced:
            response = get_response(request)
            observed.route = _route_of(request)
            observed.answered(response.status_code, traced)
        response.headers[HEADER] = observed.request_id
        return response

    return middleware


@receiver(request_finished)
def forget_request(**_: Any) -> None:
    """Let what a thread does after a request, which has been logged, have no id."""
    current_request.set("")


def _route_of(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is not None:
        return match.view_name or UNMATCHED
    return STATIC if request.path_info.startswith(settings.STATIC_URL) else UNMATCHED
