"""Coban, the family of GPS103 and TK103: text that ends with a semicolon.

    imei:359710045559474,tracker,151030080103,,F,000101.000,A,5443.3834,N,02512.9071,E,0.00,0;

The first stamp is of the tracker's own clock, the time behind F is UTC: the date is that of the first, moved by the difference
of both. Speeds are knots. The keyword says what happened, also that a command was carried out: `jt` answers J. A log-in and a
heartbeat want an answer, else the tracker connects anew, and so does `help me`, which comes again until it has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
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
from tasks_app.ingest.trackers.command_texts import Texts, command_text
from tasks_app.ingest.trackers.messages import fix_message, keep_status, kind_of, status_message, with_status
from tasks_app.ingest.trackers.text_fields import (
    degrees,
    field_at,
    knots_to_kph,
    number,
    number_or_text,
    present,
    text_of,
    whole,
)

# A part of a photo has a thousand digits.
MAX_FRAME_BYTES = 2048
MAX_COMMAND_LENGTH = 300
# The difference between the tracker's clock and UTC, as its last fix showed it.
ZONE = "coban_zone_minutes"

# Some firmwares end with an asterisk, or with a line end alone.
_END = re.compile(rb"[;\r\n]+|(?<=,)\*")
_NAME = b"imei:"
_LOGIN = b"##,"
_HEARTBEAT = re.compile(rb"[0-9]{15}")
_DEVICE_ID = re.compile(r"[0-9]{10,17}")
_STAMP = re.compile(r"([0-9]{2})/?([0-9]{2})/?([0-9]{2}) ?([0-9]{2}):?([0-9]{2})(?:[0-9]{2})?")
_UTC = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])(?:\.[0-9]*)?")
_CONFIRMED = re.compile(r"[a-z]t")

_ALARMS = {
    **{"help me": "sos", "low battery": "lowBattery", "move": "movement", "speed": "overspeed", "stockade": "geofence"},
    **{"ac alarm": "powerCut", "door alarm": "door", "sensor alarm": "vibration", "accident alarm": "accident"},
    **{"bonnet alarm": "bonnet", "footbrake alarm": "footBrake", "acc alarm": "general", "DTC": "fault"},
    **{"oil1": "fuelLeak", "oil2": "fuelLeak"},
}
_IGNITION = {"acc on": True, "acc off": False}
_PLAIN = frozenset({"tracker", "001"})


# --- Frames -----------------------------------------------------------------------------------------------------------


def cut(buffer: bytes, session: TrackerSession) -> Cut:
    frames: list[bytes] = []
    used = skipped = 0
    for end in _END.finditer(buffer):
        skipped += _take(buffer[used : end.start()], frames)
        used = end.end()
    if session.transport == "udp":
        skipped += _take(buffer[used:], frames)
        return Cut(frames, len(buffer), skipped)
    if len(buffer) - used > MAX_FRAME_BYTES:
        raise FrameTooLong(f"No frame ends within {MAX_FRAME_BYTES} bytes.")
    return Cut(frames, used, skipped)


def _take(piece: bytes, frames: list[bytes]) -> int:
    """Add the frames in what stood before an end: the last message, and a heartbeat before it. Count the bytes of no frame."""
    begin = piece.rfind(_NAME)
    if begin < 0:
        begin = len(piece)
    elif piece[:begin].endswith(_LOGIN):
        begin -= len(_LOGIN)
    before = piece[:begin].strip(b" \x00")
    if len(piece) - begin > MAX_FRAME_BYTES:
        return len(piece)
    is_alive = _HEARTBEAT.fullmatch(before) is not None
    frames += [one for one in (before if is_alive else b"", piece[begin:]) if one]
    return 0 if is_alive else len(before)


# --- Messages ---------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    text = text_of(frame).strip().rstrip(";*")
    if text.isdigit() and _DEVICE_ID.fullmatch(text):
        return Decoded("heartbeat", text, (status_message(now=now, device_id=text),), b"ON")
    is_login = text.startswith("##,")
    fields = text.removeprefix("##,").removeprefix("imei:").split(",")
    device_id, keyword = fields[0], field_at(fields, 1)
    if not text.removeprefix("##,").startswith("imei:") or not _DEVICE_ID.fullmatch(device_id):
        raise BadFrame("missing_device_id", "A message begins with imei: and the device's number.")
    if is_login:
        return Decoded("login", device_id, reply=b"LOAD")
    if not keyword:
        raise BadFrame("too_short", "The second field must be the keyword.")
    message = _message(device_id, keyword, fields, session, now)
    if keyword in _IGNITION:
        # The next message may leave its field of the ignition empty.
        keep_status(session, {"ignition": _IGNITION[keyword]}, now)
    if _CONFIRMED.fullmatch(keyword):
        answer = CommandAnswer(keyword, name=keyword, is_success=True)
        return Decoded("answer", device_id, (message,), answer=answer)
    reply = f"**,imei:{device_id},E;".encode() if keyword == "help me" else b""
    return Decoded(kind_of((message,)), device_id, (message,), reply)


def _message(device_id: str, keyword: str, fields: list[str], session: TrackerSession, now: datetime) -> DeviceMessage:
    attributes = _said(keyword, field_at(fields, 3))
    stamp = _STAMP.fullmatch(field_at(fields, 2))
    if keyword == "OBD" or field_at(fields, 4) != "F":
        attributes |= _diagnosis(fields) if keyword == "OBD" else {}
        keep_status(session, {name: value for name, value in attributes.items() if name != "event"}, now)
        sent_at = _own_time(stamp, session)
        return status_message(now=now, device_id=device_id, timestamp=sent_at, attributes=attributes)
    # Some write the hemispheres before the degrees.
    place = fields[7:11]
    if field_at(place, 0) in ("N", "S"):
        place = [field_at(place, at) for at in (1, 0, 3, 2)]
    latitude, north, longitude, east = (field_at(place, at) for at in range(4))
    attributes = _measured(fields[13:]) | attributes
    timestamp = _fix_time(field_at(fields, 2), stamp, field_at(fields, 5), session)
    return fix_message(
        now=now,
        device_id=device_id,
        timestamp=timestamp,
        latitude=degrees(latitude, north),
        longitude=degrees(longitude, east),
        speed_kph=knots_to_kph(field_at(fields, 11)),
        course_degrees=number_or_text(field_at(fields, 12)),
        altitude_meters=number(field_at(fields, 13)),
        attributes=with_status(session, attributes, now, timestamp),
        is_valid=field_at(fields, 6) == "A",
    )


def _said(keyword: str, key: str) -> dict[str, Any]:
    """The attributes of a keyword: an alarm, an ignition, a measurement; an event where it is none of these."""
    if keyword in _PLAIN or keyword == "OBD" or _CONFIRMED.fullmatch(keyword):
        return {}
    if keyword in _ALARMS:
        return {"alarm": _ALARMS[keyword]}
    if keyword in _IGNITION:
        return {"ignition": _IGNITION[keyword]}
    if keyword.startswith("T:"):
        return {"alarm": "temperature"} | present(temp1=number(keyword[2:]))
    if keyword.startswith("oil "):
        return {"alarm": "fuelLeak"} | present(fuelLevel=number(keyword[4:]))
    if keyword == "rfid":
        return present(driverUniqueId=key or None)
    return {"event": keyword[:50]}


def _measured(fields: list[str]) -> dict[str, Any]:
    """The attributes behind the course: altitude, ignition, door, two fuel levels and the temperature, or fewer."""
    switches = {"1": True, "0": False}
    levels = [number(field_at(fields, at).removesuffix("%")) for at in (3, 4)]
    return present(
        ignition=switches.get(field_at(fields, 1)),
        door=switches.get(field_at(fields, 2)),
        fuel1=levels[0],
        fuel2=levels[1] if field_at(fields, 4).endswith("%") else None,
        temp1=number(field_at(fields, 5)),
    )


def _diagnosis(fields: list[str]) -> dict[str, Any]:
    """Attributes from a plug of the diagnostic socket, for the next fix."""
    codes = " ".join(code for code in fields[13:] if code)
    return present(
        obdSpeed=whole(field_at(fields, 7)),
        coolantTemp=whole(field_at(fields, 9)),
        rpm=whole(field_at(fields, 11)),
        power=number(field_at(fields, 12)),
        dtcs=codes or None,
    )


# --- Times ------------------------------------------------------------------------------------------------------------


def _fix_time(text: str, stamp: re.Match[str] | None, utc: str, session: TrackerSession) -> str:
    """The date of the tracker's clock with the UTC time, moved to the other side of midnight where these differ."""
    found = _UTC.fullmatch(utc)
    local = _local_time(stamp)
    if local is None or found is None:
        # Without one of both the clock is as far from UTC as the device's settings say.
        moved = _own_time(stamp, session, assumed_minutes=0)
        return moved or f"{text} {utc}"
    usual = session.zone_minutes or 0
    ahead = local.hour * 60 + local.minute - int(found[1]) * 60 - int(found[2])
    zone_minutes = (ahead - usual + 719) % 1440 - 719 + usual
    session.memory[ZONE] = zone_minutes
    return f"{local - timedelta(minutes=zone_minutes):%Y-%m-%dT%H:%M}:{found[3]}Z"


def _own_time(stamp: re.Match[str] | None, session: TrackerSession, assumed_minutes: int | None = None) -> str | None:
    """The tracker's own time in UTC, None where nothing is known of its zone: neither by settings nor by a fix before."""
    local = _local_time(stamp)
    known = session.zone_minutes if session.zone_minutes is not None else session.memory.get(ZONE, assumed_minutes)
    return None if local is None or known is None else f"{local - timedelta(minutes=known):%Y-%m-%dT%H:%M:%S}Z"


def _local_time(stamp: re.Match[str] | None) -> datetime | None:
    if stamp is None:
        return None
    year, month, day, hour, minute = (int(part) for part in stamp.groups())
    try:
        return datetime(2000 + year, month, day, hour, minute)
    except ValueError:
        return None


# --- Commands ---------------------------------------------------------------------------------------------------------


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command by its letter; a message with the keyword of that letter confirms it."""
    text = command_text(command, session, _TEXTS, max_length=MAX_COMMAND_LENGTH)
    if ";" in text[:-1]:
        raise InvalidCommand(_("A text is one command: it has no ; but at its end."), "text")
    text = text if text.startswith("**,") else f"**,imei:{session.device_id},{text}"
    letter = field_at(text.split(","), 2).rstrip(";")
    name = f"{letter.lower()}t" if len(letter) == 1 and letter.isalpha() else ""
    return EncodedCommand(text.encode("ascii"), text, name=name)


def _interval(seconds: int) -> str:
    """Two digits and a unit. Raises InvalidCommand where these cannot express it."""
    for unit, size_seconds in (("s", 1), ("m", 60), ("h", 3600)):
        count, rest = divmod(seconds, size_seconds)
        if rest == 0 and count <= (59 if unit == "s" else 99):
            return f"{count:02d}{unit}"
    sentence = _("An interval above 59 seconds is a whole number of minutes up to 99, or of hours.")
    raise InvalidCommand(sentence, "interval_seconds")


def _letter(letter: str) -> Callable[[dict[str, Any], TrackerSession], str]:
    return lambda _parameters, _session: letter


_LETTERS = {
    "position_request": "B",
    "acknowledge_emergency": "E",
    "engine_stop": "J",
    "engine_resume": "K",
    "arm": "L",
    "disarm": "M",
}
_TEXTS: Texts = {
    **{kind: _letter(letter) for kind, letter in _LETTERS.items()},
    "position_interval": lambda parameters, _session: f"C,{_interval(parameters['interval_seconds'])}",
    "overspeed_alarm": lambda parameters, _session: f"H,{parameters['speed_kph']:03d}",
    "custom": lambda parameters, _session: str(parameters["text"]),
}

PROTOCOL = TrackerProtocol(
    name="coban",
    label="Coban (GPS103, TK103)",
    port=5001,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(_TEXTS),
)
