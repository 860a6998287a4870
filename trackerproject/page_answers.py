"""Middleware of pages: no browser keeps one, none is blank, and a form sent after the log-out is said not to be done."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from tasks_app.api.errors import wants_json
from tasks_app.web.error_pages import wrong_method_page


def page_answers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware; answers for programs are left as they are."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if wants_json(request) or response.status_code >= 500:
            return response
        if response.status_code == 405 and request.method in ("GET", "HEAD"):
            response = _with_page(request, response)
        if request.user.is_authenticated:
            # The next person at the browser does not go back to what it showed before the log-out.
            response.headers.setdefault("Cache-Control", "private, no-store")
        elif _is_form(request) and (login := _login_page(response)):
            response = _ask_to_log_in(request, login)
        return response

    return middleware


def _with_page(request: HttpRequest, refusal: HttpResponse) -> HttpResponse:
    page = wrong_method_page(request)
    page.headers["Allow"] = refusal.headers["Allow"]
    return page


def _is_form(request: HttpRequest) -> bool:
    """Whether a person sent a form, and waits for a page; scripts that look at one while it is filled in do not."""
    return request.method == "POST" and "text/html" in request.headers.get("Accept", "")


def _login_page(response: HttpResponse) -> str:
    """Return the address of the page to log in on to which a view leads; "" if it leads elsewhere."""
    if response.status_code != 302:
        return ""
    address, _mark, following = response.headers.get("Location", "").partition("?next=")
    return address if following and address in (reverse("pages:login"), reverse("admin:login")) else ""


def _ask_to_log_in(request: HttpRequest, login: str) -> HttpResponse:
    """Say that the form was not taken, and lead back to the page on which it stands: its own address may have none."""
    messages.warning(
        request, _("You were logged out before you sent this, so it was not done. Log in and send it again.")
    )
    return redirect_to_login(_page_of_form(request), login)


def _page_of_form(request: HttpRequest) -> str:
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return request.get_full_path()
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
