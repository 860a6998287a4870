"""The first page: how many devices are in which state, and the latest events."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from tasks_app.queries.access import visible_devices, visible_events
from tasks_app.queries.devices import count_by_status

LATEST_EVENTS = 10


@login_required
def home(request: HttpRequest) -> HttpResponse:
    events = visible_events(request.user).select_related("device", "geofence").order_by("-occurred_at", "-id")
    context = {
        "title": _("Overview"),
        "statuses": count_by_status(visible_devices(request.user)).items(),
        "events": events[:LATEST_EVENTS],
    }
    return render(request, "tasks_app/pages/home.html", context)
