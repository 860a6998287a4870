"""GT06, the protocol of Concox and Jimi and of many clones.

Answered are logins, states, positions and alarms, with the serial received; a question for the time with the time. Only some
models repeat a position without its answer.
Commands bear a server flag that answers repeat. Relay, battery and signal come in states only: the next fix carries them.

Clocks show UTC, but that of the zone which the device's settings or else the login state.

The engine is stopped by `Relay,1#` and let run by `Relay,0#`, as newer models of Concox and Jimi take it. Where an answer of
this connection named DYD or HFYD, the words of older ones, it is `DYD#` and `HFYD#`. Most models refuse to stop an engine
without a fix or above 20 km/h, some keep the stop and do it when slower; their answers say so in words.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from struct import Struct
from struct import error as struct_error
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Decoded,
    EncodedCommand,
    InvalidCommand,
    OutgoingCommand,
    RelayVariant,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.command_texts import Texts, answer_success, command_text, host_of
from tasks_app.ingest.trackers.command_types import RELAY
from tasks_app.ingest.trackers.gt06_frames import cut, frame_length, framed, has_right_checksum
from tasks_app.ingest.trackers.messages import (
    epoch_seconds,
    fix_message,
    forget_status,
    joined_alarms,
    keep_status,
    required_device_id,
    status_message,
    unreadable,
    with_status,
)

# A frame of the short kind has a length of one byte.
MAX_COMMAND_LENGTH = 200
MAX_INTERVAL_SECONDS = 18_000
# No clock on earth is further ahead of UTC.
MAX_ZONE_MINUTES = 14 * 60
FACTORY_PASSWORD = "000000"  # noqa: S105 - printed in the manual

_RELAY = RelayVariant("relay", "Relay,1# / Relay,0#")
_DYD = RelayVariant("dyd", "DYD# / HFYD#")
_DYD_PASSWORD = RelayVariant("dyd_password", "DYD,000000# / HFYD,000000#")

_LOGIN, _STATUS, _HEARTBEAT, _TIME, _INFORMATION = 0x01, 0x13, 0x23, 0x8A, 0x94
_REPLY, _LONG_REPLY, _COMMAND = 0x15, 0x21, 0x80
_POSITIONS = frozenset({0x10, 0x11, 0x12, 0x22, 0x31, 0x32, 0xA0})
_ALARM_POSITIONS = frozenset({0x16, 0x26, 0x27})
_ANSWERED = _POSITIONS | _ALARM_POSITIONS | {_STATUS, _HEARTBEAT}
# Cells behind the place: MCC, MNC, LAC and cell, of 4G with longer numbers.
_CELL_BYTES = {0x22: 8, 0xA0: 16}

# Date and time, satellites, latitude and longitude in 1/1 800 000 degrees, speed, course and flags.
_PLACE = Struct(">6BBIIBH")
_UNITS_PER_DEGREE = 1_800_000

_ALARMS = {
    **{
        0x01: "sos",
        0x02: "powerCut",
        0x03: "vibration",
        0x04: "geofenceEnter",
        0x05: "geofenceExit",
        0x06: "overspeed",
    },
    **{0x09: "vibration", 0x0E: "lowBattery", 0x0F: "lowBattery", 0x19: "lowBattery", 0x11: "powerOff"},
    **{0x13: "tampering", 0x25: "tampering", 0x14: "door", 0x18: "removing"},
    **{0x26: "hardAcceleration", 0x27: "hardBraking", 0x30: "hardBraking"},
    **{0x2A: "hardCornering", 0x2B: "hardCornering", 0x2C: "accident"},
}
_STATE_ALARMS = {1: "vibration", 2: "powerCut", 3: "lowBattery", 4: "sos"}


# --- Decoding ---------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    """A login, state, position, alarm or answer, with its acknowledgement. Raises BadFrame."""
    if len(frame) < 10 or frame_length(frame, 0) != len(frame):
        raise BadFrame("wrong_length", f"{len(frame)} bytes are no frame of the length it states.")
    if not has_right_checksum(frame, 0, len(frame)):
        raise BadFrame("wrong_checksum", "The checksum is not that of the content.")
    at = 3 if frame[0] == 0x78 else 4
    kind, content, serial = frame[at], frame[at + 1 : -6], frame[-6:-4]
    if kind == _LOGIN:
        return _decode_login(content, session, serial)
    device_id = required_device_id(session)
    try:
        return _decode_content(kind, content, serial, session, now)
    except (struct_error, IndexError) as error:
        reply = framed(kind, b"", serial) if kind in _ANSWERED else b""
        return unreadable(_too_short(kind, error), device_id, reply=reply)


def _too_short(kind: int, error: Exception) -> BadFrame:
    return BadFrame("wrong_length", f"The content of type {kind:02X} is too short: {error}.")


def _decode_login(content: bytes, session: TrackerSession, serial: bytes) -> Decoded:
    digits = content[:8].hex()
    if len(digits) != 16 or not digits.isdigit():
        raise BadFrame("no_identifier", "The login states no IMEI.")
    if len(content) >= 12:
        zone = int.from_bytes(content[10:12], "big")
        hours, minutes = divmod(zone >> 4, 100)
        # Clones fill these bytes with something else.
        is_zone = 60 * hours + minutes <= MAX_ZONE_MINUTES and minutes < 60
        session.memory["zone_minutes"] = (60 * hours + minutes) * (-1 if zone & 0x8 else 1) if is_zone else 0
    return Decoded("login", digits[1:], reply=framed(_LOGIN, b"", serial))


def _decode_content(kind: int, content: bytes, serial: bytes, session: TrackerSession, now: datetime) -> Decoded:
    if kind in _POSITIONS or kind in _ALARM_POSITIONS:
        return _decode_position(kind, content, serial, session, now)
    attributes: dict[str, Any] = {}
    reply, answer, name = b"", None, "other"
    if kind == _STATUS:
        attributes = {**_state(content[0], content[3:4]), **_level(content[1]), "rssi": content[2]}
        reply, name = framed(kind, b"", serial), "heartbeat"
    elif kind == _HEARTBEAT:
        attributes = {**_state(content[0]), "battery": int.from_bytes(content[1:3], "big") / 100, "rssi": content[3]}
        reply, name = framed(kind, b"", serial), "heartbeat"
    elif kind == _TIME:
        clock = (now.year % 100, now.month, now.day, now.hour, now.minute, now.second)
        reply = framed(kind, bytes(clock), serial)
    elif kind == _INFORMATION and content[:1] == b"\x00":
        attributes = {"power": (content[1] << 8 | content[2]) / 100}
    elif kind in (_REPLY, _LONG_REPLY):
        answer, name = _decode_answer(kind, content, session), "answer"
        # The relay as it is after the command comes with the next state.
        forget_status(session, RELAY)
    if attributes:
        keep_status(session, attributes, now)
    message = status_message(now=now, device_id=session.device_id, attributes=attributes)
    kind_name = "alarm" if message.unlocated else name
    return Decoded(kind_name, "", (message,), reply, answer=answer, is_relay_cut=attributes.get(RELAY))


def _decode_position(kind: int, content: bytes, serial: bytes, session: TrackerSession, now: datetime) -> Decoded:
    *clock, satellites, latitude, longitude, speed, flags = _PLACE.unpack_from(content)
    zone_minutes = session.memory.get("zone_minutes", 0) if session.zone_minutes is None else session.zone_minutes
    timestamp = epoch_seconds(2000 + clock[0], *clock[1:], zone_minutes=zone_minutes)
    attributes: dict[str, Any] = {"sat": satellites & 0x0F}
    if flags & 0x4000:
        attributes["ignition"] = bool(flags & 0x8000)
    fault = None
    if kind in _ALARM_POSITIONS:
        try:
            attributes |= _alarm_state(content)
            keep_status(session, attributes, now)
        except IndexError as error:
            # The place is read for all that.
            fault = _too_short(kind, error)
    elif kind in _CELL_BYTES:
        attributes |= _upload(content[_PLACE.size :], _CELL_BYTES[kind])
    if "archive" not in attributes:
        attributes = with_status(session, attributes, now, timestamp)
    message = fix_message(
        now=now,
        device_id=session.device_id,
        timestamp=timestamp,
        latitude=latitude / _UNITS_PER_DEGREE * (1 if flags & 0x0400 else -1),
        longitude=longitude / _UNITS_PER_DEGREE * (-1 if flags & 0x0800 else 1),
        speed_kph=float(speed),
        course_degrees=float(flags & 0x03FF),
        attributes=attributes,
        is_valid=bool(flags & 0x1000),
    )
    reply = framed(kind, b"", serial)
    if fault is not None:
        return unreadable(fault, session.device_id, reply=reply, readable=(message,))
    is_alarm = "alarm" in attributes
    is_relay_cut = attributes.get(RELAY) if message.content is None and kind in _ALARM_POSITIONS else None
    return Decoded("alarm" if is_alarm else "position", "", (message,), reply, is_relay_cut=is_relay_cut)


def _alarm_state(content: bytes) -> dict[str, Any]:
    """The state behind the place and the cell of an alarm. Raises IndexError."""
    # The length counts itself; it is 0 where no cell is known.
    state = content[_PLACE.size + max(1, content[_PLACE.size]) :]
    return {**_state(state[0], state[3:4]), **_level(state[1]), "rssi": state[2]}


def _state(information: int, alarm: bytes = b"") -> dict[str, Any]:
    """The attributes of the byte of states, with the alarm it has and that of the byte of alarms."""
    return {
        "armed": bool(information & 0x01),
        "ignition": bool(information & 0x02),
        "charge": bool(information & 0x04),
        RELAY: bool(information & 0x80),
        **joined_alarms((_ALARMS.get(alarm[0], "") if alarm else "", _STATE_ALARMS.get(information >> 3 & 0x07, ""))),
    }


def _level(voltage: int) -> dict[str, Any]:
    """The battery in percent of the six steps it is sent in."""
    return {"batteryLevel": round(100 * voltage / 6)} if voltage <= 6 else {}


def _upload(tail: bytes, cell_bytes: int) -> dict[str, Any]:
    """Ignition, whether the fix was kept, and the odometer, behind the cells."""
    if cell_bytes == 8 and tail[:1] > b"\x7f":
        cell_bytes = 9
    tail = tail[cell_bytes:]
    attributes: dict[str, Any] = {}
    if len(tail) >= 3:
        attributes["ignition"] = bool(tail[0])
        if tail[2]:
            attributes["archive"] = True
    if len(tail) >= 7:
        attributes["odometer"] = int.from_bytes(tail[3:7], "big")
    return attributes


# --- Commands ---------------------------------------------------------------------------------------------------------

_GOOD = re.compile(r"\b(?:success\w*|already|ok)\b", re.IGNORECASE)
_BAD = re.compile(
    r"\b(?:unvalued|fail\w*|error|invalid|unknown|wrong|denied|refuse\w*|speed limit|not (?:allowed|supported|fixed))\b",
    re.IGNORECASE,
)
_REPLY_HEAD, _LONG_REPLY_HEAD = Struct(">BI"), Struct(">IB")
_OLD_RELAY = re.compile(r"\b(?:DYD|HFYD)\b", re.IGNORECASE)


def _decode_answer(kind: int, content: bytes, session: TrackerSession) -> CommandAnswer:
    if kind == _REPLY:
        # Some clones state a length of 0 and fill up with zeros.
        count, flag = _REPLY_HEAD.unpack_from(content)
        data = content[5 : 1 + count] if 4 < count < len(content) else content[5:].partition(b"\x00")[0]
        text = data.decode("utf-8", "replace")
    else:
        flag, coding = _LONG_REPLY_HEAD.unpack_from(content)
        text = content[5:].decode("utf-16-be" if coding == 2 else "utf-8", "replace")
    text = text.strip("\x00\r\n ")
    if _OLD_RELAY.search(text):
        session.memory["relay"] = "DYD"
    is_success = answer_success(text, good=_GOOD, bad=_BAD)
    return CommandAnswer(text, token=str(flag) if flag else "", is_success=is_success)


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command as a text whose server flag, the number of the attempt, its answer repeats. Raises InvalidCommand."""
    text = command_text(command, session, _TEXTS, max_length=MAX_COMMAND_LENGTH)
    flag = command.number % 0xFFFF_FFFF or 0xFFFF_FFFF
    content = bytes([4 + len(text)]) + flag.to_bytes(4, "big") + text.encode("ascii")
    return EncodedCommand(framed(_COMMAND, content, b"\x00\x01"), text, token=str(flag))


def _relay(is_cut: bool, session: TrackerSession) -> str:
    """The words of the device's settings, else those that an answer of the connection named."""
    word = "DYD" if is_cut else "HFYD"
    if session.relay_variant == _DYD_PASSWORD.name:
        return f"{word},{session.password or FACTORY_PASSWORD}#"
    if session.relay_variant == _DYD.name or (not session.relay_variant and session.memory.get("relay") == "DYD"):
        return f"{word}#"
    return "Relay,1#" if is_cut else "Relay,0#"


def _interval(parameters: dict[str, Any], _session: TrackerSession) -> str:
    """The same interval with the ignition on and off."""
    seconds = parameters["interval_seconds"]
    if seconds > MAX_INTERVAL_SECONDS:
        raise InvalidCommand(
            _("These trackers take intervals of at most %(maximum)s seconds.") % {"maximum": MAX_INTERVAL_SECONDS},
            "interval_seconds",
        )
    return f"TIMER,{seconds},{seconds}#"


def _server(parameters: dict[str, Any], _session: TrackerSession) -> str:
    """A name has the kind 1, an address 0."""
    host = host_of(parameters)
    try:
        ipaddress.IPv4Address(host)
        kind = 0
    except ValueError:
        kind = 1
    return f"SERVER,{kind},{host},{parameters['port']},0#"


_TEXTS: Texts = {
    "position_request": lambda parameters, session: "WHERE#",
    "position_interval": _interval,
    "status_request": lambda parameters, session: "STATUS#",
    "version_request": lambda parameters, session: "VERSION#",
    "parameters_request": lambda parameters, session: "PARAM#",
    "engine_stop": lambda parameters, session: _relay(True, session),
    "engine_resume": lambda parameters, session: _relay(False, session),
    "reboot": lambda parameters, session: "RESET#",
    "factory_reset": lambda parameters, session: "FACTORY#",
    "set_server": _server,
    "custom": lambda parameters, session: parameters["text"],
}

PROTOCOL = TrackerProtocol(
    name="gt06",
    label="GT06 (Concox, Jimi)",
    port=5023,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(_TEXTS),
    relay_variants=(_RELAY, _DYD, _DYD_PASSWORD),
    has_udp=False,
)
