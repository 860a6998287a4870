"""Texts of commands as SMS: the tracker's own text in the form that its manual gives for SMS.

Questions are left out: a tracker answers them by SMS to the sender's number, which nobody reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand, TrackerSession
from tasks_app.ingest.trackers.command_texts import host_of, text_parameter
from tasks_app.ingest.trackers.registry import PROTOCOLS

# Of one message; trackers read no second part.
MAX_CHARACTERS = 160
QUESTIONS = frozenset({"position_request", "status_request", "version_request", "parameters_request"})
# Protocols whose trackers take by SMS the very text that they take over the network.
_SAME_TEXT = frozenset({"gt06", "suntech", "queclink", "h02"})
FACTORY_PASSWORDS = {"coban": "123456"}
_Parameters = dict[str, Any]


def sms_types(protocol: str) -> frozenset[str]:
    """Return the types of commands that trackers of this protocol take by SMS."""
    if protocol == "coban":
        return frozenset(_COBAN_TEXTS) | {"custom"}
    if protocol == "teltonika" or protocol in _SAME_TEXT:
        return PROTOCOLS[protocol].command_types - QUESTIONS if protocol in PROTOCOLS else frozenset()
    return frozenset()


def sms_text(protocol: str, command: OutgoingCommand, session: TrackerSession) -> str:
    """Return the text of a command; the session's password is "" for the one of the factory. Raises InvalidCommand."""
    if command.type not in sms_types(protocol):
        raise InvalidCommand(_("Trackers of this protocol do not take this command by SMS."))
    if protocol == "coban":
        text = _coban(command, session.password or FACTORY_PASSWORDS["coban"])
    else:
        encoded = PROTOCOLS[protocol].encode(command, session)
        text = teltonika_sms(encoded.text, session.password) if protocol == "teltonika" else encoded.text
    return checked_text(text, text_parameter(command.type))


def teltonika_sms(text: str, password: str) -> str:
    """Return the text behind login and password, or behind two spaces where the device has none."""
    return f"{password or ' '} {text}"


def checked_text(text: str, parameter: str = "") -> str:
    """Return the text. Raises InvalidCommand for one that does not fit into one message as every network carries it."""
    if len(text) > MAX_CHARACTERS or not text.isascii():
        raise InvalidCommand(_("An SMS to a tracker has at most 160 characters of ASCII."), parameter)
    return text


def _coban(command: OutgoingCommand, password: str) -> str:
    if command.type == "custom":
        return str(command.parameters["text"])
    return _COBAN_TEXTS[command.type](password, command.parameters)


def _coban_interval(seconds: int) -> str:
    """Three digits and a unit, the smallest in which the interval is no longer than asked for."""
    for unit, length_seconds in (("s", 1), ("m", 60), ("h", 3600)):
        if seconds // length_seconds <= 255:
            return f"{seconds // length_seconds:03}{unit}"
    raise InvalidCommand(_("The interval is too long for this tracker."), "interval_seconds")


_COBAN_TEXTS: dict[str, Callable[[str, _Parameters], str]] = {
    "engine_stop": lambda password, _: f"stop{password}",
    "engine_resume": lambda password, _: f"resume{password}",
    "arm": lambda password, _: f"arm{password}",
    "disarm": lambda password, _: f"disarm{password}",
    "reboot": lambda password, _: f"reset{password}",
    "position_interval": lambda password, given: f"fix{_coban_interval(given['interval_seconds'])}***n{password}",
    "overspeed_alarm": lambda password, given: f"speed{password} {given['speed_kph']:03}",
    "set_server": lambda password, given: f"adminip{password} {host_of(given)} {given['port']}",
}
