"""The admin's page "Live map": where every device is now, drawn in the browser from the WebSocket."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.web.live_map import address_for_id, live_map_context


def may_see_live_map(request: HttpRequest) -> bool:
    """Whether the user may see devices in the admin."""
    user = request.user
    return user.has_perm("tasks_app.view_device") or user.has_perm("tasks_app.change_device")


def live_map(request: HttpRequest) -> TemplateResponse:
    """A page without data of its own: the WebSocket decides which data its user gets."""
    if not may_see_live_map(request):
        raise PermissionDenied
    request.current_app = admin.site.name
    events = reverse("admin:tasks_app_event_changelist")
    links = [
        (_("Device"), address_for_id("admin:tasks_app_device_change")),
        (_("Day and replay"), address_for_id("pages:device")),
        (_("Events"), f"{events}?device__id__exact={{id}}"),
    ]
    context = {
        **admin.site.each_context(request),
        "title": _("Live map"),
        **live_map_context(request, links),
        "all_devices_url": reverse("admin:tasks_app_device_changelist"),
        "all_events_url": events,
    }
    return TemplateResponse(request, "tasks_app/admin/live_map.html", context)
