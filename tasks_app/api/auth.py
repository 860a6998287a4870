"""Logging in for a token, and out."""

from __future__ import annotations

from typing import Any

from axes.helpers import get_cool_off
from django.contrib.auth import authenticate
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import AnonRateThrottle

from tasks_app.api.authentication import TokenAuthentication
from tasks_app.api.base import ApiView
from tasks_app.api.fields import MomentField, StrictCharField, StrictSerializer
from tasks_app.api.schema import describe
from tasks_app.services.api_tokens import TooManyTokens, issue_token, revoke_token


class LoginBody(StrictSerializer):
    """Credentials."""

    username = StrictCharField(max_length=150)
    password = StrictCharField(max_length=4096, trim_whitespace=False, write_only=True)


class TokenSerializer(serializers.Serializer[Any]):
    """A new token; it is shown this once."""

    token = serializers.CharField()
    expiry = MomentField(allow_null=True)


class LoginThrottle(AnonRateThrottle):
    """Beside the lock-out per user name: nobody tries many names either."""

    scope = "login"
    rate = "20/min"


class LoginView(ApiView):
    """User name and password for a token."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes = [LoginThrottle]

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
        credentials = self.body(LoginBody)
        user = authenticate(request._request, **credentials)
        _raise_if_locked_out(request)
        if user is None:
            raise AuthenticationFailed(_("User name or password is wrong."))
        try:
            token, expiry = issue_token(user=user, now=timezone.now())
        except TooManyTokens as error:
            raise PermissionDenied(str(error), "too_many_tokens") from error
        return Response(TokenSerializer({"token": token, "expiry": expiry}).data)

    def get_authenticate_header(self, request: Request) -> str:
        return TokenAuthentication().authenticate_header(request)


class LogoutView(ApiView):
    """End the token that is sent."""

    authentication_classes = [TokenAuthentication]

    @describe("Log out", name="auth_logout", tag="auth", answers={204: None})
    def post(self, request: Request) -> Response:
        revoke_token(token=request.auth)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _raise_if_locked_out(request: Request) -> None:
    plain = request._request
    if not getattr(plain, "axes_locked_out", False):
        return
    # We answer ourselves; left set, axes' middleware would replace the answer by its page.
    plain.axes_locked_out = False  # type: ignore[attr-defined]
    cool_off = get_cool_off(plain)
    wait = int(cool_off.total_seconds()) if cool_off else None
    raise Throttled(wait, _("Too many failed logins; the account is locked for a while."), "locked_out")
