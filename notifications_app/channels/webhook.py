"""Webhooks: the notification as signed JSON to a server of the user's, as https://www.standardwebhooks.com describes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.channels.base import Channel, Configured, DeliveryError, InvalidDestination
from notifications_app.messages.safe_text import one_line
from notifications_app.models.encryption import Unreadable
from notifications_app.models.kinds import NotificationKind
from notifications_app.queries.digest_contents import merged_counts, merged_into
from tasks_app.engine import current_request_id
from tasks_app.request_ids import HEADER
from tasks_app.utils.iso_times import iso_utc
from tasks_app.utils.outgoing_addresses import Refused, networks
from tasks_app.utils.outgoing_http import Answer, InvalidUrl, parse_url, post

if TYPE_CHECKING:
    from notifications_app.models import Delivery

SECRET_PREFIX = "whsec_"  # noqa: S105
# The server is there but asks to be left alone for a while; anything else from 400 on is a refusal, below 600 ours.
_LATER = {408, 425, 429}
# The address itself is wrong, not this one message.
_NOT_THERE = {401, 403, 404, 405, 410}
_ANSWER_LENGTH = 200
# Merged deliveries listed in the body of a digest, some 400 KB; the log of deliveries has all of them.
MAX_LISTED = 1000


class WebhookChannel(Channel):
    kind = "webhook"
    label = gettext_lazy("Webhook")
    phrase = gettext_lazy("by webhook")
    has_destinations = True

    def configure(self, url: str) -> Configured:
        parts = _parsed(url)
        return Configured(readable(parts), {"url": url, "signing_secret": new_signing_secret()})

    def send(self, delivery: Delivery, address: str) -> str:
        url, signing_secret = _secrets_of(delivery)
        body = payload(delivery)
        message_id = idempotency_key(delivery)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Tracker-Webhook/1",
            "Idempotency-Key": message_id,
            **signature_headers(signing_secret, message_id, int(time.time()), body),
        }
        if request_id := current_request_id():
            headers[HEADER] = request_id
        try:
            answer = post(_parsed(url), body, headers, allowed=networks(settings.OUTGOING_ALLOWED_NETWORKS))
        except Refused as error:
            reason = _("The address leads into a private network (%(address)s).") % {"address": error}
            raise DeliveryError(reason, permanent=True, disables=True) from error
        except InvalidDestination as error:
            raise DeliveryError(str(error), permanent=True, disables=True) from error
        except OSError as error:
            raise DeliveryError(one_line(f"{type(error).__name__}: {error}"), permanent=False) from error
        return judged(answer)


def judged(answer: Answer) -> str:
    """Return the answer as text if the server accepted the message. Raises DeliveryError otherwise."""
    words = one_line(f"{answer.status} {answer.body[:_ANSWER_LENGTH].decode('utf-8', 'replace')}")
    if 200 <= answer.status < 300:
        return words
    if 300 <= answer.status < 400:
        reason = _("%(status)s: redirects are not followed, give the final address.") % {"status": answer.status}
        raise DeliveryError(reason, permanent=True, disables=True)
    permanent = 400 <= answer.status < 500 and answer.status not in _LATER
    raise DeliveryError(words, permanent=permanent, disables=answer.status in _NOT_THERE)


def payload(delivery: Delivery) -> bytes:
    """The body: the same at every attempt, unless more was merged into a digest meanwhile."""
    content = {**_content(delivery), "text": delivery.notification.body_text}
    if delivery.notification.kind == NotificationKind.DIGEST and (merged := _merged(delivery)):
        content["merged"] = merged
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _content(delivery: Delivery) -> dict[str, Any]:
    notification = delivery.notification
    device, event = notification.device, notification.event
    return {
        "id": notification.pk,
        "kind": notification.kind,
        "subject": notification.subject,
        "created_at": iso_utc(notification.created_at),
        "device": device and {"id": device.pk, "unique_id": device.unique_id, "name": device.name},
        "event": event
        and {
            "id": event.pk,
            "kind": event.kind,
            "occurred_at": iso_utc(event.occurred_at),
            "latitude": event.latitude,
            "longitude": event.longitude,
            "geofence_id": event.geofence_id,
            "data": event.data,
        },
    }


def _merged(digest: Delivery) -> dict[str, Any] | None:
    """The deliveries merged into a digest, each with its own idempotency key; None for a digest of held alerts."""
    by_kind: Counter[str] = Counter()
    for one in merged_counts(digest):
        by_kind[one.kind] += one.count
    if not by_kind:
        return None
    newest = reversed(merged_into(digest).reverse()[:MAX_LISTED])
    listed = [{**_content(one), "idempotency_key": idempotency_key(one)} for one in newest]
    total = by_kind.total()
    return {"total": total, "by_kind": by_kind, "not_listed": total - len(listed), "notifications": listed}


def signature_headers(signing_secret: str, message_id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """The headers a receiver checks: HMAC-SHA256 over `id.timestamp.body`, base64, version 1."""
    key = base64.b64decode(signing_secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp_seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(timestamp_seconds),
        "Webhook-Signature": f"v1,{signature}",
    }


def new_signing_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def idempotency_key(delivery: Delivery) -> str:
    """The same at every attempt; the time keeps keys apart after a database was set up anew.

    A digest that more was merged into since its last attempt is another message with another key.
    """
    key = f"delivery-{delivery.pk}-{delivery.created_at.timestamp():.0f}"
    count = delivery.merged.count() if delivery.notification.kind == NotificationKind.DIGEST else 0
    return f"{key}-{count}" if count else key


def readable(parts: SplitResult) -> str:
    """The address without its path, which may hold a token."""
    has_more = parts.path not in ("", "/") or parts.query
    return one_line(f"{parts.scheme}://{parts.netloc}{'/…' if has_more else ''}")


def _parsed(url: str) -> SplitResult:
    """Raises InvalidDestination."""
    try:
        return parse_url(url, allow_http=settings.WEBHOOK_ALLOW_HTTP)
    except InvalidUrl as error:
        raise InvalidDestination(_why(str(error))) from error


def _why(word: str) -> str:
    return {
        "scheme": _("Give an address that begins with https://."),
        "host": _("The address names no host."),
        "name": _("The domain name in the address is not a valid one."),
        "port": _("Only the ports 80, 443 and those from 1024 on can be used."),
        "user": _("Give the address without user, password and #."),
    }.get(word, _("This is not a web address."))


def _secrets_of(delivery: Delivery) -> tuple[str, str]:
    destination = delivery.destination
    assert destination is not None
    try:
        values = destination.secrets
    except Unreadable as error:
        reason = _("Its secrets cannot be decrypted any more; enter the address again.")
        raise DeliveryError(reason, permanent=True, disables=True) from error
    return values["url"], values["signing_secret"]
