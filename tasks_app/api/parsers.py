"""Reading request bodies: bounded, also when they are compressed, and no body makes anything but a 4xx."""

from __future__ import annotations

import codecs
import json
import zlib
from typing import Any

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from tasks_app.api.errors import ApiError, TooLarge

JSON_MEDIA_TYPE = "application/json"
# zlib's way of saying: the gzip format, no other.
GZIP_WINDOW_BITS = 31
# A body of thousands of tiny members would be copied once for each.
MAX_GZIP_MEMBERS = 16


class JSONBodyParser(BaseParser):
    """Strict JSON of at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes: no NaN, no 1e999, no endless nesting or digits."""

    media_type = JSON_MEDIA_TYPE

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return decode_json(read_body(parser_context["request"]._request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


def read_bounded(request: HttpRequest, max_bytes: int) -> bytes:
    """The whole body, whatever Content-Length says of its size. Raises TooLarge.

    Django keeps what it read: a second reader of the same request (a check of CSRF tokens, a view) gets the same bytes.
    It stops at DATA_UPLOAD_MAX_MEMORY_SIZE, to which no limit of ours is larger.
    """
    try:
        body = request.body
    except RequestDataTooBig as error:
        raise too_large(max_bytes) from error
    if len(body) > max_bytes:
        raise too_large(max_bytes)
    return body


def read_body(request: HttpRequest, max_bytes: int) -> bytes:
    """The body of a request, decompressed where it says gzip; neither form may be larger than `max_bytes`.

    Raises TooLarge, ParseError (not gzip, or cut off), ApiError 415 for another compression.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise too_large(max_bytes)
    body = read_bounded(request, max_bytes)
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        detail = _("Only gzip is understood as Content-Encoding.")
        raise ApiError(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding", detail)
    return _unzipped(body, max_bytes)


def _unzipped(packed: bytes, max_bytes: int) -> bytes:
    """Unpacked contents of all members of a gzip file, never more than `max_bytes` of it in memory."""
    parts: list[bytes] = []
    left = max_bytes
    while packed:
        if len(parts) == MAX_GZIP_MEMBERS:
            raise ParseError(_("The body is not valid gzip."), "not_gzip")
        unpacker = zlib.decompressobj(GZIP_WINDOW_BITS)
        try:
            part = unpacker.decompress(packed, left + 1)
        except zlib.error as error:
            raise ParseError(_("The body is not valid gzip."), "not_gzip") from error
        if len(part) > left:
            raise too_large(max_bytes)
        if not unpacker.eof:
            raise ParseError(_("The gzip body is cut off."), "not_gzip")
        parts.append(part)
        left -= len(part)
        packed = unpacker.unused_data
    return b"".join(parts)


def too_large(max_bytes: int) -> TooLarge:
    """Return the error of a body of more bytes than these."""
    return TooLarge(_("The body is too large; at most %(max_bytes)d bytes are accepted.") % {"max_bytes": max_bytes})


class _NamedTwice(Exception):
    """An object has two members of this name."""


def decode_json(body: bytes) -> Any:
    """The value of a JSON text, which may begin with a byte order mark. Raises ParseError.

    Of two members with one name JSON's readers take either one and drop the other: both are refused.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        value = msgspec.json.decode(body)
        if body.count(b":") > 1:
            json.loads(body, object_pairs_hook=_object_of)
        return value
    except _NamedTwice as error:
        detail = _("The body has “%(name)s” twice in one object.") % {"name": str(error)[:100]}
        raise ParseError(detail, "named_twice") from None
    except RecursionError as error:
        raise ParseError(_("The body is nested too deeply."), "too_deep") from error
    except ValueError as error:  # msgspec's errors, invalid UTF-8 and integers too long to read are all ValueErrors
        raise ParseError(_("The body is not valid JSON: %(reason)s") % {"reason": error}, "not_json") from error


def _object_of(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise _NamedTwice(name)
        found[name] = value
    return found


def raw_json_body(request: Request, max_bytes: int) -> bytes:
    """The bytes of a JSON body, undecoded, whether or not its length was said. Raises UnsupportedMediaType, TooLarge."""
    if media_type_of(request) != JSON_MEDIA_TYPE:
        raise UnsupportedMediaType(request.content_type)
    return read_body(request._request, max_bytes)


def json_body(request: Request) -> Any:
    """The decoded JSON body, {} for a request without one. Raises as `raw_json_body` and ParseError.

    DRF's own `request.data` takes a body whose length was not said (chunked) for an empty one.
    """
    if not request.content_type and not request._request.body:
        return {}
    return decode_json(raw_json_body(request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


def check_no_body(request: Request) -> None:
    """Refuse a body where none would be read, but for that of clients which send JSON always. Raises ValidationError."""
    body = read_bounded(request._request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE).strip()
    if body not in (b"", b"{}", b"null"):
        raise ValidationError([_("This takes no body.")])


def media_type_of(request: Request) -> str:
    """The media type of the body in lower case, without its parameters."""
    return (request.content_type or "").partition(";")[0].strip().lower()
