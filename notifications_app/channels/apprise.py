"""Chat, SMS and push services through Apprise: one address format for more than a hundred of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications_app.channels.base import Channel, Configured, DeliveryError, InvalidDestination
from notifications_app.messages.safe_text import body, one_line
from notifications_app.models.encryption import Unreadable
from notifications_app.models.kinds import MESSAGE_KINDS

if TYPE_CHECKING:
    from notifications_app.models import Delivery

TOTAL_SECONDS = 25
MAX_URL_LENGTH = 2000
MAX_TEXT_LENGTH = 3000
_CHILD = "notifications_app.channels.apprise_child"
# What a child needs to find the internet; nothing of ours, no key, no password. No proxy either: it would be the proxy that
# resolves names and connects, to addresses that were not checked.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
# What services answer when the token or the recipient is wrong.
_REFUSED_FOR_GOOD = re.compile(r"error\s*=\s*(?:400|401|403|404|410)\b")
_PARTS = re.compile(r"[^A-Za-z0-9_.-]+")
_SHORTEST_SECRET = 6
# What Discord, Mattermost and others take for a call to everybody, or (<@42>) to one person.
_CALL = re.compile(r"(?<=<)@|(?<!\w)@(?=(?:all|channel|everyone|here)\b)", re.IGNORECASE)


class AppriseChannel(Channel):
    kind = "apprise"
    label = gettext_lazy("Chat, SMS, push")
    phrase = gettext_lazy("by chat, SMS or push")
    has_destinations = True

    def configure(self, url: str) -> Configured:
        text = url.strip()
        if len(text) > MAX_URL_LENGTH or "://" not in text or any(character < " " for character in text):
            raise InvalidDestination(_("This is not an Apprise address, such as tgram://token/chat."))
        try:
            answer = _ask({"action": "check", "url": text})
        except DeliveryError as error:
            raise InvalidDestination(str(error)) from error
        if not answer["ok"]:
            raise InvalidDestination(_why(answer["reason"]))
        return Configured(one_line(answer["address"]), {"url": text})

    def send(self, delivery: Delivery, address: str) -> str:
        notification = delivery.notification
        assert delivery.destination is not None
        try:
            url = delivery.destination.secrets["url"]
        except Unreadable as error:
            reason = _("Its secrets cannot be decrypted any more; enter the address again.")
            raise DeliveryError(reason, permanent=True, disables=True) from error
        title = one_line(notification.subject)
        answer = _ask(
            {
                "action": "send",
                "url": url,
                "title": calling_nobody(title),
                "body": calling_nobody(without_title(body(notification.body_text, MAX_TEXT_LENGTH), title)),
                "type": "failure" if MESSAGE_KINDS[notification.kind].is_failure else "info",
                "allowed_networks": settings.OUTGOING_ALLOWED_NETWORKS,
            }
        )
        if answer["ok"]:
            return _("accepted by the service")
        reason = answer["reason"]
        detail = redacted(answer.get("detail", ""), url)
        if reason not in ("refused", "partial"):
            raise DeliveryError(f"{_why(reason)} {detail}".strip(), permanent=True, disables=True)
        is_for_good = _REFUSED_FOR_GOOD.search(detail) is not None
        if reason == "partial":
            # Another attempt would repeat what arrived.
            text = _("Only a part of it arrived, or not everybody got it: %(reason)s") % {"reason": detail}
            raise DeliveryError(text, permanent=True, disables=is_for_good)
        raise DeliveryError(detail or _("The service refused it."), permanent=is_for_good, disables=is_for_good)


def without_title(text: str, title: str) -> str:
    """`text` without a first line that says what the title says, which stands above it already."""
    first_line, _end, rest = text.partition("\n")
    return rest.lstrip() if first_line == title and rest.strip() else text


def calling_nobody(text: str) -> str:
    """`text` in which names and answers of devices call nobody: an invisible joiner stands in `@everyone`."""
    return _CALL.sub("@\u2060", text)


def redacted(text: str, url: str) -> str:
    """`text` as one line without any part of the address that may be a secret."""
    hidden = {part for part in _PARTS.split(url.partition("://")[2]) if len(part) >= _SHORTEST_SECRET}
    for part in sorted(hidden, key=len, reverse=True):
        text = text.replace(part, "***")
    return one_line(text, 400)


def _why(reason: str) -> str:
    return {
        "local": _("This kind of address reaches the server itself, not a person."),
        "private": _("The address leads into a private network."),
        "name": _("The domain name in the address is not a valid one."),
    }.get(reason, _("Apprise knows no service with such an address."))


def _ask(order: dict[str, Any]) -> dict[str, Any]:
    """The child's answer. Raises DeliveryError, to be tried again, when it hangs or dies."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", _CHILD],
            input=json.dumps(order).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TOTAL_SECONDS,
            cwd=settings.BASE_DIR,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeliveryError(_("The service did not answer in time."), permanent=False) from error
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise DeliveryError(_("The service's answer could not be read."), permanent=False) from error
