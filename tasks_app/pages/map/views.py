"""The live map."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from tasks_app.web.live_map import live_map_context


@login_required
def live_map(request: HttpRequest) -> HttpResponse:
    """Show a page without data of its own: the WebSocket and the API decide which data its user gets."""
    context = {"title": _("Map"), **live_map_context(request, [])}
    return render(request, "tasks_app/pages/map.html", context)
