"""Suntech: the ST300 family with ST600 and SA200, and the universal protocol of newer models.

    ST300STT;205027329;03;374;20150108;17:54:42;177b38;-23.566052;-046.477588;000.000;000.00;0;0;0;12.11;000000;1;0312 CR

SA200 and ST200 have no model between id and software, ST600 has the whole cell. Universal frames say in a mask which fields
they have; their binary ("zip") form has the same ones. Times are UTC, speeds km/h, the odometer in meters, hours in minutes.
The emergency report goes on until it is acknowledged by a command, with new times. On UDP reports are acknowledged, whatever
UDP_ACK is set to in the tracker: it ignores those it does not wait for.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise
from typing import Any

from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import (
    BadFrame,
    CommandAnswer,
    Cut,
    Decoded,
    FrameTooLong,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.messages import fix_message, kind_of, relay_without_place, status_message, unreadable
from tasks_app.ingest.trackers.suntech_binary import HEAD_BYTES, KINDS, check_place, read_binary
from tasks_app.ingest.trackers.suntech_commands import DEFAULT_PREFIX, PREFIX, TEXTS, encode
from tasks_app.ingest.trackers.text_fields import (
    field_at,
    hexadecimal,
    iso_utc,
    number,
    number_or_text,
    present,
    text_of,
    whole,
)

# UEX frames carry 500 bytes of a serial line.
MAX_FRAME_BYTES = 2048
MAX_SERIAL_BYTES = 512

_HEAD = re.compile(r"(S[AT][0-9]{3})([A-Z]{3})")
# The beginning of a text of either family, up to the device's number.
_START = re.compile(rb"S[AT][0-9]{3}[A-Z]{3};(?:Res;)?[0-9]{5,15};|(?:STT|ALT|ALV|RES|CMD|BLE);[0-9]{10}(?:;|$)")
_START_BYTES = 32
_BINARY_START = re.compile(rb"[\x81\x82]\x00")
_ANY_START = re.compile(_START.pattern + b"|" + _BINARY_START.pattern)
_DEVICE_ID = re.compile(r"[0-9]{5,15}")
_DATE = re.compile(r"[0-9]{8}")
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}")
_VOLTS = re.compile(r"[0-9]\.[0-9]{1,2}")
_REPORTS = frozenset({"STT", "EMG", "EVT", "ALT", "UEX"})
_MASKED = frozenset({"STT", "ALT", "UEX", "BLE"})
_UNIVERSAL = frozenset({"STT", "ALT", "UEX", "ALV", "RES", "CMD", "BLE", "BSA", "CRR", "TRV"})
# Fields between the time and the place: ST500 has none, ST600 five, all others the cell.
_CELL_FIELDS = {"ST500": 0, "ST600": 5, **{f"ST4{number:02d}": 0 for number in range(100)}}
# The data of a UEX frame stand behind their length, that behind the inputs, or inputs and outputs.
_SERIAL_DATA = re.compile(rb"(?:\.[0-9]{1,2};[01]{6,10}|;[01]{8};[01]{8});([0-9]{1,3});")
# Its data are the key of the driver.
_DRIVER_ALERT = 59

_EMERGENCIES = {1: "sos", 2: "parking", 3: "powerCut", 5: "door", 6: "door", 7: "movement", 8: "vibration"}
_ALERTS = {
    **{1: "overspeed", 5: "geofenceExit", 6: "geofenceEnter", 14: "lowBattery", 15: "vibration", 16: "accident"},
    **{
        40: "powerRestored",
        41: "powerCut",
        42: "sos",
        46: "hardAcceleration",
        47: "hardBraking",
        50: "jamming",
        132: "door",
    },
}


# --- Frames -----------------------------------------------------------------------------------------------------------


def cut(buffer: bytes, session: TrackerSession) -> Cut:
    """Frames end with CR. The serial data in a UEX frame may have one too, so that its stated length counts.

    A text that begins anew within has lost its end; what stands before it is skipped.
    """
    frames: list[bytes] = []
    used, skipped, length = 0, 0, len(buffer)
    while used < length:
        if buffer[used] in b"\r\n":
            used += 1
            continue
        end = _binary_end(buffer, used) if buffer[used] >= 0x80 else _text_end(buffer, used)
        is_whole = 0 <= end <= length
        if other := _other_within(buffer, used, end if is_whole else length):
            if buffer[used] in KINDS:
                frames.append(buffer[used:other])
            else:
                skipped += other - used
            used = other
            continue
        if not is_whole:
            break
        begin = _last_start(buffer, used, end)
        if end - begin <= MAX_FRAME_BYTES:
            frames.append(buffer[begin:end])
        else:
            begin = end
        skipped += begin - used
        used = end
    if session.transport == "udp" and used < length:
        begin = _last_start(buffer, used, length)
        return Cut([*frames, buffer[begin:]], length, skipped + begin - used)
    if length - used > MAX_FRAME_BYTES:
        raise FrameTooLong(f"No frame ends within {MAX_FRAME_BYTES} bytes.")
    return Cut(frames, used, skipped)


def _last_start(buffer: bytes, begin: int, end: int) -> int:
    """The place where the last text in this piece begins, its own begin where none does, or where it holds serial data."""
    if buffer[begin] >= 0x80:
        return begin
    if b"UEX;" in buffer[begin : begin + 9]:
        place = _serial_place(buffer, begin, end)
        if place is not None and _is_intact(buffer, place):
            return begin
    for found in _START.finditer(buffer, begin, end):
        begin = found.start()
    return begin


def _binary_end(buffer: bytes, begin: int) -> int:
    """The end of a binary frame; other bytes that are no ASCII are garbage up to the next CR."""
    if buffer[begin] not in KINDS or buffer[begin + 1 : begin + 2] not in (b"", b"\x00"):
        return buffer.find(b"\r", begin)
    return begin + 3 + buffer[begin + 2] if len(buffer) > begin + 2 else -1


def _other_within(buffer: bytes, begin: int, end: int) -> int:
    """The place where a text begins in what began as binary, or the other way round, and has lost its end; 0 for none."""
    if b"UEX;" in buffer[begin : begin + 9]:
        return 0
    if buffer[begin] in KINDS and (same := _same_device_within(buffer, begin, end)):
        return same
    start = _BINARY_START if buffer[begin] < 0x80 else _START if buffer[begin] in KINDS else _ANY_START
    found = start.search(buffer, begin, end + _START_BYTES)
    return found.start() if found and found.start() < end else 0


def _same_device_within(buffer: bytes, begin: int, end: int) -> int:
    """The place where another binary frame of the same device begins within this one, whose length lies; 0 for none."""
    device = buffer[begin + 3 : begin + 8]
    # The other one begins before the end, three bytes before its device.
    found = buffer.find(device, begin + HEAD_BYTES, end + 7) if len(device) == 5 else -1
    return found - 3 if found > 0 and buffer[found - 3] in KINDS and not buffer[found - 2] else 0


def _text_end(buffer: bytes, begin: int) -> int:
    end = buffer.find(b"\r", begin)
    if end < 0 or b"UEX;" not in buffer[begin : begin + 9]:
        return end
    place = _serial_place(buffer, begin, end)
    if place is None or place.stop <= end:
        return end
    if place.stop + 3 > len(buffer):
        return -1
    # A length that lies is known by the checksum.
    return buffer.find(b"\r", place.stop) if _is_intact(buffer, place) else end


def _serial_place(buffer: bytes, begin: int, end: int) -> slice | None:
    """The place of the data in a UEX frame, None where there are none of this length."""
    found = _SERIAL_DATA.search(buffer, begin, end)
    size_bytes = int(found[1]) if found else 0
    return slice(found.end(), found.end() + size_bytes) if found and size_bytes <= MAX_SERIAL_BYTES else None


def _is_intact(buffer: bytes, place: slice) -> bool:
    """Whether the checksum behind the data is theirs: their sum, of which two hexadecimal digits are left."""
    return buffer[place.stop : place.stop + 3].upper() == b";%02X" % (sum(buffer[place]) & 0xFF)


# --- Reports ----------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    if frame[:1] >= b"\x80":
        return _decode_binary(frame, session, now)
    fields = text_of(frame).strip().split(";")
    device_id = field_at(fields, 2 if fields[1:2] == ["Res"] else 1)
    found = _HEAD.fullmatch(fields[0])
    kind = found[2] if found else fields[0]
    if found is None and kind not in _UNIVERSAL:
        raise BadFrame("unknown_type", f"No report of Suntech begins with {fields[0][:20]!r}.")
    if not _DEVICE_ID.fullmatch(device_id):
        raise BadFrame("missing_device_id", "The second field must be the device's number.")
    session.memory[PREFIX] = prefix = found[1] if found else ""
    if kind == "ALV":
        return Decoded("heartbeat", device_id, (status_message(now=now, device_id=device_id),))
    if kind in ("CMD", "RES"):
        return Decoded(
            "answer", device_id, (status_message(now=now, device_id=device_id),), answer=_answer(fields, prefix)
        )
    reply = f"{prefix}ACK;{device_id}".encode() if session.transport == "udp" else b""
    serial, fault = _serial_data(frame) if kind == "UEX" else ({}, None)
    try:
        if found and kind in _REPORTS:
            attributes, message = _classic_report(prefix, kind, device_id, fields, serial, now)
        elif not found and kind in _MASKED:
            attributes, message = _masked_report(kind, device_id, _masked_fields(kind, fields), serial, now)
        else:
            message = status_message(now=now, device_id=device_id)
            return Decoded("other", device_id, (message,), reply)
    except BadFrame as error:
        return unreadable(error, device_id, stated=device_id, reply=reply)
    if fault is not None:
        return unreadable(fault, device_id, stated=device_id, reply=reply, readable=(message,))
    is_relay_cut = relay_without_place(message, attributes)
    return Decoded(kind_of((message,)), device_id, (message,), reply, is_relay_cut=is_relay_cut)


def _answer(fields: list[str], prefix: str) -> CommandAnswer:
    """An answer echoes the command: by its name, `ST300CMD;Res;id;software;Enable1`, or group and number, `RES;id;04;01`."""
    if not prefix:
        return CommandAnswer(";".join(fields[2:]), name=";".join(fields[2:4]), is_success=True)
    return CommandAnswer(";".join(fields[3:]), name=field_at(fields, 4), is_success=True)


def _serial_data(frame: bytes) -> tuple[dict[str, Any], BadFrame | None]:
    """The attribute of the data in a UEX frame. Raises BadFrame where length or checksum are not theirs."""
    place = _serial_place(frame, 0, len(frame))
    if place is None:
        return {}, BadFrame("unknown_layout", "The serial data do not stand where they are looked for.")
    if not _is_intact(frame, place):
        raise BadFrame("wrong_checksum", "The serial data have not the length and the checksum that are stated.")
    return present(serial=text_of(frame[place]).strip() or None), None


def _classic_report(
    prefix: str, kind: str, device_id: str, fields: list[str], serial: dict[str, Any], now: datetime
) -> tuple[dict[str, Any], DeviceMessage]:
    date = _date_index(prefix, fields)
    place = date + 2 + _CELL_FIELDS.get(prefix, 1)
    if len(fields) < place + 6:
        raise BadFrame("too_short", "The report ends before its place does.")
    day, clock = fields[date], fields[date + 1]
    latitude, longitude, speed, course, satellites, fix = fields[place : place + 6]
    attributes = serial | present(sat=whole(satellites), rssi=whole(fields[place - 1]) if prefix == "ST600" else None)
    if not prefix.startswith("ST4"):
        attributes |= _vehicle(kind, fields[place + 6 :])
    message = fix_message(
        now=now,
        device_id=device_id,
        timestamp=iso_utc(day[:4], day[4:6], day[6:], clock),
        latitude=number_or_text(latitude),
        longitude=number_or_text(longitude),
        speed_kph=number_or_text(speed),
        course_degrees=number_or_text(course),
        attributes=attributes,
        is_valid=fix == "1",
    )
    return attributes, message


def _date_index(prefix: str, fields: list[str]) -> int:
    """The field of the date, behind the model where there is one; ST400 has seven cells before it."""
    expected = 4 if prefix[2] in "356" else 3
    if _DATE.fullmatch(field_at(fields, expected)):
        return expected
    pairs = pairwise(fields)
    return next(
        (at for at, (day, clock) in enumerate(pairs) if _DATE.fullmatch(day) and _CLOCK.fullmatch(clock)), expected
    )


def _vehicle(kind: str, fields: list[str]) -> dict[str, Any]:
    """The attributes of a vehicle's tracker, from the distance on."""
    found = present(odometer=number(field_at(fields, 0)), power=number(field_at(fields, 1)))
    inputs, code, rest = field_at(fields, 2), field_at(fields, 3), fields[4:]
    if len(inputs) >= 6 and set(inputs) <= {"0", "1"}:
        names = ("ignition", "in1", "in2", "in3", "out1", "out2")
        found |= {name: digit == "1" for name, digit in zip(names, inputs, strict=False)}
        found["blocked"] = found["out1"]
    if kind == "STT":
        found |= present(status=whole(code), index=whole(field_at(rest, 0)))
    elif kind != "UEX":
        found |= _alarm(kind, whole(code))
    return found | _hours_and_battery(rest)


def _alarm(kind: str, code: int | None) -> dict[str, Any]:
    """The alarm of an emergency's or an alert's number; one that is not known, and that of an input, is an event."""
    names = _EMERGENCIES if kind == "EMG" else _ALERTS if kind == "ALT" else {}
    return {"alarm": names[code]} if code in names else present(event=code)


def _hours_and_battery(fields: list[str]) -> dict[str, Any]:
    """Hours (minutes), backup voltage and 1 for real time or 0 for stored, where the tracker was set to send them."""
    for hours, volts, live in zip(fields, fields[1:], fields[2:], strict=False):
        minutes = whole(hours)
        if minutes is not None and _VOLTS.fullmatch(volts) and live in ("0", "1"):
            return present(hours=60_000 * minutes, battery=number(volts), archive=True if live == "0" else None)
    return {}


# --- Universal reports ------------------------------------------------------------------------------------------------


def _masked_fields(kind: str, fields: list[str]) -> dict[int, str]:
    """The fields by the bits of the mask that say they are there."""
    # Beacons come without a mask, as model, software, date, time and place.
    mask = 0x1836 if kind == "BLE" else hexadecimal(field_at(fields, 2))
    if mask is None:
        raise BadFrame("unknown_layout", "The third field must be the mask.")
    bits = [bit for bit in range(1, 19 if kind == "UEX" else 22) if mask >> bit & 1]
    values = dict(zip(bits, fields[2 if kind == "BLE" else 3 :], strict=False))
    check_place(mask, values)
    return values


def _decode_binary(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    kind, device_id, mask, values = read_binary(frame)
    session.memory[PREFIX] = ""
    reply = f"ACK;{device_id}".encode() if session.transport == "udp" else b""
    try:
        check_place(mask, values)
    except BadFrame as error:
        return unreadable(error, device_id, stated=device_id, reply=reply)
    attributes, message = _masked_report(kind, device_id, values, {}, now)
    is_relay_cut = relay_without_place(message, attributes)
    return Decoded(kind_of((message,)), device_id, (message,), reply, is_relay_cut=is_relay_cut)


def _masked_report(
    kind: str, device_id: str, values: dict[int, str], serial: dict[str, Any], now: datetime
) -> tuple[dict[str, Any], DeviceMessage]:
    """Attributes and message of a universal report: each field has the number of its bit."""
    get = values.get
    attributes = serial | present(
        sat=whole(get(15, "")), rssi=whole(get(10, "")), archive=True if get(3) == "0" else None
    )
    if set(inputs := get(17, "")) <= {"0", "1"}:
        names = ("ignition", "in1", "in2", "in3")
        attributes |= {name: digit == "1" for name, digit in zip(names, inputs[::-1], strict=False)}
    if (outputs := get(18, "")) and set(outputs) <= {"0", "1"}:
        attributes |= {name: digit == "1" for name, digit in zip(("out1", "out2", "out3"), outputs[::-1], strict=False)}
        attributes["blocked"] = attributes["out1"]
    code = whole(get(19, ""))
    if kind == "ALT":
        attributes |= _alarm(kind, code) | present(driverUniqueId=get(21) if code == _DRIVER_ALERT else None)
    elif kind == "STT":
        attributes |= present(status=code, index=whole(get(21, "")))
    day = get(4, "")
    message = fix_message(
        now=now,
        device_id=device_id,
        timestamp=iso_utc(day[:4], day[4:6], day[6:], get(5, "")),
        latitude=number_or_text(get(11, "")),
        longitude=number_or_text(get(12, "")),
        speed_kph=number_or_text(get(13, "")),
        course_degrees=number_or_text(get(14, "")),
        attributes=attributes,
        is_valid=kind == "BLE" or get(16, _assumed_fix(values)) == "1",
    )
    return attributes, message


def _assumed_fix(values: dict[int, str]) -> str:
    """Whether there is a fix where the mask leaves that out: there is with a place, unless without satellites."""
    return "1" if values.get(11) and values.get(12) and values.get(15) != "0" else "0"


PROTOCOL = TrackerProtocol(
    name="suntech",
    label="Suntech",
    port=5011,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(TEXTS),
    memories=({PREFIX: DEFAULT_PREFIX}, {PREFIX: ""}),
)
