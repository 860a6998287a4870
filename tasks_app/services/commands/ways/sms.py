"""The way of commands by SMS, through a provider's HTTP interface, and the receipts that the provider sends of them.

A message that the network keeps would stop a car hours later. So a dangerous command goes only where the provider hears how
long the message holds: the settings have {validity_seconds} in the address or the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import EncodedCommand, InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES
from tasks_app.models import Command, CommandWay, Device, DeviceAccess
from tasks_app.queries.commands import access_of
from tasks_app.services.commands.attempts import NothingWritten, send_attempt
from tasks_app.services.commands.set_up import as_set_up, own_password
from tasks_app.services.commands.ways.operator_http import ask, excerpt
from tasks_app.services.commands.ways.sms_texts import FACTORY_PASSWORDS, sms_text, sms_types
from tasks_app.utils.outgoing_http import Answer

_PLACEHOLDER = re.compile(r"\{(phone|text|reference|validity_seconds)\}")
# The provider knows the number or the text to be wrong, or takes no more for now.
_REFUSALS = range(300, 500)
MIN_VALIDITY_SECONDS = 1


class Message(msgspec.Struct):
    """An SMS to a tracker. The bytes of an attempt are this as JSON, without the password; no number is in it."""

    text: str
    reference: str
    validity_seconds: int


class SmsWay:
    name = CommandWay.SMS.value
    # A receipt may take as long as the tracker's network.
    answer_seconds = 600.0

    def types(self, device: Device) -> frozenset[str]:
        access = access_of(device)
        if not settings.SMS["URL"] or not access.phone_number:
            return frozenset()
        types = sms_types(access.protocol)
        return types if has_validity() else frozenset(one for one in types if not COMMAND_TYPES[one].is_dangerous)

    def check(self, device: Device, command: OutgoingCommand) -> None:
        text_for(command, device)

    def can_take(self, device: Device, command: Command) -> bool:
        return command.type in self.types(device)

    def hand_over(self, device: Device, command: Command) -> None:
        access = access_of(device)
        messages: dict[str, Message] = {}

        def encode(outgoing: OutgoingCommand) -> EncodedCommand:
            message = message_of(outgoing, device, command.pk, command.expires_at)
            messages[message.reference] = message
            return encoded(message, access)

        send_attempt(
            command.pk,
            way=self.name,
            address=redacted_number(access.phone_number),
            encode=encode,
            write=lambda noted, _expires_at: send(access, messages[noted.token]),
        )


def message_of(outgoing: OutgoingCommand, device: Device, command_pk: int, expires_at: datetime) -> Message:
    """Return the message of a command. Raises InvalidCommand."""
    reference = f"{command_pk}-{outgoing.number}"
    validity_seconds = max(MIN_VALIDITY_SECONDS, int((expires_at - outgoing.now).total_seconds()))
    return Message(text_for(outgoing, device), reference, validity_seconds)


def text_for(outgoing: OutgoingCommand, device: Device) -> str:
    """Return the text of a command to the device, with its password. Raises InvalidCommand."""
    access = access_of(device)
    if COMMAND_TYPES[outgoing.type].is_dangerous and not has_validity():
        raise InvalidCommand(_("The settings do not say how the SMS provider learns how long a message holds."))
    session = replace(
        as_set_up(TrackerSession(device_id=device.unique_id), access, access.protocol), password=password_of(access)
    )
    return sms_text(access.protocol, outgoing, session)


def encoded(message: Message, access: DeviceAccess) -> EncodedCommand:
    """Return a message as an attempt keeps it: without the password in it."""
    kept = msgspec.structs.replace(message, text=without_password(message.text, access))
    return EncodedCommand(msgspec.json.encode(kept), kept.text, token=kept.reference)


def without_password(text: str, access: DeviceAccess) -> str:
    """Return the text of an SMS without the tracker's password."""
    try:
        password = password_of(access) or FACTORY_PASSWORDS.get(access.protocol, "")
    except InvalidCommand:
        # Nothing was made with one that no key opens.
        return text
    return text.replace(password, "…") if password else text


def send(access: DeviceAccess, message: Message) -> None:
    """Ask the provider to send it. Raises NothingWritten; OSError where nobody knows whether it was sent."""
    phone = access.phone_number
    provider, values = settings.SMS, {"phone": phone, **msgspec.to_builtins(message)}
    url = filled(provider["URL"], values, lambda value: quote(value, safe=""))
    body, content_type = _body(provider["BODY"], values)
    headers = {**({"Content-Type": content_type} if content_type else {}), **provider["HEADERS"]}
    judge(ask(provider["METHOD"].upper(), url, body, headers), access)


def judge(answer: Answer, access: DeviceAccess) -> None:
    """Return where the provider took the message. Raises as `send`, in its words without number and password."""
    text = answer.body.decode("utf-8", "replace")
    number = redacted_number(access.phone_number)
    shown = text.replace(access.phone_number, number).replace(access.phone_number.lstrip("+"), number)
    words = excerpt(replace(answer, body=without_password(shown, access).encode()))
    if answer.status in _REFUSALS:
        raise NothingWritten(_("The SMS provider refused it: %(answer)s") % {"answer": words})
    if not 200 <= answer.status < 300:
        raise OSError(words)
    if (wanted := settings.SMS["ACCEPTED"]) and wanted not in text:
        # In the part that did not come it may say that it took it.
        if not answer.is_whole:
            raise OSError(words)
        raise NothingWritten(_("The SMS provider refused it: %(answer)s") % {"answer": words})


def filled(template: str, values: Mapping[str, Any], escaped: Callable[[str], str]) -> str:
    """Return a template with these values, escaped for where they stand. Other braces stay as they are."""
    return _PLACEHOLDER.sub(lambda found: escaped(str(values[found[1]])), template)


def _body(template: str, values: Mapping[str, Any]) -> tuple[bytes | None, str]:
    """Return the body and its media type: JSON, XML or a form, by the template's first character."""
    if not template:
        return None, ""
    if template.lstrip()[:1] in ("{", "["):
        return filled(template, values, lambda value: json.dumps(value)[1:-1]).encode(), "application/json"
    if template.lstrip()[:1] == "<":
        return filled(template, values, lambda value: escape(value, {'"': "&quot;"})).encode(), "application/xml"
    return filled(template, values, quote_plus).encode(), "application/x-www-form-urlencoded"


def has_validity() -> bool:
    """Whether the provider hears how long a message holds."""
    return "{validity_seconds}" in settings.SMS["URL"] + settings.SMS["BODY"]


def password_of(access: DeviceAccess) -> str:
    """Return the tracker's password: the device's own, else that of its protocol, "" for the factory's.

    Raises InvalidCommand where it cannot be decrypted.
    """
    passwords: dict[str, Any] = settings.SMS["PASSWORDS"]
    return own_password(access) or str(passwords.get(access.protocol, ""))


def redacted_number(phone: str) -> str:
    """Return a phone number as lists show it: country and last digits."""
    return f"{phone[:3]}…{phone[-3:]}" if len(phone) > 8 else "…"
