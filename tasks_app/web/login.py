"""Limits on every way to log in with a password, and the cookie by which a device that logged in is known again.

An authentication backend that checks nothing but whether a password may be tried now; what follows a success; and the
middleware that answers a refusal where no API does.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from axes.models import AccessLog
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tasks_app.services.accounts import Attempt, TooManyAttempts, account_key, admit, succeeded
from tasks_app.services.audit import record, subject_of_row
from tasks_app.utils.budgets import take
from tasks_app.utils.client_addresses import sender_key

logger = logging.getLogger(__name__)

_SALT = "tasks_app.login.device"
REDIS_WAIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Refusal:
    """No password was looked at: too many attempts, or Redis, which counts them, is away."""

    wait_seconds: int
    is_outage: bool = False


class LoginLimitsBackend:
    """The first authentication backend: it lets a password be checked, or ends the log-in."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_other: Any
    ) -> None:
        if request is None or username is None or password is None:
            return
        device = known_device(request, username)
        try:
            _take_login(request, device)
            request._login_attempt = admit(  # type: ignore[attr-defined]
                username=username, address=request.META.get("REMOTE_ADDR") or "", device=device
            )
        except TooManyAttempts as error:
            request._login_refusal = Refusal(error.wait_seconds)  # type: ignore[attr-defined]
            raise PermissionDenied from error
        except redis.RedisError as error:
            logger.warning("Nobody can log in: Redis, which counts attempts, does not answer: %s", error)
            request._login_refusal = Refusal(REDIS_WAIT_SECONDS, is_outage=True)  # type: ignore[attr-defined]
            raise PermissionDenied from error


def _take_login(request: HttpRequest, device: str) -> None:
    """Count the log-in, right or wrong, for its known device or else its address. Raises TooManyAttempts, redis.RedisError."""
    taken = take("logins", f"device:{device}" if device else f"address:{sender_key(request.META)}")
    request._login_taken = taken  # type: ignore[attr-defined]
    if taken is not None and not taken.is_within:
        raise TooManyAttempts(math.ceil(taken.wait_seconds))


def refusal_of(request: HttpRequest) -> Refusal | None:
    """The refusal that came before any password was checked; None when one was checked."""
    return getattr(request, "_login_refusal", None)


def known_device(request: HttpRequest, username: str) -> str:
    """The device whose cookie proves an earlier log-in to this account; "" without one."""
    account = account_key(username)
    try:
        text = request.COOKIES.get(_cookie_name(account), "")
        signed = signing.loads(text, salt=_SALT, max_age=settings.LOGIN_DEVICE_DAYS * 86_400)
    except signing.BadSignature:
        return ""
    return str(signed["device"]) if signed["account"] == account else ""


@receiver(user_logged_in, dispatch_uid="tasks_app.login_succeeded")
def login_succeeded(request: HttpRequest | None, **_signal: Any) -> None:
    """Take the attempt's count back, and know the device from now on."""
    attempt: Attempt | None = getattr(request, "_login_attempt", None)
    if attempt is None:
        return
    try:
        succeeded(attempt)
    except redis.RedisError as error:
        logger.warning("A log-in that succeeded stays counted as a failure: %s", error)
    request._login_device = attempt.device or secrets.token_hex(16)  # type: ignore[union-attr]


def token_login_succeeded(request: HttpRequest, user: Any) -> None:
    """Follow a log-in that opens no session; it is recorded like one that does."""
    login_succeeded(request)
    record("login", subject_of_row(user), user=user)
    AccessLog.objects.create(
        username=user.get_username(),
        ip_address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.META.get("HTTP_USER_AGENT", "")[:255],
        http_accept=request.META.get("HTTP_ACCEPT", "")[:1025],
        path_info=request.path_info[:255],
    )


class LoginMiddleware:
    """Answer refused log-ins of pages with 429 or 503, and set the cookie of the device after a log-in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        refusal = refusal_of(request)
        if refusal is not None and response.get("Content-Type", "").startswith("text/html"):
            response = _refusal_page(request, refusal)
        if device := getattr(request, "_login_device", ""):
            _remember(response, request._login_attempt.account, device)  # type: ignore[attr-defined]
        return response


def _refusal_page(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    status = 503 if refusal.is_outage else 429
    response = render(request, "tasks_app/login_refused.html", {"refusal": refusal}, status=status)
    response["Retry-After"] = str(refusal.wait_seconds)
    return response


def _remember(response: HttpResponse, account: str, device: str) -> None:
    response.set_cookie(
        _cookie_name(account),
        signing.dumps({"account": account, "device": device}, salt=_SALT),
        max_age=settings.LOGIN_DEVICE_DAYS * 86_400,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _cookie_name(account: str) -> str:
    """Name of the cookie per account, so that users who share a browser do not replace each other's."""
    return f"device_{account[:12]}"
