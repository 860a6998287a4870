"""Reading request bodies: bounded, JSON only, and no body makes anything but a 4xx."""

from __future__ import annotations

from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tasks_app.api.errors import TooLarge

JSON_MEDIA_TYPE = "application/json"


class JSONBodyParser(BaseParser):
    """Strict JSON of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes: no NaN, no 1e999, no endless nesting or digits."""

    media_type = JSON_MEDIA_TYPE

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return decode_json(read_bounded(stream, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


def read_bounded(stream: Any, max_bytes: int) -> bytes:
    """At most `max_bytes` of `stream`, whatever Content-Length says. Raises TooLarge."""
    body: bytes = stream.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise TooLarge(_("The body is too large; at most %(max_bytes)d bytes are accepted.") % {"max_bytes": max_bytes})
    return body


def decode_json(body: bytes) -> Any:
    """The value of a JSON text. Raises ParseError."""
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise ParseError(_("The body is nested too deeply."), "too_deep") from error
    except ValueError as error:  # msgspec's errors, invalid UTF-8 and integers too long to read are all ValueErrors
        raise ParseError(_("The body is not valid JSON: %(reason)s") % {"reason": error}, "not_json") from error


def raw_json_body(request: Request, max_bytes: int) -> bytes:
    """The bytes of a JSON body, undecoded, whether or not its length was said. Raises UnsupportedMediaType, TooLarge."""
    if media_type_of(request) != JSON_MEDIA_TYPE:
        raise UnsupportedMediaType(request.content_type)
    plain: HttpRequest = request._request
    declared = plain.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise TooLarge(_("The body is too large; at most %(max_bytes)d bytes are accepted.") % {"max_bytes": max_bytes})
    return read_bounded(plain, max_bytes)


def json_body(request: Request) -> Any:
    """The decoded JSON body, {} for a request without one. Raises as `raw_json_body` and ParseError.

    DRF's own `request.data` takes a body whose length was not said (chunked) for an empty one.
    """
    if not request.content_type and not request._request.read(1):
        return {}
    return decode_json(raw_json_body(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


def media_type_of(request: Request) -> str:
    """The media type of the body in lower case, without its parameters."""
    return (request.content_type or "").partition(";")[0].strip().lower()
