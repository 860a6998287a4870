"""The pages behind an address that does not exist, or may not be opened, or a form that is not accepted."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.models import FleetMembership

LISTED_ROLES = 20


def not_found_page(request: HttpRequest) -> HttpResponse:
    return _page(request, "tasks_app/errors/not_found.html", _("There is nothing at this address"), 404)


def forbidden_page(request: HttpRequest) -> HttpResponse:
    user_id: Any = request.user.pk
    roles = FleetMembership.objects.filter(user_id=user_id).select_related("fleet").order_by("fleet__name")
    context = {"roles": roles[:LISTED_ROLES] if user_id else [], "further": max(0, roles.count() - LISTED_ROLES)}
    return _page(request, "tasks_app/errors/forbidden.html", _("You may not do this"), 403, context)


def form_refused(request: HttpRequest) -> HttpResponse:
    """The answer to a form without the token of its browser."""
    return _page(request, "tasks_app/errors/form_refused.html", _("The form was not accepted"), 403)


def _page(
    request: HttpRequest, template: str, title: str, status: int, more: dict[str, Any] | None = None
) -> HttpResponse:
    """Return the page with the side bar for staff within the admin, and with the navigation of the fleet's pages elsewhere."""
    in_admin = request.path.startswith(reverse("admin:index")) and admin.site.has_permission(request)
    layout = "admin/base_site.html" if in_admin else "tasks_app/pages/base.html"
    context = {**(admin.site.each_context(request) if in_admin else {}), "in_admin": in_admin, **(more or {})}
    return render(request, template, {**context, "title": title, "layout": layout}, status=status)
