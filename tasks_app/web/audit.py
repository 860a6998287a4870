"""The audit of requests: their changes are their user's; log-ins and log-outs have entries of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from tasks_app.services.audit import Subject, record, subject_of_row
from tasks_app.utils.audit_source import RequestSource, changes_of, present_source
from tasks_app.web.login import refusal_of


def audited_requests(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware: what is changed during a request is its user's doing."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with changes_of(RequestSource(request)):
            return get_response(request)

    return middleware


@receiver(user_logged_in, dispatch_uid="tasks_app.audit_login")
def audit_login(user: Any, **_signal: Any) -> None:
    if present_source() is not None:
        record("login", subject_of_row(user), user=user)


@receiver(user_logged_out, dispatch_uid="tasks_app.audit_logout")
def audit_logout(user: Any, **_signal: Any) -> None:
    if user is not None and present_source() is not None:
        record("logout", subject_of_row(user), user=user)


@receiver(user_login_failed, dispatch_uid="tasks_app.audit_failed_login")
def audit_failed_login(credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any) -> None:
    """Record a wrong password. Attempts refused before it was looked at leave nothing: they may come by the thousand."""
    if present_source() is not None and request is not None and refusal_of(request) is None:
        record("login_failed", Subject("auth.user", None, str(credentials.get("username", ""))))
