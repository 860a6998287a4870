"""Addresses as they are not written in the documentation: with or without the slash at the end, and those that do not exist."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, ResolverMatch, resolve
from django.views.decorators.csrf import csrf_exempt

from tasks_app.api.errors import not_found, wants_json

PERMANENT_REDIRECT_SAME_METHOD = 308


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    """Answer an address of which only the slash at the end is wrong; 404 for any other.

    An operation of the API answers as at its own address, which `Link` names. Pages answer 308, which makes browsers repeat the
    same method and body at the right address.
    """
    path = request.path_info
    other = path[:-1] if path.endswith("/") else path + "/"
    found = _match(other)
    if found is None:
        return not_found(request, Resolver404())
    if wants_json(request) and getattr(found.func, "csrf_exempt", False):
        # What counts and logs requests names them by their route.
        request.resolver_match = found
        response = found.func(request, *found.args, **found.kwargs)
        response.headers["Link"] = f'<{other}>; rel="canonical"'
        return response
    query = request.META.get("QUERY_STRING", "")
    redirect = HttpResponseRedirect(f"{other}?{query}" if query else other)
    redirect.status_code = PERMANENT_REDIRECT_SAME_METHOD
    return redirect


def _match(path: str) -> ResolverMatch | None:
    try:
        found = resolve(path)
    except Resolver404:
        return None
    return None if found.func is unknown_address else found


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
