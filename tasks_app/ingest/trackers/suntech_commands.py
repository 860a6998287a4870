"""Commands to a Suntech: `ST300CMD;id;02;Enable1` with the prefix of its model, `CMD;id;04;01` of the universal protocol."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import EncodedCommand, InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.command_texts import Texts, command_text
from tasks_app.ingest.trackers.text_fields import field_at

# What commands begin with, of the model that was heard; "" is the universal protocol.
PREFIX = "suntech_prefix"
DEFAULT_PREFIX = "ST300"
MAX_COMMAND_LENGTH = 500

_HEAD = re.compile(r"S[AT][0-9]{3}[A-Z]{3}")

# Names of the ST300 family, and group and number of the universal protocol.
_COMMANDS = {
    "position_request": ("StatusReq", "03;01"),
    "status_request": ("StatusReq", "03;01"),
    "parameters_request": ("Preset", ""),
    "engine_stop": ("Enable1", "04;01"),
    "engine_resume": ("Disable1", "04;02"),
    "reboot": ("Reboot", "03;03"),
    "acknowledge_emergency": ("AckEmerg", ""),
    "factory_reset": ("Reset", ""),
}
_OUTPUTS = {
    (1, True): ("Enable1", "04;01"),
    (1, False): ("Disable1", "04;02"),
    (2, True): ("Enable2", "04;03"),
    (2, False): ("Disable2", "04;04"),
    (3, True): ("", "04;09"),
    (3, False): ("", "04;10"),
}


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command with the prefix the tracker uses; the echo of its name is all that its answer has of it."""
    text = command_text(command, session, TEXTS, max_length=MAX_COMMAND_LENGTH)
    parts = text.split(";")
    # ST300CMD;id;02;name, and CMD;id;group;number of the universal protocol.
    name = field_at(parts, 3) if _HEAD.fullmatch(parts[0]) else ";".join(parts[2:4])
    return EncodedCommand(f"{text}\r".encode("ascii"), text, name=name)


def _command(names: tuple[str, str], session: TrackerSession, parameter: str = "") -> str:
    prefix = session.memory.get(PREFIX, DEFAULT_PREFIX)
    name = names[0] if prefix else names[1]
    if not name:
        raise InvalidCommand(_("This model has no such command."), parameter)
    return f"{prefix}CMD;{session.device_id};02;{name}" if prefix else f"CMD;{session.device_id};{name}"


def _named(names: tuple[str, str]) -> Callable[[dict[str, Any], TrackerSession], str]:
    return lambda _parameters, session: _command(names, session)


def _output(parameters: dict[str, Any], session: TrackerSession) -> str:
    return _command(_OUTPUTS.get((parameters["output"], parameters["is_on"]), ("", "")), session, "output")


TEXTS: Texts = {
    **{kind: _named(names) for kind, names in _COMMANDS.items()},
    "output": _output,
    "custom": lambda parameters, _session: str(parameters["text"]),
}
