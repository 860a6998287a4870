"""How operations describe themselves in the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import build_bearer_security_scheme_object
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from tasks_app.api.authentication import TokenAuthentication


class ErrorSerializer(serializers.Serializer[Any]):
    """Every error."""

    code = serializers.CharField(help_text="For machines.")
    detail = serializers.CharField(help_text="A sentence for people.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.JSONField(), help_text="Errors by field of the request; else empty."
    )


class ConflictSerializer(ErrorSerializer):
    """A step that the present state does not allow."""

    state = serializers.CharField(help_text="The present state.")


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Sent again under its key within 24 hours, the request is answered as the first time and makes nothing.",
)
COMMON_ERRORS = {401: ErrorSerializer, 403: ErrorSerializer, 429: ErrorSerializer, 503: ErrorSerializer}


def describe(
    summary: str,
    *,
    answers: dict[Any, Any],
    request: Any = None,
    parameters: list[Any] | None = None,
    errors: tuple[int, ...] = (),
    tag: str,
    name: str,
    description: str = "",
    auth: list[Any] | None = None,
    makes: bool = False,
) -> Callable[[Any], Any]:
    """Decorate a view method with its summary, its answers by status, and the errors it may give beside the common ones.

    An error among the answers has a body of its own.

    A POST that answers 201 or 202, and one that `makes` something with another answer, takes an Idempotency-Key.
    """
    # Such a POST makes something: it takes an Idempotency-Key, except from devices, whose data is stored once anyway.
    makes_something = auth is None and (makes or bool({201, 202} & answers.keys()))
    failures = {code: ConflictSerializer if code == 409 else ErrorSerializer for code in errors}
    if request is not None:
        failures |= {413: ErrorSerializer, 415: ErrorSerializer}
    if request is not None or parameters or auth is None:
        failures |= {400: ErrorSerializer}
    common = {} if auth == [] else COMMON_ERRORS

    def decorate(handler: Any) -> Any:
        takes_key = makes_something and handler.__name__ == "post"
        handler.makes_something = takes_key
        # Devices and the servers of others send what they like.
        handler.ignores_nothing = auth is None
        handler.takes_parameters, handler.takes_body = bool(parameters), request is not None
        of_key = {400: ErrorSerializer, 409: ConflictSerializer} if takes_key else {}
        return extend_schema(
            summary=summary,
            description=description or None,
            operation_id=name,
            tags=[tag],
            request=request,
            parameters=[*(parameters or []), *([IDEMPOTENCY_KEY] if takes_key else [])],
            responses={**of_key, **failures, **common, **answers},
            auth=auth,
        )(handler)

    return decorate


def page_of(item: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """The serializer of a page of a list."""
    members = {
        "next": serializers.URLField(allow_null=True, help_text="The next page; null on the last."),
        "results": item(many=True),
    }
    return type(name, (serializers.Serializer,), {**members, "__doc__": "One page.", "__module__": item.__module__})


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI schema describes it."""

    target_class = TokenAuthentication
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return build_bearer_security_scheme_object(
            header_name="Authorization", token_prefix=self.target.authenticate_header(None)
        )


class OwnSessionScheme(SessionScheme):
    """The same for the session's cookie."""

    target_class = "tasks_app.api.authentication.SessionAuthentication"
