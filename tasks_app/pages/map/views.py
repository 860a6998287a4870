"""The live map."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.web.live_map import address_for_id, live_map_context


@login_required
def live_map(request: HttpRequest) -> HttpResponse:
    """Show a page without data of its own: the WebSocket and the API decide which data its user gets."""
    events = reverse("pages:events")
    today = timezone.localdate().isoformat()
    links = [
        (_("Device"), address_for_id("pages:device")),
        (_("Replay of today"), f"{address_for_id('pages:device_day')}?date={today}"),
        (_("Trips"), f"{reverse('pages:trips')}?device={{unique_id}}&date={today}"),
        (_("Events"), f"{events}?device={{unique_id}}"),
    ]
    context = {
        "title": _("Map"),
        **live_map_context(request, links),
        "all_devices_url": reverse("pages:devices"),
        "all_events_url": events,
    }
    return render(request, "tasks_app/pages/map.html", context)
