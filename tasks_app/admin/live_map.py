"""The page "Live map": where every device is now, drawn in the browser from the WebSocket, without tiles of another host."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext as _

from tasks_app.models import DeviceStatus, EventKind


def may_see_live_map(request: HttpRequest) -> bool:
    """Whether the user may see devices in the admin."""
    user = request.user
    return user.has_perm("tasks_app.view_device") or user.has_perm("tasks_app.change_device")


def live_map(request: HttpRequest) -> TemplateResponse:
    """A page without data of its own: the WebSocket decides which data its user gets."""
    if not may_see_live_map(request):
        raise PermissionDenied
    request.current_app = admin.site.name
    context = {
        **admin.site.each_context(request),
        "title": _("Live map"),
        "texts": live_map_texts(),
        "socket_path": f"{get_script_prefix()}ws/live/",
        "device_url": reverse("admin:tasks_app_device_change", args=[0]),
    }
    return TemplateResponse(request, "tasks_app/admin/live_map.html", context)


def live_map_texts() -> dict[str, Any]:
    """Texts of the script in the reader's language; {words} in braces are filled in there."""
    return {
        "connection": {
            "connecting": _("Connecting …"),
            "open": _("Live"),
            "waiting": _("Connection lost, trying again …"),
            "logged-out": _("You are logged out."),
        },
        "statuses": {str(value): str(label) for value, label in DeviceStatus.choices},
        "kinds": {str(value): str(label) for value, label in EventKind.choices},
        "never": _("never"),
        "count": _("{shown} of {all}"),
        "rest": _("and {number} more: narrow the search"),
        "nothing": _("No device found."),
        "dropped": _("{number} events were left out because this page could not keep up."),
    }
