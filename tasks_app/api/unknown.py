"""Addresses that do not exist: a page of ours, or the API's own shape, also where DEBUG would list the URL patterns."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt

from tasks_app.api.errors import not_found

PERMANENT_REDIRECT_SAME_METHOD = 308


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """404; or, when only the slash at the end is wrong, 308, which makes clients repeat the same method and body."""
    path = request.path_info
    other = path[:-1] if path.endswith("/") else path + "/"
    if not _exists(other):
        return not_found(request, Resolver404())
    query = request.META.get("QUERY_STRING", "")
    response = HttpResponseRedirect(f"{other}?{query}" if query else other)
    response.status_code = PERMANENT_REDIRECT_SAME_METHOD
    return response


def _exists(path: str) -> bool:
    try:
        return resolve(path).func is not unknown_address
    except Resolver404:
        return False


def no_page_of_patterns(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that answers views which find nothing as `handler404` does."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    def process_exception(request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return not_found(request, exception) if isinstance(exception, Http404) else None

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware
