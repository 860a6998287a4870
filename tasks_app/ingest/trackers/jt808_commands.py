"""Commands of JT/T 808: the message, its body and a text of it for each type."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import InvalidCommand, OutgoingCommand, RelayVariant, TrackerSession
from tasks_app.ingest.trackers.command_texts import command_text, host_of

# Serial numbers have 16 bits; 0 is that of acknowledgements.
SERIAL_MODULUS = 0xFFFF
MAX_TEXT_LENGTH = 500

_SET_PARAMETERS, _ASK_PARAMETERS, _CONTROL, _ASK_PROPERTIES, _ASK_LOCATION, _SEND_TEXT = (
    *(0x8103, 0x8104, 0x8105, 0x8107, 0x8201, 0x8300),
)
_MAIN_SERVER, _TCP_PORT, _INTERVAL_SECONDS, _MAX_SPEED, _ODOMETER = 0x0013, 0x0018, 0x0029, 0x0055, 0x0080
_UPGRADE, _POWER_OFF, _RESET, _FACTORY, _OIL_OFF, _OIL_ON = 0x01, 0x03, 0x04, 0x05, 0xF0, 0xF1
# The words of other makers: cut off oil and electricity, restore them.
_CUT_OFF, _RESTORE = 0x64, 0x65
_HUABAO = RelayVariant("f0_f1", "8105 F0 / F1 (Huabao)")
_CUT_OFF_RESTORE = RelayVariant("64_65", "8105 64 / 65")
RELAY_VARIANTS = (_HUABAO, _CUT_OFF_RESTORE)
_URGENT = b"\x01"
_PARAMETER = Struct(">IB")

Encoded = tuple[int, bytes, str]
Encoder = Callable[[OutgoingCommand, TrackerSession], Encoded]


def _ask(message: int, text: str) -> Encoder:
    return lambda command, session: (message, b"", text)


def _control(word: int) -> Encoder:
    return lambda command, session: (_CONTROL, bytes([word]), f"{_CONTROL:04X} {word:02X}")


def _relay(huabao: int, other: int) -> Encoder:
    """The word of the device's settings, Huabao's unless they say otherwise."""

    def encode(command: OutgoingCommand, session: TrackerSession) -> Encoded:
        word = other if session.relay_variant == _CUT_OFF_RESTORE.name else huabao
        return _control(word)(command, session)

    return encode


def _parameters(*pairs: tuple[int, bytes]) -> Encoded:
    body = bytes([len(pairs)]) + b"".join(_PARAMETER.pack(name, len(value)) + value for name, value in pairs)
    return _SET_PARAMETERS, body, f"{_SET_PARAMETERS:04X} {parameter_text(body[1:])}"


def _number(parameter: int, name: str, divisor: int = 1) -> Encoder:
    """Set a parameter of four bytes to a number of the command."""

    def encode(command: OutgoingCommand, session: TrackerSession) -> Encoded:
        value: int = command.parameters[name] // divisor
        return _parameters((parameter, value.to_bytes(4, "big")))

    return encode


def _set_server(command: OutgoingCommand, session: TrackerSession) -> Encoded:
    port: int = command.parameters["port"]
    host = host_of(command.parameters).encode("ascii")
    return _parameters((_MAIN_SERVER, host), (_TCP_PORT, port.to_bytes(4, "big")))


def _firmware(command: OutgoingCommand, session: TrackerSession) -> Encoded:
    """An update by wireless from an address; its ten other parts (access point, versions, time) stay empty."""
    texts = {"firmware": lambda parameters, _session: str(parameters["url"])}
    url = command_text(command, session, texts, max_length=MAX_TEXT_LENGTH)
    if ";" in url:
        raise InvalidCommand(_("The address must have no semicolon."), "url")
    body = bytes([_UPGRADE]) + url.encode("ascii") + b";" * 10
    return _CONTROL, body, f"{_CONTROL:04X} {_UPGRADE:02X} {url}"


def _text(command: OutgoingCommand, session: TrackerSession) -> Encoded:
    texts = {"custom": lambda parameters, _session: str(parameters["text"])}
    text = command_text(command, session, texts, max_length=MAX_TEXT_LENGTH)
    return _SEND_TEXT, _URGENT + text.encode("ascii"), text


def parameter_text(data: bytes) -> str:
    """Parameters as a text: id=value, of four bytes or less a number; one that is cut off ends them."""
    found: list[str] = []
    at = 0
    while at + _PARAMETER.size <= len(data):
        name, length = _PARAMETER.unpack_from(data, at)
        at += _PARAMETER.size + length
        value = data[at - length : at]
        if len(value) == length:
            found.append(f"{name:04X}={_value_text(value)}")
    return " ".join(found)


def _value_text(value: bytes) -> Any:
    if len(value) <= 4:
        return int.from_bytes(value, "big")
    text = value.decode("gb18030", "replace").strip("\x00")
    return text if text.isprintable() else value.hex()


ENCODERS: dict[str, Encoder] = {
    "position_request": _ask(_ASK_LOCATION, "8201"),
    "position_interval": _number(_INTERVAL_SECONDS, "interval_seconds"),
    "parameters_request": _ask(_ASK_PARAMETERS, "8104"),
    "version_request": _ask(_ASK_PROPERTIES, "8107"),
    "engine_stop": _relay(_OIL_OFF, _CUT_OFF),
    "engine_resume": _relay(_OIL_ON, _RESTORE),
    "reboot": _control(_RESET),
    "power_off": _control(_POWER_OFF),
    "factory_reset": _control(_FACTORY),
    "overspeed_alarm": _number(_MAX_SPEED, "speed_kph"),
    "set_odometer": _number(_ODOMETER, "odometer_meters", divisor=100),
    "firmware": _firmware,
    "set_server": _set_server,
    "custom": _text,
}
