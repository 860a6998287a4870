"""Middleware: the content security policy, and the user's language and time zone in the admin."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone, translation

from notifications_app.models import NotificationPreference
from notifications_app.queries.audience import time_zone_or_default
from tasks_app.utils.map_tiles import tile_origin

# The admin theme uses Alpine.js, which evaluates expressions: hence 'unsafe-eval'. Nothing is loaded from another host,
# but the pictures of a map's tile server, if the settings name one.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:{tiles}",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that adds the policy to every response that has none."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        origin = tile_origin(settings.MAP_TILE_URL)
        policy = CONTENT_SECURITY_POLICY.format(tiles=f" {origin}" if origin else "")
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def user_preferences(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that shows the admin in the language and time zone that its user chose, if they chose any."""

    def middleware(request: HttpRequest) -> HttpResponse:
        preference = _preference_of(request)
        if preference is None:
            return get_response(request)
        with translation.override(preference.language), timezone.override(time_zone_or_default(preference.time_zone)):
            response = get_response(request)
        response.headers.setdefault("Content-Language", preference.language)
        return response

    return middleware


def _preference_of(request: HttpRequest) -> NotificationPreference | None:
    if not request.path.startswith(reverse("admin:index")) or not request.user.is_authenticated:
        return None
    return NotificationPreference.objects.filter(user_id=request.user.pk).only("language", "time_zone").first()
