"""Middleware: the content security policy, pages compressed, and the user's language, time zone and units on pages."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone, translation

from notifications_app.models import NotificationPreference, Theme
from notifications_app.queries.audience import time_zone_or_default
from notifications_app.views import THEME_COOKIE
from tasks_app.api.errors import wants_json
from tasks_app.utils.map_tiles import tile_origin
from tasks_app.web.content_policy import NO_SOURCES, page_policy, styles_of


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that adds the policy to every response that has none: one of pages, and one of all else."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        policy = NO_SOURCES
        if response.headers.get("Content-Type", "").startswith("text/html"):
            policy = page_policy(tiles=tile_origin(settings.MAP_TILE_URL), styles=styles_of(request))
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


class CompressedPages(GZipMiddleware):
    """Compresses pages, which are a tenth as large then. Answers of the API and files are sent as they are.

    The lengths of compressed pages tell nothing of the secrets in them: Django pads each at random and masks its CSRF token.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return response
        return super().process_response(request, response)


def user_preferences(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that shows pages in the language, time zone, units and theme that their reader chose, if any."""

    def middleware(request: HttpRequest) -> HttpResponse:
        preference = _preference_of(request)
        request.theme = preference.theme if preference else _cookie_theme(request)  # type: ignore[attr-defined]
        if preference is None:
            return get_response(request)
        request.units = preference.units  # type: ignore[attr-defined]
        with translation.override(preference.language), timezone.override(time_zone_or_default(preference.time_zone)):
            response = get_response(request)
        response.headers.setdefault("Content-Language", preference.language)
        return response

    return middleware


def _preference_of(request: HttpRequest) -> NotificationPreference | None:
    if wants_json(request) or not request.user.is_authenticated:
        return None
    return NotificationPreference.objects.filter(user_id=request.user.pk).first()


def _cookie_theme(request: HttpRequest) -> str:
    """The theme chosen in this browser, for visitors and those who have no preferences yet."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in Theme.values else Theme.SYSTEM
