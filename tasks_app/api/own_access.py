"""A person's own API tokens and log-in sessions: listed, made, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers, status
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.base import PrivateView
from tasks_app.api.fields import LineField, StrictIntegerField, StrictSerializer, TimestampField
from tasks_app.api.pagination import page_body
from tasks_app.api.schema import describe, page_of
from tasks_app.models import DEFAULT_SCOPES, Scope
from tasks_app.queries.access import OWN
from tasks_app.queries.sessions import live_token, live_tokens, scopes_of, sessions_of
from tasks_app.services.accounts import (
    AccountChanged,
    TooManyTokens,
    end_session,
    issue_token,
    log_out_everywhere,
    revoke_token,
)

MAX_TOKEN_DAYS = 3650


class TokenWishSerializer(StrictSerializer):
    """Name, scopes and end of a new token."""

    name = LineField(max_length=60, required=False, allow_blank=True, help_text="What uses it.")
    scopes = serializers.MultipleChoiceField(
        choices=Scope.choices,
        required=False,
        allow_empty=False,
        help_text="read: safe methods. write: changes. operate: send commands; cancel, retry, pause, run, clean up; "
        "with write, also by rules, saved commands and schedules. metrics: /metrics only. Without it: "
        + ", ".join(str(scope.value) for scope in DEFAULT_SCOPES)
        + ".",
    )
    expires_in_days = StrictIntegerField(
        min_value=1,
        max_value=MAX_TOKEN_DAYS,
        required=False,
        allow_null=True,
        help_text="null: it never expires. Without it: API_TOKEN_TTL_DAYS.",
    )


class TokenSerializer(serializers.Serializer[Any]):
    """A new token; it is shown this once."""

    token = serializers.CharField()
    expiry = TimestampField(allow_null=True)


class OwnTokenSerializer(serializers.Serializer[Any]):
    """A token, by which nothing can be opened here: only its beginning is shown."""

    token_key = serializers.CharField(help_text="Its beginning, by which it is revoked.")
    name = serializers.SerializerMethodField()
    scopes = serializers.SerializerMethodField()
    created_at = TimestampField(source="created")
    expires_at = TimestampField(source="expiry", allow_null=True)
    last_used_at = serializers.SerializerMethodField(help_text="To the minute.")

    def get_name(self, token: Any) -> str:
        return str(getattr(getattr(token, "details", None), "name", ""))

    def get_scopes(self, token: Any) -> list[str]:
        return sorted(scopes_of(token))

    def get_last_used_at(self, token: Any) -> str | None:
        used_at = getattr(getattr(token, "details", None), "last_used_at", None)
        return None if used_at is None else str(TimestampField().to_representation(used_at))


class OwnSessionSerializer(serializers.Serializer[Any]):
    """A log-in session."""

    id = serializers.CharField(source="session_hash")
    began_at = TimestampField(allow_null=True, help_text="null: the record of the log-in is gone.")
    ends_at = TimestampField()
    address = serializers.CharField()
    user_agent = serializers.CharField()
    is_present = serializers.BooleanField(help_text="It is the one that asks.")


def made_token(user: Any, wish: dict[str, Any], **more: Any) -> Response:
    """Make the token of a validated TokenWishSerializer. Raises PermissionDenied (too many), AuthenticationFailed."""
    chosen: dict[str, Any] = {name: wish[name] for name in ("name", "scopes") if name in wish}
    if "expires_in_days" in wish:
        days = wish["expires_in_days"]
        chosen["lifetime"] = None if days is None else timedelta(days=days)
    try:
        token, expiry = issue_token(user=user, now=timezone.now(), **chosen, **more)
    except TooManyTokens as error:
        raise PermissionDenied(str(error), "too_many_tokens") from error
    except AccountChanged as error:
        raise AuthenticationFailed(str(error)) from error
    return Response(TokenSerializer({"token": token, "expiry": expiry}).data)


def _person(request: Request) -> Any:
    return request.user


class TokenListView(PrivateView):
    """One's own tokens."""

    rights = {"GET": OWN, "POST": OWN}

    @describe(
        "List one's own API tokens",
        name="auth_tokens_list",
        tag="auth",
        answers={200: page_of(OwnTokenSerializer, "OwnTokenPage")},
    )
    def get(self, request: Request) -> Response:
        tokens = live_tokens(request.user, now=timezone.now())
        return Response(page_body(request, None, OwnTokenSerializer(tokens, many=True).data))

    @describe(
        "Create an API token",
        name="auth_tokens_create",
        tag="auth",
        request=TokenWishSerializer,
        answers={200: TokenSerializer},
        makes=True,
        description="In a log-in session only: no token makes another one. Programs get theirs by logging in.",
    )
    def post(self, request: Request) -> Response:
        if request.auth is not None:
            raise PermissionDenied(_("No token makes another one: log in for it."), "session_needed")
        return made_token(request.user, self.body(TokenWishSerializer))


class TokenView(PrivateView):
    """One of them."""

    rights = {"DELETE": OWN}

    @describe(
        "Revoke an API token of one's own", name="auth_tokens_delete", tag="auth", answers={204: None}, errors=(404,)
    )
    def delete(self, request: Request, token_key: str) -> Response:
        token = live_token(request.user, token_key, now=timezone.now())
        if token is None:
            raise Http404
        revoke_token(token=token)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SessionListView(PrivateView):
    """One's own log-in sessions."""

    rights = {"GET": OWN}

    @describe(
        "List one's own log-in sessions",
        name="auth_sessions_list",
        tag="auth",
        answers={200: page_of(OwnSessionSerializer, "OwnSessionPage")},
        description="The present one first, then the newest; 100 at most.",
    )
    def get(self, request: Request) -> Response:
        present_key = "" if request.auth is not None else request.session.session_key or ""
        sessions = sessions_of(request.user, present_key=present_key)
        return Response(page_body(request, None, OwnSessionSerializer(sessions, many=True).data))


class SessionView(PrivateView):
    """One of them."""

    rights = {"DELETE": OWN}

    @describe(
        "End a log-in session of one's own",
        name="auth_sessions_delete",
        tag="auth",
        answers={204: None},
        errors=(404,),
    )
    def delete(self, request: Request, session_id: str) -> Response:
        if not end_session(user=_person(request), session_hash=session_id):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


class LogoutEverywhereView(PrivateView):
    """All of them."""

    rights = {"POST": OWN}

    @describe(
        "End all log-in sessions and API tokens of one's own",
        name="auth_logout_everywhere",
        tag="auth",
        answers={204: None},
    )
    def post(self, request: Request) -> Response:
        log_out_everywhere(user=_person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
