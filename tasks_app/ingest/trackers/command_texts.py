"""Commands and answers that are texts: one function for each type that a protocol can express."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.command_types import COMMAND_TYPES

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")

Texts = Mapping[str, Callable[[dict[str, Any], TrackerSession], str]]


def command_text(command: OutgoingCommand, session: TrackerSession, texts: Texts, *, max_length: int) -> str:
    """The text of a command by the function of its type: printable ASCII. Raises InvalidCommand."""
    if command.type not in texts:
        raise InvalidCommand(_("This protocol has no such command."))
    text = texts[command.type](command.parameters, session)
    if not text.strip() or not text.isascii() or not text.isprintable():
        raise InvalidCommand(
            _("This protocol takes letters, digits and signs of ASCII only."), text_parameter(command.type)
        )
    if len(text) > max_length:
        raise InvalidCommand(
            _("This protocol takes commands of at most %(maximum)s characters.") % {"maximum": max_length},
            text_parameter(command.type),
        )
    return text


def text_parameter(type_name: str) -> str:
    """The parameter of a type that is a text, "" where it has none."""
    return next((one.name for one in COMMAND_TYPES[type_name].parameters if one.kind == "text"), "")


def host_of(parameters: dict[str, Any]) -> str:
    """The host of a command, without the signs that separate the parts of one. Raises InvalidCommand."""
    host: str = parameters["host"]
    if not _HOST.fullmatch(host):
        raise InvalidCommand(_("The host must be a name or an IPv4 address."), "host")
    return host


def answer_success(text: str, *, good: re.Pattern[str], bad: re.Pattern[str]) -> bool | None:
    """Whether a tracker's words say that it did as asked, None where they say neither. A bad word outweighs good ones."""
    if bad.search(text):
        return False
    return True if good.search(text) else None
