"""Teltonika: records by codecs 8, 8 Extended and 16 over TCP and UDP, texts by codecs 12, 13 and 14.

    login (TCP)   000F, IMEI as 15 digits; answered by 01, or 00 where it is refused
    frame (TCP)   00000000, u32 length, codec, count, content, count again, u32 CRC-16/ARC of codec to count
    datagram      u16 length, u16 packet id, 01, u8 AVL packet id, u16 length of the IMEI, IMEI, codec, count, content, count
    FF            keeps a connection alive

Records are acknowledged by their number. Texts bear no token: only their order says which command answers belong to.

The relay of the engine is taken to hang on the first output (DOUT1), or on that of the device's settings, which `blocked`
repeats. Engine commands leave the other
outputs as they are: one character for each output that records of this connection have shown, else for two, so that a tracker
with one output refuses in words what one with two would do without the limit of speed. Above 20 km/h a tracker keeps the stop
and does it when slower, which its answer says ("queued"); letting the engine run replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from struct import Struct
from struct import error as struct_error

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
from tasks_app.ingest.trackers.checksums import crc16_arc
from tasks_app.ingest.trackers.command_texts import answer_success, command_text
from tasks_app.ingest.trackers.messages import (
    epoch_seconds,
    fix_message,
    kind_of,
    required_device_id,
    status_message,
    unreadable,
)
from tasks_app.ingest.trackers.resynchronising import FrameShape, Resynchronising
from tasks_app.ingest.trackers.teltonika_commands import RELAY_VARIANTS, TEXTS
from tasks_app.ingest.trackers.teltonika_records import RECORD_CODECS, Packet, read_packet

# The longest of any model has the usual one.
MAX_LENGTH, MAX_USUAL_LENGTH = 0x3FFF, 1280
MAX_COMMAND_LENGTH = 160

# A connection that stalled delivers some at once; more are garbage.
MAX_ALIVE_TOGETHER = 16

_ALIVE = re.compile(rb"\xff+")
_CODECS = b"\x08\x8e\x10\x0c\x0d\x0e"
_LOGIN_BYTES, _LOGIN_MARK = 17, 0x0F
# A frame up to its codec, or a whole login.
_FRAME_START = re.compile(rb"\x00{6}[\x00-\x3f].[" + re.escape(_CODECS) + rb"]", re.DOTALL)
_FRAME_BEGUN = re.compile(rb"(?:\x00{1,6}|\x00{6}[\x00-\x3f].?)\Z", re.DOTALL)
_START = re.compile(rb"\x00\x0f[0-9]{15}|" + _FRAME_START.pattern, re.DOTALL)
_FRAME = Struct(">4xI")
_DATAGRAM = Struct(">HHBBH")
_TEXT = Struct(">BBBI")


def cut(data: bytes, session: TrackerSession) -> Cut:
    """Cut frames, a login and each FF among them. A datagram is one frame. Raises FrameTooLong for a longer one.

    Behind a length that lies the next whole frame with a right checksum is looked for.
    """
    if session.transport == "udp":
        if len(data) > MAX_LENGTH:
            raise FrameTooLong(f"A datagram has at most {MAX_LENGTH} bytes.")
        return Cut([data] if data else [], len(data))
    frames: list[bytes] = []
    at, skipped = 0, 0
    resync = Resynchronising(data, session, _SHAPE)
    while at < len(data):
        if alive := _ALIVE.match(data, at):
            count = len(alive[0])
            frames += [b"\xff"] * min(count, MAX_ALIVE_TOGETHER)
            skipped += max(0, count - MAX_ALIVE_TOGETHER)
            at = alive.end()
            continue
        length = _frame_length(data, at)
        if length is None:
            break
        end = _end(data, at, length, resync) if length else at
        if end is None:
            break
        if end > at:
            frames.append(data[at:end])
            at = end
        else:
            start = _next_start(data, at + 1)
            skipped += start - at
            at = start
    return Cut(frames, at, skipped)


def _frame_length(data: bytes, at: int) -> int | None:
    """The length of the frame or login that begins here: 0 where none does, None where more bytes are needed."""
    head = data[at : at + _LOGIN_BYTES]
    if head[:2] == b"\x00\x0f":
        is_login = len(head) == 2 or head[2:].isdigit()
        return 0 if not is_login else _LOGIN_BYTES if len(head) == _LOGIN_BYTES else None
    if head[:4] != bytes(min(len(head), 4)):
        return 0
    if len(head) < 9:
        return None
    (length,) = _FRAME.unpack_from(head)
    longest = MAX_LENGTH if head[8] in _CODECS else MAX_USUAL_LENGTH
    return 12 + length if 3 <= length <= longest else 0


def _end(data: bytes, at: int, length: int, resync: Resynchronising) -> int | None:
    """Where what begins here with this length ends; its beginning where it is no frame, None where it is waited for."""
    if data[at + 1] == _LOGIN_MARK or _has_right_checksum(data, at, length):
        return at + length
    end = resync.end_of(at, length)
    # One of another codec is known by its checksum alone.
    return at if end == at + length and data[at + 8] not in _CODECS else end


def _has_right_checksum(data: bytes, at: int, length: int) -> bool:
    end = at + length
    return end <= len(data) and crc16_arc(data[at + 8 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _is_right(data: bytes, at: int, length: int) -> bool:
    """Whether a whole frame has the right checksum, and one count: zeros and what follows them often look like a start."""
    return data[at + 9] == data[at + length - 5] and _has_right_checksum(data, at, length)


_SHAPE = FrameShape(_FRAME_START, _FRAME_BEGUN, 8, 12 + MAX_USUAL_LENGTH, _frame_length, _is_right)


def _next_start(data: bytes, at: int) -> int:
    """The first place from here on where a frame begins, or may begin by what follows."""
    if found := _START.search(data, at):
        return found.start()
    first_zero = data.find(b"\x00", max(at, len(data) - _LOGIN_BYTES + 1))
    return first_zero if first_zero >= 0 else len(data)


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    """The records of a frame with their acknowledgement, or a text. Raises BadFrame."""
    try:
        if frame == b"\xff":
            messages = (status_message(now=now, device_id=session.device_id),) if session.device_id else ()
            return Decoded("heartbeat", messages=messages)
        if session.transport == "udp":
            return _decode_datagram(frame, session, now)
        if len(frame) == _LOGIN_BYTES and frame[:2] == b"\x00\x0f":
            return Decoded("login", frame[2:].decode("ascii"), reply=b"\x01", refusal=b"\x00")
        return _decode_frame(frame, session, now)
    except (struct_error, IndexError, UnicodeDecodeError) as error:
        raise BadFrame("wrong_length", f"The content does not fit its lengths: {error}.") from error


def _decode_frame(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    (length,) = _FRAME.unpack_from(frame)
    if len(frame) != 12 + length or length < 3 or frame[:4] != bytes(4):
        raise BadFrame("wrong_length", f"{len(frame)} bytes are no frame of the length {length}.")
    content = frame[8:-4]
    if crc16_arc(content) != int.from_bytes(frame[-4:], "big"):
        raise BadFrame("wrong_checksum", "The checksum is not that of the content.")
    device_id = required_device_id(session)
    if content[0] in RECORD_CODECS:
        packet = read_packet(content, 0, device_id, session, now)
        return _of_records(packet, device_id, "", packet.stated_count.to_bytes(4, "big"))
    if content[0] not in _CODECS:
        raise BadFrame("unknown_codec", f"Packets of codec {content[0]} are not known.")
    return _decode_text(content, device_id, now)


def _of_records(packet: Packet, device_id: str, stated: str, reply: bytes) -> Decoded:
    if packet.fault is not None:
        return unreadable(packet.fault, device_id, stated=stated, reply=reply, readable=packet.messages)
    return Decoded(kind_of(packet.messages), stated, packet.messages, reply, is_relay_cut=packet.is_relay_cut)


def _decode_datagram(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    length, packet_id, _unused, avl_packet_id, imei_length = _DATAGRAM.unpack_from(frame)
    if len(frame) != 2 + length:
        raise BadFrame("wrong_length", f"{len(frame)} bytes are no datagram of the length {length}.")
    imei = frame[8 : 8 + imei_length]
    if not imei.isdigit() or len(imei) != imei_length:
        raise BadFrame("no_identifier", "The datagram states no IMEI.")
    at = 8 + imei_length
    if frame[at] not in RECORD_CODECS:
        raise BadFrame("unknown_codec", f"Datagrams of codec {frame[at]} are not known.")
    device_id = imei.decode("ascii")
    packet = read_packet(frame, at, device_id, session, now)
    reply = Struct(">HHBBB").pack(5, packet_id, 1, avl_packet_id, packet.stated_count)
    return _of_records(packet, device_id, device_id, reply)


# --- Texts ------------------------------------------------------------------------------------------------------------

_GOOD = re.compile(r"\bDOUT\d+: ?(?:ON|OFF|[01])\b|\bnew val|\bsuccess|\bOK\b|\balready\b", re.IGNORECASE)
_BAD = re.compile(
    r"\b(?:bad syntax|error|fail(?:ed)?|invalid|unknown|disabled|arguments? required|not found)\b", re.IGNORECASE
)
_QUEUED = re.compile(r"\bqueued\b", re.IGNORECASE)
_GETGPS = re.compile(
    # Atomic: a word that was found is not looked for anew where a later one is missing, which would take for ever.
    r"GPS: ?1\b(?>.*?Sat: ?(\d+))(?>.*?Lat: ?(-?[\d.]+))(?>.*?Long: ?(-?[\d.]+))(?>.*?Alt: ?(-?\d+))"
    r"(?>.*?Speed: ?(\d+))(?>.*?Dir: ?(\d+))(?>.*?Date: ?(\d+)/(\d+)/(\d+))(?>.*?Time: ?(\d+):(\d+):(\d+))"
)


def _decode_text(content: bytes, device_id: str, now: datetime) -> Decoded:
    codec, _count, kind, length = _TEXT.unpack_from(content)
    payload = content[_TEXT.size : -1]
    if len(payload) != length:
        raise BadFrame("wrong_length", f"The text has {len(payload)} bytes, not {length}.")
    text = payload[{0x0D: 4, 0x0E: 8}.get(codec, 0) :].decode("utf-8", "replace").strip("\x00\r\n ")
    if codec == 0x0D:
        # Sent by itself, and no answer: it must not end a command that waits for one.
        at = int.from_bytes(payload[:4], "big")
        message = status_message(now=now, device_id=device_id, timestamp=at, attributes={"result": text})
        return Decoded("other", messages=(message,))
    if codec == 0x0E and kind == 0x11:
        refusal = CommandAnswer("IMEI mismatch", is_success=False)
        return Decoded("answer", messages=(status_message(now=now, device_id=device_id),), answer=refusal)
    if kind != 0x06:
        raise BadFrame("unknown_type", f"Texts of type {kind} are not known.")
    is_success = None if _QUEUED.search(text) else answer_success(text, good=_GOOD, bad=_BAD)
    messages = tuple(_asked_position(text, device_id, now)) or (status_message(now=now, device_id=device_id),)
    return Decoded("answer", messages=messages, answer=CommandAnswer(text, is_success=is_success))


def _asked_position(text: str, device_id: str, now: datetime) -> Iterator[DeviceMessage]:
    """The fix in an answer to getgps, where it has one."""
    if found := _GETGPS.search(text[:500]):
        satellites, latitude, longitude, altitude, speed, angle, *clock = found.groups()
        yield fix_message(
            now=now,
            device_id=device_id,
            timestamp=epoch_seconds(*(int(part[:4]) for part in clock)),
            latitude=_decimal(latitude),
            longitude=_decimal(longitude),
            speed_kph=_decimal(speed),
            course_degrees=_decimal(angle),
            altitude_meters=_decimal(altitude),
            attributes={"sat": int(satellites[:4])},
        )


def _decimal(text: str) -> float:
    """The number, out of every range where it is none such as 1.2.3."""
    try:
        return float(text)
    except ValueError:
        return 1e9


# --- Commands ---------------------------------------------------------------------------------------------------------


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command as a text of codec 12. Raises InvalidCommand, also over UDP, where nothing takes it."""
    if session.transport == "udp":
        raise InvalidCommand(_("This protocol takes commands over TCP only."))
    text = command_text(command, session, TEXTS, max_length=MAX_COMMAND_LENGTH)
    payload = text.encode("ascii")
    content = _TEXT.pack(0x0C, 1, 5, len(payload)) + payload + b"\x01"
    data = _FRAME.pack(len(content)) + content + crc16_arc(content).to_bytes(4, "big")
    return EncodedCommand(data, text)


PROTOCOL = TrackerProtocol(
    name="teltonika",
    label="Teltonika",
    port=5027,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(TEXTS),
    relay_variants=RELAY_VARIANTS,
)
