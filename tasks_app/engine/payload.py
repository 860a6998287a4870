"""Messages of jobs in Redis: signed JSON, `<hmac hex>.<json>`.

The MAC (HMAC-SHA256, key derived from SECRET_KEY) covers queue and job id, so that a message replayed on another queue or
under another id is refused. SECRET_KEY_FALLBACKS are accepted for reading: keys can be rotated while work is queued.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings
from msgspec.structs import replace

from tasks_app.engine.errors import BadPayload
from tasks_app.engine.flows import Flow

_PURPOSE = b"tasks_app.engine.payload.v1"
_MAC_LENGTH = 64


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of a message. `call` is [args, kwargs]."""

    task: str
    call: tuple[list[Any], dict[str, Any]]
    created_ms: int
    requested_by_id: int | None = None
    schedule_id: int | None = None
    retry_of: str | None = None
    # Time limit of this job, where it is not that of its task.
    timeout_seconds: float | None = None
    flow: Flow | None = None
    # Of the request that made it, directly or through other jobs.
    request_id: str | None = None
    # Traceparent of the span in which it was made.
    trace: str | None = None
    # Which member of its group this is.
    member_index: int | None = None


_decoder = msgspec.json.Decoder(Payload)
_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=8)
def _derived_key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _PURPOSE, hashlib.sha256)


@lru_cache(maxsize=8)
def _begun(secret: str) -> hmac.HMAC:
    """Return the MAC of nothing yet: a copy of it takes half as long as a new one."""
    return hmac.new(_derived_key(secret), digestmod=hashlib.sha256)


def _mac(secret: str, queue: str, job_id: str, body: bytes) -> bytes:
    mac = _begun(secret).copy()
    mac.update(f"{queue}\n{job_id}\n".encode() + body)
    return mac.hexdigest().encode()


def seal(queue: str, job_id: str, payload: Payload, call_json: str, member_index: int | None = None) -> bytes:
    """Return the signed message of a job: what it has in common with others, and its own call, which is encoded already."""
    own = replace(payload, call=msgspec.Raw(call_json), member_index=member_index)
    return seal_text(queue, job_id, _encode(own))


def seal_text(queue: str, name: str, body: bytes) -> bytes:
    """Return a text with its signature, which is good for this queue and this name only."""
    return _mac(settings.SECRET_KEY, queue, name, body) + b"." + body


def _is_signed(queue: str, job_id: str, mac: bytes, body: bytes) -> bool:
    if hmac.compare_digest(mac, _mac(settings.SECRET_KEY, queue, job_id, body)):
        return True
    former = settings.SECRET_KEY_FALLBACKS
    return any(hmac.compare_digest(mac, _mac(secret, queue, job_id, body)) for secret in former)


def unseal(queue: str, job_id: str, message: bytes) -> Payload:
    """Return the content of a message. Raises BadPayload when it is not ours, changed, replayed or unreadable."""
    try:
        return _decoder.decode(unseal_text(queue, job_id, message))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadPayload(f"The message cannot be read: {error}") from error


def unseal_text(queue: str, name: str, message: bytes) -> bytes:
    """Return a text that was sealed for this queue and name. Raises BadPayload for any other."""
    mac, dot, body = message[:_MAC_LENGTH], message[_MAC_LENGTH : _MAC_LENGTH + 1], message[_MAC_LENGTH + 1 :]
    if dot != b"." or not _is_signed(queue, name, mac, body):
        raise BadPayload("The signature does not fit this message on this queue.")
    return body
