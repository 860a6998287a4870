"""The web manifest, by which a browser installs the pages like an application."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

THEME_COLOUR = "#0f766e"


def manifest(request: HttpRequest) -> JsonResponse:
    """Answer visitors too: browsers ask for it without cookies."""
    icons = [
        {
            "src": static(f"tasks_app/icon-{size}.png"),
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": purpose,
        }
        for size in (192, 512)
        for purpose in ("any", "maskable")
    ]
    body = {
        "id": reverse("pages:home"),
        "name": _("Tracker"),
        "short_name": _("Tracker"),
        "lang": get_language(),
        "start_url": reverse("pages:home"),
        "scope": reverse("pages:home"),
        "display": "standalone",
        "theme_color": THEME_COLOUR,
        "background_color": "#ffffff",
        "icons": icons,
    }
    return JsonResponse(body, content_type="application/manifest+json")
