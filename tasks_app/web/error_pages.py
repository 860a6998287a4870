"""The pages behind an address that does not exist, or may not be opened, a form that is not accepted, and of what went wrong.

The plain ones ask nothing of the request, the database or Redis, any of which may be what is wrong.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks_app.models import FleetMembership
from tasks_app.request_ids import current_request

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


def wrong_method_page(request: HttpRequest) -> HttpResponse:
    """The answer to a visit of an address that takes forms only, as after a reload or from the history of a browser."""
    return _page(request, "tasks_app/errors/wrong_method.html", _("This address has no page"), 405)


def unreadable_page() -> HttpResponse:
    sentence = _("The address, the form or the host name in it is none that this site takes.")
    return _plain_page(400, _("The request cannot be read"), sentence, _("Nothing was changed."))


def stored_twice_page() -> HttpResponse:
    """The answer to what another request stored between the check of a form and its end."""
    sentence = _("It was sent twice, or another person did the same. Look what is there before you send it again.")
    return _plain_page(409, _("Another change came in between"), sentence)


def too_slow_page() -> HttpResponse:
    sentence = _("The connection was too slow, or was interrupted. Go back and send it again.")
    return _plain_page(408, _("The form did not arrive"), _("Nothing was changed."), sentence)


def too_large_page(max_bytes: int = 0) -> HttpResponse:
    """The answer to a form of more bytes than these, where it is known how many may be sent."""
    sentence = _("What you sent is larger than this site takes.")
    if max_bytes:
        sentence = _("What you sent is larger than %(size)s, the most that is taken here.") % {
            "size": filesizeformat(max_bytes)
        }
    return _plain_page(413, _("This is too large"), sentence, _("Nothing was changed."))


def fault_page() -> HttpResponse:
    sentence = _("The fault is ours, and was noted. Look whether what you did was done before you do it again.")
    return _plain_page(500, _("Something went wrong here"), sentence)


def not_stored_page(reason: str) -> HttpResponse:
    """The answer to a file that does not fit on the disk, or that a bucket refused."""
    return _plain_page(507, _("The file was not stored"), reason, _("Nothing was changed."))


def outage_page(retry_after_seconds: int) -> HttpResponse:
    sentence = _("A part of the system does not answer. Try again in a moment.")
    response = _plain_page(503, _("This site is interrupted for a moment"), sentence)
    response["Retry-After"] = str(retry_after_seconds)
    return response


def _plain_page(status: int, title: str, *sentences: str) -> HttpResponse:
    context = {"title": title, "sentences": sentences, "request_id": current_request.get() if status >= 500 else ""}
    return HttpResponse(render_to_string("tasks_app/errors/plain.html", context), status=status)


def _page(
    request: HttpRequest, template: str, title: str, status: int, more: dict[str, Any] | None = None
) -> HttpResponse:
    """Return the page with the side bar for staff within the admin, and with the navigation of the fleet's pages elsewhere."""
    in_admin = request.path.startswith(reverse("admin:index")) and admin.site.has_permission(request)
    layout = "admin/base_site.html" if in_admin else "tasks_app/pages/base.html"
    context = {**(admin.site.each_context(request) if in_admin else {}), "in_admin": in_admin, **(more or {})}
    return render(request, template, {**context, "title": title, "layout": layout}, status=status)
