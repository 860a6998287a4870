"""JT/T 808 of 2013 and 2019 (Huabao, Jimi JC and VL, dash cameras).

    7E, header, body, XOR of both, 7E; within, 7E is 7D 02 and 7D is 7D 01
    header  u16 message, u16 attributes (bits 0 to 9 length, 10 to 12 encryption, 13 part of a message, 14 of 2019),
            2019: u8 version, 6 bytes BCD phone number (2019: 10), u16 serial, of parts u16 total and u16 index

Each frame names its tracker. Answered are registration (8100, with the identifier as the code) and all else by 8001, messages
unknown here as unsupported. Answers to commands repeat our serial number. Messages in parts are put together;
parts of locations are answered when all are there, or one by one to a tracker that waits for that: it sends one again.

Clocks show China's time unless the device's settings say otherwise: many exported ones send UTC. The engine is stopped by F0
and let run by F1 of the terminal control, Huabao's words, or by 64 and 65 as other makers have it; the standard has none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from django.utils.translation import gettext as _

from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Cut,
    Decoded,
    EncodedCommand,
    InvalidCommand,
    OutgoingCommand,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.checksums import xor
from tasks_app.ingest.trackers.command_texts import answer_success
from tasks_app.ingest.trackers.jt808_commands import ENCODERS, RELAY_VARIANTS, SERIAL_MODULUS, parameter_text
from tasks_app.ingest.trackers.jt808_locations import is_relay_cut_in, locations
from tasks_app.ingest.trackers.jt808_parts import (
    MAX_PARTS,
    Parts,
    held_parts,
    parts_of,
    request_for_missing,
)
from tasks_app.ingest.trackers.messages import kind_of, status_message, unreadable

# A body has at most 1023 bytes, each of which may be escaped; there may be none between header and checksum.
MIN_CONTENT_BYTES, MAX_CONTENT_BYTES = 13, 2200

_ANSWER, _HEARTBEAT, _LOGOUT, _REGISTER, _AUTHENTICATE = 0x0001, 0x0002, 0x0003, 0x0100, 0x0102
_PARAMETERS, _PROPERTIES, _LOCATION, _ASKED_LOCATION, _TEXT, _BATCH = 0x0104, 0x0107, 0x0200, 0x0201, 0x0701, 0x0704
_SERVER_ANSWER, _MISSING, _REGISTERED = 0x8001, 0x8003, 0x8100
_LOCATIONS = frozenset({_LOCATION, _BATCH})
_IN_PARTS = _LOCATIONS | {_ANSWER, _ASKED_LOCATION, _PARAMETERS, _PROPERTIES, _TEXT}
_OK, _FAILED, _UNSUPPORTED, _NO_SUCH_TERMINAL = 0, 1, 3, 4

# The end of a frame may be the start of the next one.
_FRAME = re.compile(rb"\x7e[^\x7e]{%d,%d}(?=\x7e)" % (MIN_CONTENT_BYTES, MAX_CONTENT_BYTES))
_RESULTS = ("ok", "failed", "wrong message", "unsupported")


class _Header(NamedTuple):
    message: int
    is_2019: bool
    phone: bytes
    serial: int
    # Of parts.
    total: int = 0
    part: int = 0


# --- Frames -----------------------------------------------------------------------------------------------------------


def cut(data: bytes, session: TrackerSession) -> Cut:
    """Cut frames, each with its 7E before it and without the one behind it. Others than frames are skipped.

    The last 7E stays where more may come: it is the end of a frame, and may be the start of the next one.
    """
    frames: list[bytes] = []
    end = 0
    for found in _FRAME.finditer(data):
        frames.append(found[0])
        end = found.end()
    last = data.rfind(b"\x7e", end)
    used = len(data)
    if last >= 0 and len(data) - last <= MAX_CONTENT_BYTES:
        used = last + 1 if session.transport == "udp" and frames and last == end == len(data) - 1 else last
    marks = data.count(b"\x7e", 0, used)
    return Cut(frames, used, max(0, used - marks - sum(map(len, frames)) + len(frames)))


def _framed(message: int, body: bytes, header: _Header, serial: int = 0) -> bytes:
    attributes = len(body) | (0x4000 if header.is_2019 else 0)
    version = b"\x01" if header.is_2019 else b""
    content = Struct(">HH").pack(message, attributes) + version + header.phone + serial.to_bytes(2, "big") + body
    content += bytes([xor(content)])
    return b"\x7e" + content.replace(b"\x7d", b"\x7d\x01").replace(b"\x7e", b"\x7d\x02") + b"\x7e"


# --- Decoding ---------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    """A registration, heartbeat, location or answer, with its acknowledgement. Raises BadFrame."""
    content = _unescaped(frame)
    if not content or xor(content) != 0:
        raise BadFrame("wrong_checksum", "The checksum is not that of the content.")
    try:
        header, body, is_part = _read_header(content)
    except struct_error as error:
        raise BadFrame("wrong_length", f"The content is too short: {error}.") from error
    device_id = _device_id(header.phone)
    session.memory["header"] = header
    if is_part:
        return _decode_part(frame, header, device_id, session, now)
    return _decode_message(header, body, device_id, session, now)


def _unescaped(frame: bytes) -> bytes:
    return frame.strip(b"\x7e").replace(b"\x7d\x02", b"\x7e").replace(b"\x7d\x01", b"\x7d")


def _decode_part(frame: bytes, header: _Header, device_id: str, session: TrackerSession, now: datetime) -> Decoded:
    """A part: the whole message where no other is missing, else a sign of life."""
    life = _life(device_id, now)
    if header.message not in _IN_PARTS or header.total > MAX_PARTS:
        return _acknowledged("other", header, device_id, life, _UNSUPPORTED)
    if not 1 <= header.part <= header.total:
        fault = BadFrame("wrong_part", f"There is no part {header.part} of {header.total}.")
        return unreadable(fault, device_id, stated=device_id, reply=_general_answer(header, _OK))
    parts = parts_of(
        session, message=header.message, total=header.total, index=header.part, serial=header.serial, now=now
    )
    is_repeated = parts.hold(header.part, frame)
    if not parts.missing:
        return _decode_whole(parts, header, device_id, session, now)
    reply = _general_answer(header, _OK) if is_repeated or header.message not in _LOCATIONS else b""
    if header.part == header.total:
        reply += _request_for_missing(parts, header)
    return Decoded("other", device_id, life, reply)


def _decode_whole(parts: Parts, header: _Header, device_id: str, session: TrackerSession, now: datetime) -> Decoded:
    """The message of all parts. They stay, for as long as it may have to be decoded again."""
    read = [_read_header(_unescaped(frame)) for frame in parts.in_order()]
    found = _decode_message(header, b"".join(body for _, body, _ in read), device_id, session, now)
    answered = [one for one, _, _ in read] if header.message in _LOCATIONS else [header]
    return replace(found, reply=b"".join(_general_answer(one, _OK) for one in answered))


def _request_for_missing(parts: Parts | None, header: _Header) -> bytes:
    body = request_for_missing(parts, is_2019=header.is_2019)
    return _framed(_MISSING, body, header) if body else b""


def _read_header(content: bytes) -> tuple[_Header, bytes, bool]:
    message, attributes = Struct(">HH").unpack_from(content)
    is_2019, is_part = bool(attributes & 0x4000), bool(attributes & 0x2000)
    phone_at, phone_bytes = (5, 10) if is_2019 else (4, 6)
    serial_at = phone_at + phone_bytes
    begin = serial_at + 2 + (4 if is_part else 0)
    body = content[begin:-1]
    if len(body) != attributes & 0x03FF or begin >= len(content):
        raise BadFrame("wrong_length", f"The body has {len(body)} bytes, not {attributes & 0x03FF}.")
    if attributes & 0x1C00:
        raise BadFrame("encrypted", "Encrypted messages cannot be read.")
    serial = int.from_bytes(content[serial_at : serial_at + 2], "big")
    total, index = Struct(">HH").unpack_from(content, serial_at + 2) if is_part else (0, 0)
    return _Header(message, is_2019, content[phone_at:serial_at], serial, total, index), body, is_part


def _device_id(phone: bytes) -> str:
    """The digits; six bytes that are no digits are an IMEI as a number, without its last digit."""
    digits = phone.hex()
    if digits.isdigit():
        return digits
    if len(phone) != 6:
        raise BadFrame("no_identifier", "The phone number has other signs than digits.")
    number = str(int.from_bytes(phone, "big")).zfill(14)
    return number + str(_luhn_digit(number))


def _luhn_digit(digits: str) -> int:
    values = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    return -sum(value // 10 + value % 10 for value in values) % 10


def _life(device_id: str, now: datetime) -> tuple[DeviceMessage, ...]:
    return (status_message(now=now, device_id=device_id),)


def _acknowledged(
    kind: str,
    header: _Header,
    device_id: str,
    messages: tuple[DeviceMessage, ...],
    result: int = _OK,
    *,
    is_relay_cut: bool | None = None,
) -> Decoded:
    """The reply is the general answer; others than logins are not refused, but left without an answer."""
    refusal = _general_answer(header, _FAILED) if kind == "login" else b""
    reply = _general_answer(header, result)
    return Decoded(kind, device_id, messages, reply, refusal, is_relay_cut=is_relay_cut)


def _general_answer(header: _Header, result: int) -> bytes:
    return _framed(_SERVER_ANSWER, Struct(">HHB").pack(header.serial, header.message, result), header)


def _decode_message(header: _Header, body: bytes, device_id: str, session: TrackerSession, now: datetime) -> Decoded:
    message = header.message
    if message == _REGISTER:
        serial = header.serial.to_bytes(2, "big")
        accepted = _framed(_REGISTERED, serial + bytes([_OK]) + device_id.encode("ascii"), header)
        refused = _framed(_REGISTERED, serial + bytes([_NO_SUCH_TERMINAL]), header)
        return Decoded("login", device_id, reply=accepted, refusal=refused)
    if message in _LOCATIONS:
        found, fault = locations(body, device_id, session, now, is_batch=message == _BATCH)
        messages = tuple(found)
        if fault is not None:
            reply = _general_answer(header, _OK)
            return unreadable(fault, device_id, stated=device_id, reply=reply, readable=messages)
        is_state = message == _LOCATION and messages[0].content is None
        is_relay_cut = is_relay_cut_in(body) if is_state else None
        return _acknowledged(kind_of(messages), header, device_id, messages, is_relay_cut=is_relay_cut)
    if message in (_AUTHENTICATE, _HEARTBEAT, _LOGOUT):
        kind = "login" if message == _AUTHENTICATE else "heartbeat"
        beat = _acknowledged(kind, header, device_id, _life(device_id, now))
        missing = _request_for_missing(held_parts(session), header) if message == _HEARTBEAT else b""
        return replace(beat, reply=beat.reply + missing)
    if message in (_ANSWER, _ASKED_LOCATION, _PARAMETERS, _PROPERTIES, _TEXT):
        reply = _general_answer(header, _OK) if message == _TEXT else b""
        return _decode_answer(message, body, device_id, session, now, reply)
    return _acknowledged("other", header, device_id, _life(device_id, now), _UNSUPPORTED)


# --- Commands ---------------------------------------------------------------------------------------------------------

_GOOD = re.compile(r"\b(?:success\w*|already|ok)\b", re.IGNORECASE)
_BAD = re.compile(r"\b(?:fail\w*|error|invalid|unknown|wrong|denied|refuse\w*|unsupported)\b", re.IGNORECASE)


def _decode_answer(
    message: int, body: bytes, device_id: str, session: TrackerSession, now: datetime, reply: bytes
) -> Decoded:
    try:
        answer, fault = _answer(message, body), None
    except struct_error as error:
        answer, fault = None, BadFrame("wrong_length", f"The answer is too short: {error}.")
    messages: Sequence[DeviceMessage] = ()
    if message == _ASKED_LOCATION and fault is None:
        messages, fault = locations(body[2:], device_id, session, now)
    if fault is not None:
        # It may answer a command for all that.
        return replace(unreadable(fault, device_id, stated=device_id, reply=reply, readable=messages), answer=answer)
    return Decoded("answer", device_id, tuple(messages) or _life(device_id, now), reply, answer=answer)


def _answer(message: int, body: bytes) -> CommandAnswer:
    """The answer, by our serial number where it repeats one, else by the message that asked for it."""
    if message == _TEXT:
        (length,) = Struct(">I").unpack_from(body)
        text = _words(body[4 : 4 + length])
        return CommandAnswer(text, name="8300", is_success=answer_success(text, good=_GOOD, bad=_BAD))
    if message == _PROPERTIES:
        return CommandAnswer(_words(body), name="8107", is_success=True)
    (serial,) = Struct(">H").unpack_from(body)
    token = str(serial) if serial else ""
    if message == _ASKED_LOCATION:
        return CommandAnswer("position", token=token, name="8201", is_success=True)
    if message == _PARAMETERS:
        return CommandAnswer(parameter_text(body[3:]), token=token, name="8104", is_success=True)
    asked, result = Struct(">HB").unpack_from(body, 2)
    text = _RESULTS[result] if result < len(_RESULTS) else f"result {result}"
    return CommandAnswer(text, token=token, name=f"{asked:04X}", is_success=result == _OK)


def _words(data: bytes) -> str:
    """The text of bytes in GBK, letters and signs only."""
    text = data.decode("gb18030", "replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command by the number of the attempt as our serial number, which its answer repeats. Raises InvalidCommand."""
    if command.type not in ENCODERS:
        raise InvalidCommand(_("This protocol has no such command."))
    message, body, text = ENCODERS[command.type](command, session)
    header = session.memory.get("header") or _header_of(session.device_id)
    serial = command.number % SERIAL_MODULUS or SERIAL_MODULUS
    return EncodedCommand(_framed(message, body, header, serial), text, token=str(serial), name=f"{message:04X}")


def _header_of(device_id: str) -> _Header:
    """The header for a tracker that has not been heard since its connection began."""
    if not device_id.isascii() or not device_id.isdigit() or len(device_id) > 20:
        raise InvalidCommand(_("The identifier must be the number in the tracker's messages."))
    if len(device_id) == 15:
        return _Header(0, False, int(device_id[:-1]).to_bytes(6, "big"), 0)
    is_2019 = len(device_id) > 12
    return _Header(0, is_2019, bytes.fromhex(device_id.zfill(20 if is_2019 else 12)), 0)


PROTOCOL = TrackerProtocol(
    name="jt808",
    label="JT/T 808",
    port=5015,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(ENCODERS),
    relay_variants=RELAY_VARIANTS,
    # A tracker's header is that of its messages, whatever its identifier.
    memories=({"header": _Header(0, False, bytes(6), 0)},),
)
