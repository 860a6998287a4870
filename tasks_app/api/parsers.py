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
    """The bytes of a JSON body, undecoded, for a view that decodes itself. Raises UnsupportedMediaType, TooLarge."""
    if request.content_type.partition(";")[0].strip().lower() != JSON_MEDIA_TYPE:
        raise UnsupportedMediaType(request.content_type)
    plain: HttpRequest = request._request
    declared = plain.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise TooLarge(_("The body is too large; at most %(max_bytes)d bytes are accepted.") % {"max_bytes": max_bytes})
    return read_bounded(plain, max_bytes)
