"""H02, as Sinotrack's trackers and many clones speak it: text between * and #, or binary frames of the same.

    *HQ,4210051415,V1,164549,A,0956.3869,N,08406.7068,W,000.00,000,221215,FFFFFBFF,712,01,0,0,6#

Times are UTC, speeds knots. Bits of the status are active where they are 0, but that of the ignition. Binary frames have 32
bytes, some models add 10 or 13 more, which say nothing that is used here and are dropped. A command is known again by its
name and its time of day, so that two of a kind need different seconds.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Cut,
    Decoded,
    EncodedCommand,
    FrameTooLong,
    InvalidCommand,
    OutgoingCommand,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.command_texts import Texts, answer_success, command_text
from tasks_app.ingest.trackers.messages import (
    fix_message,
    joined_alarms,
    keep_status,
    kind_of,
    relay_without_place,
    required_device_id,
    status_message,
    unreadable,
    with_status,
)
from tasks_app.ingest.trackers.text_fields import (
    clock_of,
    degrees,
    field_at,
    hexadecimal,
    iso_utc,
    knots_to_kph,
    number_or_text,
    present,
    text_of,
    whole,
)

MAX_FRAME_BYTES = 1024
MAX_COMMAND_LENGTH = 300
BINARY_BYTES = 32
# Bytes that some models add to a binary frame: with an identifier of ten digits, and of fifteen.
ADDED_BYTES, ADDED_BYTES_LONG_ID = 13, 10
# What the session keeps: the maker's letters, and of the stream how many bytes the last binary frame may add, and how many of
# them are to come.
MAKER, ADDED, MISSING = "h02_maker", "h02_added", "h02_missing"
DEFAULT_MAKER = "HQ"

_DEVICE_ID = re.compile(r"[0-9]{5,15}")
_SIX_DIGITS = re.compile(r"[0-9]{6}")
_STATUS = re.compile(r"[0-9A-Fa-f]{8}")
_MAKER = re.compile(r"[A-Za-z0-9]{2}")
_CLOCK_AND_DAY = re.compile(
    r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9](?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])[0-9]{2}"
)
_TEXT, _BINARY = b"*$"
_MARKS, _LINE_ENDS = b"*$X", b"\r\n"
# The beginning of a text, and of a binary frame up to its date, which the other one has not by chance.
_TEXT_HEAD = re.compile(rb"\*[A-Z]{2},[0-9]{5}")
_BCD = rb"[\x00-\x09\x10-\x19\x20-\x29\x30-\x39\x40-\x49\x50-\x59\x60-\x69\x70-\x79\x80-\x89\x90-\x99]"
_SIXTIETHS = rb"[\x00-\x09\x10-\x19\x20-\x29\x30-\x39\x40-\x49\x50-\x59]"
_BINARY_HEAD = re.compile(
    rb"\$(?:" + _BCD + rb"{5}|" + _BCD + rb"{7}[\x00-\x9f])[\x00-\x09\x10-\x19\x20-\x23]" + _SIXTIETHS + rb"{2}"
    rb"[\x01-\x09\x10-\x19\x20-\x29\x30-\x31][\x01-\x09\x10-\x12]"
)
_HEAD_BYTES = 14
# After garbage an X is no heartbeat: it may stand in any text.
_START = re.compile(rb"[*$]")
_ANSWERED = frozenset({"V1", "NBR"})
_HEARTBEATS = frozenset({"HTBT", "V0"})
_PLACES = frozenset({"V1", "V2", "V5", "V6", "V8", "VI1", "V19", "VP1"})
_NORTH_SOUTH, _EAST_WEST = frozenset("NS"), frozenset("EW")

_IGNITION, _RELAY = 1 << 10, 1 << 27
_ALARMS = ((1 << 0, "vibration"), (1 << 1 | 1 << 18, "sos"), (1 << 2, "overspeed"), (1 << 19, "powerCut"))
# The level of the battery of binary frames: six steps, or percent.
_BATTERY_STEPS = {1: 0, 2: 10, 3: 20, 4: 60, 5: 80, 6: 100}
_GOOD, _BAD = re.compile(r"\b(DONE|OK)\b"), re.compile(r"\b(ERROR|FAIL)\b")


# --- Frames -----------------------------------------------------------------------------------------------------------


def cut(buffer: bytes, session: TrackerSession) -> Cut:
    """Frames by their first byte. What follows a binary frame and begins no other are the bytes that some models add."""
    is_datagram = session.transport == "udp"
    if is_datagram:
        _forget_added(session)
    frames: list[bytes] = []
    used = skipped = 0
    while used < len(buffer):
        begin = _after_added(buffer, used, session)
        if begin == len(buffer):
            used = begin
            break
        found = _START.search(buffer, begin) if buffer[begin] not in _MARKS else None
        start = begin if buffer[begin] in _MARKS else found.start() if found else len(buffer)
        skipped += start - begin
        used, end = start, _end(buffer, start)
        if other := _other_within(buffer, start, end):
            skipped += other - used
            used = other
            continue
        if end < 0:
            break
        # A text that begins again within has lost its end.
        start = max(buffer.rfind(b"*", start, end), start) if buffer[start] == _TEXT else start
        skipped += start - used
        used = end
        if end - start > MAX_FRAME_BYTES:
            skipped += end - start
            continue
        frames.append(buffer[start:end])
        if buffer[start] == _BINARY:
            session.stream[ADDED] = ADDED_BYTES_LONG_ID if _has_long_id(frames[-1].hex()) else ADDED_BYTES
    if is_datagram:
        return Cut(frames, len(buffer), skipped + len(buffer) - used)
    if len(buffer) - used > MAX_FRAME_BYTES:
        raise FrameTooLong(f"No frame ends within {MAX_FRAME_BYTES} bytes.")
    return Cut(frames, used, skipped)


def _end(buffer: bytes, start: int) -> int:
    """The end of the frame that starts here, -1 where it has not come yet."""
    if start == len(buffer):
        return -1
    if buffer[start] == _TEXT:
        return buffer.find(b"#", start) + 1 or -1
    return start + BINARY_BYTES if start + BINARY_BYTES <= len(buffer) else -1


def _other_within(buffer: bytes, start: int, end: int) -> int:
    """The place where a text begins in a binary frame, or a binary one in a text: that has lost its end. 0 where none does."""
    head = {_TEXT: _BINARY_HEAD, _BINARY: _TEXT_HEAD}.get(buffer[start]) if start < len(buffer) else None
    found = head.search(buffer, start, end + _HEAD_BYTES if end >= 0 else len(buffer)) if head else None
    return found.start() if found and (end < 0 or found.start() < end) else 0


def _after_added(buffer: bytes, used: int, session: TrackerSession) -> int:
    """The place behind line ends and the bytes that belong to the binary frame before."""
    stream = session.stream
    while used < len(buffer):
        if missing := stream.get(MISSING, 0):
            taken = min(missing, len(buffer) - used)
            stream[MISSING] = missing - taken
            used += taken
        elif buffer[used] in _LINE_ENDS:
            used += 1
        else:
            added = stream.pop(ADDED, 0)
            if not added or buffer[used] in _MARKS:
                break
            stream[MISSING] = added
    return used


def _forget_added(session: TrackerSession) -> None:
    session.stream.pop(ADDED, None)
    session.stream.pop(MISSING, None)


# --- Text -------------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    if frame[:1] == b"$":
        return _decode_binary(frame, session, now)
    if frame[:1] == b"X":
        device_id = required_device_id(session)
        return Decoded("heartbeat", device_id, (status_message(now=now, device_id=device_id),))
    fields = text_of(frame).strip().removeprefix("*").removesuffix("#").split(",")
    maker, stated, kind = fields[0], field_at(fields, 1), field_at(fields, 2)
    if not _MAKER.fullmatch(maker) or not kind:
        raise BadFrame("unknown_layout", "A text begins with the maker, the device's number and the type.")
    if stated and not _DEVICE_ID.fullmatch(stated):
        raise BadFrame("missing_device_id", "The second field must be the device's number.")
    device_id = required_device_id(session, stated)
    session.memory[MAKER] = maker
    answered = f"*{maker},{device_id},V4,{kind},{now:%Y%m%d%H%M%S}#".encode() if kind in _ANSWERED else b""
    try:
        attributes, message = _message(device_id, fields, session, now)
    except BadFrame as error:
        return unreadable(error, device_id, stated=stated, reply=answered)
    is_relay_cut = relay_without_place(message, attributes)
    if kind == "SMS":
        return Decoded("answer", stated, (message,), answer=CommandAnswer(",".join(fields[3:]) or kind))
    if kind == "V4":
        return Decoded("answer", stated, (message,), answer=_answer(fields), is_relay_cut=is_relay_cut)
    if kind in _HEARTBEATS:
        return Decoded("heartbeat", stated, (message,), f"*{maker},{device_id},{kind}#".encode())
    return Decoded(kind_of((message,)), stated, (message,), answered, is_relay_cut=is_relay_cut)


def _place_at(fields: list[str]) -> int | None:
    """The field of the hemisphere: the latitude stands before it, validity and time before that."""
    return next(
        (at for at in range(5, len(fields) - 2) if fields[at] in _NORTH_SOUTH and fields[at + 2] in _EAST_WEST), None
    )


def _answer(fields: list[str]) -> CommandAnswer:
    """The confirmation of a command: its name, what became of it, and the time of day it was sent with."""
    at = _place_at(fields)
    said = fields[3 : at - 3 if at else None]
    clock = next((place for place in range(1, len(said)) if _SIX_DIGITS.fullmatch(said[place])), None)
    if at and said and _SIX_DIGITS.fullmatch(said[-1]):
        clock = len(said) - 1
    name = field_at(said, 0)
    text = ",".join(said[:clock]) or "V4"
    token = f"{name},{said[clock]}" if clock else ""
    return CommandAnswer(text, token=token, name=name, is_success=answer_success(text, good=_GOOD, bad=_BAD))


def _message(
    device_id: str, fields: list[str], session: TrackerSession, now: datetime
) -> tuple[dict[str, Any], DeviceMessage]:
    """The attributes of the frame itself, and its message."""
    at = _place_at(fields)
    if at is None:
        return _without_place(device_id, fields, session, now)
    date_at = at + 6 if not _SIX_DIGITS.fullmatch(field_at(fields, at + 5)) and len(fields) > at + 6 else at + 5
    status = next((field for field in fields[date_at + 1 :] if _STATUS.fullmatch(field)), "")
    day, clock = field_at(fields, date_at), field_at(fields, at - 3)
    # Watches send no time of day (VP1).
    timestamp = _time(day, clock) if clock != field_at(fields, 2) else now.isoformat()
    attributes = _status(hexadecimal(status))
    message = fix_message(
        now=now,
        device_id=device_id,
        timestamp=timestamp,
        latitude=degrees(field_at(fields, at - 1), fields[at]),
        longitude=degrees(field_at(fields, at + 1), fields[at + 2]),
        speed_kph=knots_to_kph(field_at(fields, at + 3)),
        course_degrees=number_or_text(field_at(fields, at + 4)),
        attributes=with_status(session, attributes, now, timestamp),
        # A digit is the number of a coding, in the place of A; V, B and nothing are no fix.
        is_valid=fields[at - 2] == "A" or fields[at - 2].isdigit(),
    )
    return attributes, message


def _time(day: str, clock: str) -> str | None:
    return iso_utc(f"20{day[4:]}", day[2:4], day[:2], clock_of(clock)) if day else None


def _without_place(
    device_id: str, fields: list[str], session: TrackerSession, now: datetime
) -> tuple[dict[str, Any], DeviceMessage]:
    """Cells, steps, heartbeats: signs of life with what they say of the tracker."""
    kind = fields[2]
    if kind in _PLACES and "A" in fields[3:5]:
        raise BadFrame("unknown_layout", "The fix is valid and has no hemispheres.")
    status = next((field for field in fields[3:] if _STATUS.fullmatch(field)), "")
    attributes = _status(hexadecimal(status))
    if kind in _HEARTBEATS:
        attributes |= _percent(field_at(fields, 3))
    if kind == "LINK":
        attributes |= present(rssi=whole(field_at(fields, 4)), sat=whole(field_at(fields, 5))) | _percent(
            field_at(fields, 6)
        )
    day = fields[fields.index(status) - 1] if status else ""
    keep_status(session, attributes, now)
    timestamp = _time(day, field_at(fields, 3)) if _SIX_DIGITS.fullmatch(day) else None
    return attributes, status_message(now=now, device_id=device_id, timestamp=timestamp, attributes=attributes)


def _status(bits: int | None) -> dict[str, Any]:
    """Ignition, relay and alarms of the status; the answer to S20 shows the bit of the relay."""
    if bits is None:
        return {}
    alarms = joined_alarms(name for mask, name in _ALARMS if bits & mask != mask)
    return {"ignition": bool(bits & _IGNITION), "blocked": not bits & _RELAY, "status": bits, **alarms}


def _percent(text: str) -> dict[str, Any]:
    level = whole(text)
    return {"batteryLevel": level} if level is not None and 0 <= level <= 100 else {}


# --- Binary -----------------------------------------------------------------------------------------------------------


def _decode_binary(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    if len(frame) < BINARY_BYTES:
        raise BadFrame("wrong_length", "The binary frame is too short.")
    digits = frame.hex()
    is_long = _has_long_id(digits)
    device_id, digits = (digits[2:17], digits[18:]) if is_long else (digits[2:12], digits[12:])
    if not _DEVICE_ID.fullmatch(device_id):
        raise BadFrame("missing_device_id", "The bytes behind the first must be the device's number.")
    clock, day, latitude, battery, longitude = digits[:6], digits[6:12], digits[12:20], digits[20:22], digits[22:31]
    flags, speed, course, status = int(digits[31], 16), digits[32:35], digits[35:38], int(digits[38:46], 16)
    level = int(battery, 16)
    attributes = _status(status) | present(batteryLevel=_BATTERY_STEPS.get(level, level if 6 < level <= 100 else None))
    message = fix_message(
        now=now,
        device_id=device_id,
        timestamp=_time(day, clock),
        latitude=degrees(f"{latitude[:4]}.{latitude[4:]}", "N" if flags & 4 else "S"),
        longitude=degrees(f"{longitude[:5]}.{longitude[5:]}", "E" if flags & 8 else "W"),
        speed_kph=knots_to_kph(speed),
        course_degrees=number_or_text(course),
        attributes=attributes,
        is_valid=bool(flags & 2),
    )
    is_relay_cut = relay_without_place(message, attributes)
    return Decoded(kind_of((message,)), device_id, (message,), is_relay_cut=is_relay_cut)


def _has_long_id(digits: str) -> bool:
    """Whether the identifier has fifteen digits: it has where the time would not exist behind ten, and does behind these."""
    return not _CLOCK_AND_DAY.match(digits, 12) and bool(_CLOCK_AND_DAY.match(digits, 18))


# --- Commands ---------------------------------------------------------------------------------------------------------


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command with its time of day, which its confirmation echoes. A text may be a whole frame, or name and values."""
    text = command_text(command, session, _TEXTS, max_length=MAX_COMMAND_LENGTH)
    if text.startswith("*"):
        if "*" in text[1:] or "#" in text[:-1]:
            raise InvalidCommand(_("A text is one frame: it has one * at its beginning and one # at its end."), "text")
        _maker, _id, name, clock, *_others = [*text.rstrip("#").split(","), "", "", ""]
        text = text if text.endswith("#") else f"{text}#"
    else:
        text = text.rstrip("#")
        name, _comma, values = text.partition(",")
        if not name or "#" in text or "*" in text:
            raise InvalidCommand(_("A text is a whole frame, or name and values without * and #."), "text")
        clock = f"{command.now:%H%M%S}"
        parts = [
            session.memory.get(MAKER, DEFAULT_MAKER),
            session.device_id,
            name,
            clock,
            *([values] if values else []),
        ]
        text = f"*{','.join(parts)}#"
    token = f"{name},{clock}" if _SIX_DIGITS.fullmatch(clock) else ""
    return EncodedCommand(text.encode("ascii"), text, token=token, name=name)


_TEXTS: Texts = {
    "engine_stop": lambda _parameters, _session: "S20,1,1",
    "engine_resume": lambda _parameters, _session: "S20,1,0",
    "position_interval": lambda parameters, _session: f"S71,22,{parameters['interval_seconds']}",
    "reboot": lambda _parameters, _session: "R1",
    "arm": lambda _parameters, _session: "SCF,0,0",
    "disarm": lambda _parameters, _session: "SCF,1,1",
    "custom": lambda parameters, _session: str(parameters["text"]),
}

PROTOCOL = TrackerProtocol(
    name="h02",
    label="H02 (Sinotrack)",
    port=5013,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(_TEXTS),
)
