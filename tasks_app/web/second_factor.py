"""The second step of a log-in, where an account has a second factor, and the demand that staff have one.

Between the steps the session is nobody's; it names the account and ends the wait after PENDING_SECONDS.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import Resolver404, resolve, reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django_otp import DEVICE_ID_SESSION_KEY

from tasks_app.services.accounts import (
    admit,
    has_second_factor,
    is_right_code,
    succeeded,
    take_back,
    uncounted_attempt,
)
from tasks_app.web.login import known_device

logger = logging.getLogger(__name__)

PENDING_SECONDS = 300
MAX_CODE_CHARS = 40
_PENDING = "pending_log_in"
_MARK = "second factor"
_OPEN = "is_open_without_second_factor"
V = TypeVar("V", bound=Callable[..., Any])
# Pages that a member of staff without the demanded factor may open.
_OPEN_NAMES = ("pages:two_factor", "pages:logout", "pages:login", "pages:manifest")


class WrongCode(Exception):
    """The code is no good one of this account."""


def wait_for_code(request: HttpRequest, user: Any, next_url: str) -> None:
    """Note in the session that the password of `user` was right."""
    password_was_right(request)
    request.session.cycle_key()
    request.session[_PENDING] = {
        "user_id": user.pk,
        "backend": user.backend,
        "hash": user.get_session_auth_hash(),
        "until": time.time() + PENDING_SECONDS,
        "next": next_url,
    }


def password_was_right(request: HttpRequest) -> None:
    """Take the count of the attempt back, without the trust that a whole log-in earns."""
    attempt = getattr(request, "_login_attempt", None)
    try:
        if attempt is not None:
            take_back(attempt)
    except redis.RedisError as error:
        logger.warning("A password that was right stays counted as a failure: %s", error)


def pending_log_in(request: HttpRequest) -> tuple[Any, str] | None:
    """The account that waits for its code, and the page after it; None where none waits any more.

    None waits where another person logged in meanwhile, nor once its second factor was removed: no code is good for it then.
    """
    found = request.session.get(_PENDING)
    if not found or request.user.is_authenticated or found["until"] < time.time():
        return None
    user = get_user_model().objects.filter(pk=found["user_id"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), found["hash"]):
        return None
    if not has_second_factor(user):
        return None
    user.backend = found["backend"]
    return user, found["next"]


def check_code(request: HttpRequest, user: Any, code: str) -> None:
    """Return if the code is a good one. Limited as passwords are. Raises WrongCode, TooManyAttempts, redis.RedisError.

    Redis is asked before the code is: a good one is used up then, and must lead in.
    """
    username, device = user.get_username(), known_device(request, user.get_username())
    address = request.META.get("REMOTE_ADDR") or ""
    attempt = admit(username=username, address=address, device=device, is_code=True)
    if not is_right_code(user=user, code=code[:MAX_CODE_CHARS]):
        user_login_failed.send(sender=__name__, credentials={"username": username}, request=request)
        raise WrongCode
    try:
        succeeded(attempt)
        # Now the device and the address are known for the password too.
        request._login_attempt = uncounted_attempt(username=username, address=address, device=device)  # type: ignore[attr-defined]
    except redis.RedisError as error:
        logger.warning("A code that was right stays counted as a failure: %s", error)


def finish_log_in(request: HttpRequest, user: Any) -> None:
    """Open the session of `user`, whose code was right."""
    request.session.pop(_PENDING, None)
    login(request, user)
    mark_verified(request)


def mark_verified(request: HttpRequest) -> None:
    """Note that this session was opened, or confirmed, with a second factor."""
    request.session[DEVICE_ID_SESSION_KEY] = _MARK


def lacks_second_factor(user: Any) -> bool:
    """Whether STAFF_TWO_FACTOR demands a second factor that this account does not have."""
    return bool(settings.STAFF_TWO_FACTOR and user.is_staff and not has_second_factor(user))


def demand_second_factor(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Django middleware that leads staff without the demanded second factor to the page on which they set it up."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not settings.STAFF_TWO_FACTOR or not _is_unverified_staff(request) or _is_open(request.path_info):
            return get_response(request)
        if request.path_info.startswith("/api/"):
            detail = _("Staff need a second factor here; set it up on the page Two-factor log-in.")
            return JsonResponse({"code": "second_factor_missing", "detail": detail, "fields": {}}, status=403)
        if not has_second_factor(request.user):
            return redirect("pages:two_factor")
        # A session of before the factor was set up: it begins again, with the code.
        logout(request)
        return redirect_to_login(request.get_full_path())

    return middleware


def _is_unverified_staff(request: HttpRequest) -> bool:
    """Whether the demand is not met: a session keeps its mark when the factor is switched off."""
    user = request.user
    if not (user.is_authenticated and user.is_staff):
        return False
    return DEVICE_ID_SESSION_KEY not in request.session or not has_second_factor(user)


def open_without_second_factor(view: V) -> V:
    """Mark a view that members of staff without the demanded factor may open, as those that work without a log-in."""
    setattr(view, _OPEN, True)
    return view


def _is_open(path: str) -> bool:
    if path in {reverse(name) for name in _OPEN_NAMES}:
        return True
    try:
        return getattr(resolve(path).func, _OPEN, False)
    except Resolver404:
        return False
