"""A person's own sessions and API tokens: listed, ended, and a new token shown once."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tasks_app.pages.account.tokens import TokenForm, TokenRow
from tasks_app.queries.sessions import live_token, live_tokens, sessions_of
from tasks_app.services.accounts import (
    AccountChanged,
    TooManyTokens,
    end_other_sessions,
    end_session,
    issue_token,
    log_out_everywhere,
    revoke_token,
)


@login_required
def access(request: HttpRequest) -> HttpResponse:
    return _page(request, TokenForm())


def _page(request: HttpRequest, form: TokenForm) -> HttpResponse:
    context = {
        "title": _("Sessions and tokens"),
        "sessions": sessions_of(request.user, present_key=request.session.session_key or ""),
        "tokens": [TokenRow.of(token) for token in live_tokens(request.user, now=timezone.now())],
        "form": form,
    }
    return render(request, "tasks_app/pages/access.html", context)


@require_POST
@login_required
def session_end(request: Any, session_hash: str) -> HttpResponse:
    if not end_session(user=request.user, session_hash=session_hash):
        raise Http404
    messages.success(request, _("The session has ended."))
    return redirect("pages:access")


@require_POST
@login_required
def other_sessions_end(request: Any) -> HttpResponse:
    count = end_other_sessions(user=request.user, present_key=request.session.session_key)
    text = ngettext("%(count)s other session has ended.", "%(count)s other sessions have ended.", count)
    messages.success(request, text % {"count": count})
    return redirect("pages:access")


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def token_add(request: HttpRequest) -> HttpResponse:
    """Make a token and show it this once: it stands in this answer and nowhere else, so a reload shows the list."""
    if request.method == "GET":
        return redirect("pages:access")
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        token, expires_at = issue_token(user=request.user, now=timezone.now(), **form.wish)
    except (TooManyTokens, AccountChanged) as error:
        messages.error(request, str(error))
        return redirect("pages:access")
    context = {"title": _("Your new token"), "token": token, "expires_at": expires_at}
    return render(request, "tasks_app/pages/token.html", context)


@require_POST
@login_required
def everything_end(request: Any) -> HttpResponse:
    """End all sessions, this one too, and all tokens."""
    log_out_everywhere(user=request.user)
    logout(request)
    messages.success(request, _("You are logged out everywhere, and all your API tokens have ended."))
    return redirect("pages:login")


@require_POST
@login_required
def token_revoke(request: HttpRequest, token_key: str) -> HttpResponse:
    token = live_token(request.user, token_key, now=timezone.now())
    if token is None:
        raise Http404
    revoke_token(token=token)
    messages.success(request, _("The token was revoked."))
    return redirect("pages:access")
