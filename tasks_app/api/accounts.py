"""Logging in for a token, and out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.authentication import TokenAuthentication
from tasks_app.api.base import ApiView, PrivateView
from tasks_app.api.errors import redis_unavailable
from tasks_app.api.fields import StrictCharField
from tasks_app.api.own_access import TokenSerializer, TokenWishSerializer, made_token
from tasks_app.api.schema import describe
from tasks_app.queries.access import OWN
from tasks_app.services.accounts import (
    Replace,
    TooManyAttempts,
    TooManyTokens,
    check_room,
    has_second_factor,
    revoke_token,
)
from tasks_app.web.login import refusal_of, token_login_succeeded
from tasks_app.web.second_factor import (
    MAX_CODE_CHARS,
    WrongCode,
    check_code,
    lacks_second_factor,
    password_was_right,
)


class LoginBody(TokenWishSerializer):
    """Credentials, and what the token is to be."""

    username = StrictCharField(max_length=150)
    password = StrictCharField(max_length=4096, trim_whitespace=False, write_only=True)
    code = StrictCharField(
        max_length=MAX_CODE_CHARS,
        required=False,
        write_only=True,
        help_text="Of the second factor, where the account has one.",
    )
    replace = serializers.ChoiceField(
        choices=[str(choice.value) for choice in Replace],
        required=False,
        help_text="Which tokens of one's own end for the new one: none; oldest: where there are too many, the one that was "
        "used longest ago; all.",
    )


class LoginView(PrivateView):
    """User name and password for a token."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    # Limits of its own, which a known device passes (tasks_app/web/login.py).
    throttle_classes: list[Any] = []

    @describe(
        "Log in",
        name="auth_login",
        tag="auth",
        request=LoginBody,
        answers={200: TokenSerializer},
        errors=(401, 403, 429, 503),
        description="Send the token as `Authorization: Token ...`.",
        auth=[],
    )
    def post(self, request: Request) -> Response:
        wish = self.body(LoginBody)
        credentials = {name: wish.pop(name) for name in ("username", "password")}
        user = authenticate(request._request, **credentials)
        self.taken = getattr(request._request, "_login_taken", None)
        _raise_if_refused(request)
        if user is None:
            raise AuthenticationFailed(_("User name or password is wrong."))
        code, replace = wish.pop("code", ""), Replace(wish.pop("replace", Replace.NONE))
        _raise_without_second_factor(request, user, code, replace)
        token_login_succeeded(request._request, user)
        return made_token(user, wish, replace=replace)

    def get_authenticate_header(self, request: Request) -> str:
        return TokenAuthentication().authenticate_header(request)


class LogoutView(ApiView):
    """End the token that is sent."""

    rights = {"POST": OWN}
    scopes_to_change = ()

    authentication_classes = [TokenAuthentication]

    @describe("Log out", name="auth_logout", tag="auth", answers={204: None})
    def post(self, request: Request) -> Response:
        revoke_token(token=request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _raise_without_second_factor(request: Request, user: Any, code: str, replace: Replace) -> None:
    """Return if the account has no second factor, or its code was sent. Raises APIException.

    A code is good once: where the token would find no room, it is left as it is.
    """
    if lacks_second_factor(user):
        password_was_right(request._request)
        text = _("Staff need a second factor here; set it up on the page Two-factor log-in.")
        raise PermissionDenied(text, "second_factor_missing")
    if not has_second_factor(user):
        return
    password_was_right(request._request)
    if not code:
        raise AuthenticationFailed(_("Send the code of the second factor as `code`."), "second_factor_needed")
    try:
        check_room(user=user, now=timezone.now(), replace=replace)
        check_code(request._request, user, code)
    except TooManyTokens as error:
        raise PermissionDenied(str(error), "too_many_tokens") from error
    except WrongCode as error:
        raise AuthenticationFailed(_("This code is wrong, or was used already."), "wrong_code") from error
    except TooManyAttempts as error:
        raise Throttled(error.wait_seconds, _("Too many failed logins; try again later."), "locked_out") from error


def _raise_if_refused(request: Request) -> None:
    refusal = refusal_of(request._request)
    if refusal is None:
        return
    if refusal.is_outage:
        raise redis_unavailable()
    raise Throttled(refusal.wait_seconds, _("Too many failed logins; try again later."), "locked_out")
