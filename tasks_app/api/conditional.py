"""`ETag`, 304 and 412: what a client has already is not sent to it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.translation import gettext as _
from rest_framework.status import HTTP_412_PRECONDITION_FAILED

from tasks_app.api.errors import Problem, json_problem

PREFIX = "/api/"
# Of what a 304 says beside the headers that Django leaves in it.
KEPT_HEADERS = ("RateLimit", "RateLimit-Policy", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def conditional_answers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that gives answers of the API to GET and HEAD a tag of their content, and answers 304 to who has it.

    The answer is made all the same, so this saves its transfer. Files and answers that are not to be stored have no tag of its.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not _takes_tag(request, response):
            return response
        etag = f'"{hashlib.blake2b(response.content, digest_size=16).hexdigest()}"'
        response.headers["ETag"] = etag
        response.headers.setdefault("Cache-Control", "private, no-cache")
        patch_vary_headers(response, ("Authorization", "Cookie"))
        found = get_conditional_response(request, etag=etag, response=response)
        answer = _as_json(found) if found is not None else response
        for name in KEPT_HEADERS:
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        return answer

    return middleware


def _as_json(answer: HttpResponse) -> HttpResponse:
    """Give the 412 of an `If-Match` the body of all errors."""
    if answer.status_code != HTTP_412_PRECONDITION_FAILED:
        return answer
    problem = Problem(answer.status_code, "precondition_failed", _("What is there now has another tag."))
    return json_problem(problem)


def _takes_tag(request: HttpRequest, response: HttpResponse) -> bool:
    return (
        request.path_info.startswith(PREFIX)
        and request.method in ("GET", "HEAD")
        and response.status_code == 200
        and not response.streaming
        and not response.has_header("ETag")
        and "no-store" not in response.headers.get("Cache-Control", "")
    )
