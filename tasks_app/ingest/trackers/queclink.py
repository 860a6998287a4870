"""Queclink @Track, as text: vehicles (GV, CV, GMT), assets (GL, GB) and people (GT).

    +RESP:GTFRI,060100,135790246811220,,,00,1,1,4.3,92,70.0,121.354335,31.222073,20090214013254,...,20090214093254,11F0$

Fields differ from model to model, so that a report is read by anchors: longitude, latitude and fix time stand side by side,
the status of a vehicle is six hexadecimal digits, send time and count are the last. Speeds are km/h, mileage is km, fix times
are UTC; the send time is local where the tracker was set so, and counts only for alarms without a place.

Every report and heartbeat is acknowledged by its count. A tracker whose SACK is off ignores that; one whose SACK is on keeps
and repeats what was not acknowledged. Commands need the password: that of the factory, which is the model's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
    InvalidCommand,
    OutgoingCommand,
    TrackerProtocol,
    TrackerSession,
)
from tasks_app.ingest.trackers.command_texts import Texts, command_text
from tasks_app.ingest.trackers.messages import (
    epoch_seconds,
    fix_message,
    keep_status,
    kind_of,
    relay_without_place,
    status_message,
    unreadable,
    with_status,
)
from tasks_app.ingest.trackers.text_fields import (
    clock_of,
    cut_text,
    field_at,
    hexadecimal,
    iso_utc,
    number,
    number_or_text,
    present,
    text_of,
    whole,
)

# Reports of 15 points, or with accessories and CAN data.
MAX_FRAME_BYTES = 4096
# The protocol version that was heard, which begins with the model.
VERSION = "queclink_version"
DEFAULT_MODEL = "gv300"
MAX_COMMAND_LENGTH = 500

_STARTS = (b"+RESP:", b"+BUFF:", b"+ACK:")
_END = re.compile(rb"\$")
_ANY_START = re.compile(rb"\+(?:RESP|BUFF|ACK):")
# Frames of the other mode, which is binary and not read.
_HEX_START = re.compile(rb"\+(?:RSP|EVT|BSP|BVT|INF|ACK)[^:]", re.DOTALL)
_HEAD = re.compile(r"\+(RESP|BUFF|ACK):(GT[A-Z0-9]{3})")
_DEVICE_ID = re.compile(r"[0-9]{15}|[0-9A-F]{14}")
_DEGREES = re.compile(r"-?[0-9]{1,3}\.[0-9]{6}")
_TIME = re.compile(r"[0-9]{14}")
_MILEAGE_KM = re.compile(r"[0-9]{1,7}\.[0-9]{1,2}")
_HOURS = re.compile(r"([0-9]{1,7}):([0-9]{2}):([0-9]{2})")
_STATE = re.compile(r"(11|12|16|1A|21|22|41|42)([0-9A-F]{2})([0-9A-F]{2})")
_SERIAL = re.compile(r"[0-9A-F]{4}")
_MILLIVOLTS = re.compile(r"[0-9]{4,5}")

# Ignition and motion by the first byte of the status; sensors (41, 42) know nothing of an ignition.
_STATES: dict[str, dict[str, Any]] = {
    "11": {"ignition": False, "motion": False},
    "12": {"ignition": False, "motion": True},
    "16": {"ignition": False, "motion": True},
    "1A": {"ignition": False, "motion": True},
    "21": {"ignition": True, "motion": False},
    "22": {"ignition": True, "motion": True},
    "41": {"motion": False},
    "42": {"motion": True},
}
_ALARMS = {
    **{
        "GTSOS": "sos",
        "GTSPD": "overspeed",
        "GTTOW": "tow",
        "GTIDN": "idle",
        "GTBPL": "lowBattery",
        "GTTMP": "temperature",
    },
    **{"GTPNA": "powerOn", "GTPFA": "powerOff", "GTMPN": "powerRestored", "GTEPN": "powerRestored"},
    **{"GTMPF": "powerCut", "GTEPF": "powerCut", "GTJDR": "jamming", "GTJDS": "jamming"},
}
_FIXED = frozenset({"GTFRI", "GTERI"})
_IGNITION = {"GTIGN": True, "GTVGN": True, "GTIGF": False, "GTVGF": False}
# Alarms by the second digit of the report's id and type.
_HARSH = {
    "0": "hardBraking",
    "3": "hardBraking",
    "1": "hardAcceleration",
    "4": "hardAcceleration",
    "2": "hardCornering",
}
_FENCE = {"0": "geofenceExit", "1": "geofenceEnter"}

# Reports of assets end with the battery level.
_BATTERY_LAST = frozenset({"GTFRI", "GTRTL", "GTSOS", "GTNMR", "GTGEO", "GTSPD", "GTDOG"})


def cut(buffer: bytes, session: TrackerSession) -> Cut:
    """Cut texts. Binary frames up to the next text are one frame, which is counted as what it is."""
    if _HEX_START.match(buffer):
        following = _ANY_START.search(buffer, 1)
        end = min(following.start() if following else len(buffer), MAX_FRAME_BYTES)
        return Cut([buffer[:end]], end)
    return cut_text(buffer, session, starts=_STARTS, ends=_END, max_bytes=MAX_FRAME_BYTES)


# --- Reports ----------------------------------------------------------------------------------------------------------


def decode(frame: bytes, session: TrackerSession, now: datetime) -> Decoded:
    if _HEX_START.match(frame):
        raise BadFrame("hex_mode", "Frames of the HEX mode are not read: set the tracker to ASCII.")
    fields = text_of(frame).strip().removesuffix("$").split(",")
    head = _HEAD.fullmatch(fields[0])
    if head is None:
        raise BadFrame("unknown_type", f"No message of Queclink begins with {fields[0][:20]!r}.")
    version, device_id, count = field_at(fields, 1), field_at(fields, 2), fields[-1].strip()
    if not _DEVICE_ID.fullmatch(device_id):
        raise BadFrame("missing_device_id", "The third field must be the device's IMEI.")
    if len(fields) < 5 or not _SERIAL.fullmatch(count):
        raise BadFrame("too_short", "The last field must be the count.")
    session.memory[VERSION] = version
    if head[2] == "GTHBD":
        life = status_message(now=now, device_id=device_id)
        return Decoded("heartbeat", device_id, (life,), f"+SACK:GTHBD,{version},{count}$".encode())
    if head[1] == "ACK":
        answer = CommandAnswer(
            ",".join([head[2], *filter(None, fields[4:-3])]), token=fields[-3].strip(), name=head[2], is_success=True
        )
        return Decoded("answer", device_id, (status_message(now=now, device_id=device_id),), answer=answer)
    points = _points(fields)
    if not points and head[2] in _FIXED and _has_place(fields):
        fault = BadFrame("unknown_layout", "The place or its time cannot be read.")
        return unreadable(fault, device_id, stated=device_id, reply=f"+SACK:{count}$".encode())
    attributes = _attributes(head[2], fields, points) | present(archive=True if head[1] == "BUFF" else None)
    messages = tuple(_messages(device_id, fields, points, attributes, session, now))
    if head[2] in _IGNITION:
        # The next report of a place may not say it again.
        keep_status(session, {"ignition": _IGNITION[head[2]]}, now)
    is_relay_cut = relay_without_place(messages[-1], attributes)
    return Decoded(kind_of(messages), device_id, messages, f"+SACK:{count}$".encode(), is_relay_cut=is_relay_cut)


def _points(fields: list[str]) -> list[int]:
    """The places of longitudes: latitude and fix time follow them, accuracy, speed, azimuth and altitude stand before."""
    return [
        at
        for at in range(7, len(fields) - 4)
        if _TIME.fullmatch(fields[at + 2]) and (_DEGREES.fullmatch(fields[at]) or _DEGREES.fullmatch(fields[at + 1]))
    ]


def _has_place(fields: list[str]) -> bool:
    """Whether something stands where a place and its time would: two values before a time, or degrees before something else."""
    trios = zip(fields[7:-4], fields[8:-3], fields[9:-2], strict=True)
    return any(
        one and two and time and (_TIME.fullmatch(time) or (_DEGREES.fullmatch(one) and _DEGREES.fullmatch(two)))
        for one, two, time in trios
    )


def _messages(
    device_id: str,
    fields: list[str],
    points: list[int],
    attributes: dict[str, Any],
    session: TrackerSession,
    now: datetime,
) -> Iterator[DeviceMessage]:
    """A fix for each point, the last of them with all that the report says. Accuracy 0 is that of an older place."""
    for at in points:
        hdop = number(field_at(fields, at - 4))
        is_last = at == points[-1]
        if hdop == 0 and is_last:
            break
        measured = present(hdop=hdop, archive=attributes.get("archive"))
        day = fields[at + 2]
        timestamp = iso_utc(day[:4], day[4:6], day[6:8], clock_of(day[8:]))
        if is_last:
            measured |= attributes if "archive" in attributes else with_status(session, attributes, now, timestamp)
        yield fix_message(
            now=now,
            device_id=device_id,
            timestamp=timestamp,
            latitude=number_or_text(fields[at + 1]),
            longitude=number_or_text(fields[at]),
            speed_kph=number_or_text(field_at(fields, at - 3)),
            course_degrees=number_or_text(field_at(fields, at - 2)),
            altitude_meters=number_or_text(field_at(fields, at - 1)),
            attributes=measured,
            is_valid=hdop != 0,
        )
        if is_last:
            return
    if "archive" not in attributes:
        keep_status(session, attributes, now)
    sent_at = _sent_at(fields[-2].strip(), session.zone_minutes or 0)
    yield status_message(now=now, device_id=device_id, timestamp=sent_at, attributes=attributes)


def _sent_at(digits: str, zone_minutes: int) -> float | str | None:
    if not _TIME.fullmatch(digits):
        return None
    parts = (int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2)))
    return epoch_seconds(*parts, zone_minutes=zone_minutes)


def _attributes(head: str, fields: list[str], points: list[int]) -> dict[str, Any]:
    """Alarm, ignition and power by the head and the fields before the first point, all else by anchors behind the last."""
    code = field_at(fields, points[0] - 6 if points else 5)
    alarm = (
        _HARSH.get(code[-1:]) if head == "GTHBM" else _FENCE.get(code[-1:]) if head == "GTGEO" else _ALARMS.get(head)
    )
    found = present(alarm=alarm, ignition=_IGNITION.get(head))
    if head == "GTSTT":
        found |= _STATES.get(field_at(fields, points[0] - 5 if points else 4), {})
    if head == "GTINF":
        return found | _STATES.get(field_at(fields, 4), {}) | present(rssi=whole(field_at(fields, 6)))
    if points and head in ("GTFRI", "GTERI") and _MILLIVOLTS.fullmatch(field_at(fields, points[0] - 7)):
        found["power"] = int(fields[points[0] - 7]) / 1000
    if points:
        found |= _behind_the_place(head, fields[points[-1] + 3 : -2])
    return found


def _behind_the_place(head: str, fields: list[str]) -> dict[str, Any]:
    """Attributes behind the fix time: four fields of the cell, mileage, hours, inputs, battery and status in this order."""
    found: dict[str, Any] = {}
    state_at = next((at for at, field in enumerate(fields) if at > 4 and _STATE.fullmatch(field)), None)
    hours = next((match for field in fields[5:] if (match := _HOURS.fullmatch(field))), None)
    if state_at is not None:
        found |= _state(fields[state_at])
        found |= _percent(field_at(fields, state_at - 1))
        if (hexadecimal(fields[4]) or 0) & 1:
            found |= present(sat=whole(fields[5]))
    elif head in _BATTERY_LAST:
        found |= _percent(field_at(fields, len(fields) - 1))
    if hours:
        found["hours"] = (int(hours[1]) * 3600 + int(hours[2]) * 60 + int(hours[3])) * 1000
    if state_at is not None or hours or head in _IGNITION:
        kilometers = next((field for field in fields[4:8] if _MILEAGE_KM.fullmatch(field)), "")
        found |= {"odometer": round(float(kilometers) * 1000, 1)} if kilometers else {}
    return found


def _state(text: str) -> dict[str, Any]:
    """The status of a vehicle: what it does, its inputs and its outputs, the first of which cuts the engine."""
    inputs, outputs = int(text[2:4], 16), int(text[4:6], 16)
    switches = {"in1": bool(inputs & 2), "in2": bool(inputs & 4), "out1": bool(outputs & 1), "out2": bool(outputs & 2)}
    return {**_STATES[text[:2]], **switches, "blocked": bool(outputs & 1)}


def _percent(text: str) -> dict[str, Any]:
    level = whole(text) if len(text) <= 3 else None
    return {"batteryLevel": level} if level is not None and 0 <= level <= 100 else {}


# --- Commands ---------------------------------------------------------------------------------------------------------

# Numbers of AT+GTRTO.
_OPERATIONS = {
    "position_request": "1",
    "parameters_request": "2",
    "reboot": "3",
    "factory_reset": "4",
    "power_off": "5",
    "version_request": "8",
    "status_request": "B",
}
# Names of models, which are their passwords, by the beginning of the protocol version: two digits, of a long one six.
_MODELS = {
    **{
        "02": "gl200",
        "04": "gv200",
        "06": "gv300",
        "08": "gmt100",
        "09": "gv50",
        "0F": "gv55",
        "10": "gv55",
        "11": "gl500",
    },
    **{"1A": "gl300", "1F": "gv500", "21": "gl200", "25": "gv300", "27": "gv300w", "28": "gl300", "2C": "gl300w"},
    **{
        "2D": "gv500",
        "2F": "gv55",
        "30": "gl300",
        "31": "gv65",
        "35": "gv200",
        "36": "gv500",
        "3F": "gmt100",
        "40": "gl500",
    },
    **{
        "41": "gv75w",
        "42": "gt501",
        "44": "gl530",
        "45": "gb100",
        "4F": "gv56",
        "50": "gv55w",
        "52": "gl50",
        "55": "gl50",
    },
    **{
        "5E": "gv500",
        "6E": "gv310lau",
        "74": "gv350ceu",
        "BD": "cv200",
        "C2": "gv600m",
        "C3": "gl320m",
        "DC": "gv600mg",
    },
    **{"DE": "gl500m", "DF": "cv100", "F1": "gv350m", "F8": "gv800w", "FC": "gv600w"},
    **{"802004": "gv58lau", "802005": "gv355ceu", "80201E": "gv30ceu"},
}


def encode(command: OutgoingCommand, session: TrackerSession) -> EncodedCommand:
    """The command with the model's password; its answer echoes the serial, four hexadecimal digits of the attempt's number.

    A text is sent as it is: its own last field is the serial, where it is one.
    """
    text = command_text(command, session, _TEXTS, max_length=MAX_COMMAND_LENGTH).removesuffix("$")
    if "$" in text:
        raise InvalidCommand(_("A text is one command: it has no $ but at its end."), "text")
    serial = text.rpartition(",")[2] if command.type == "custom" else f"{command.number & 0xFFFF:04X}"
    text = f"{text}$" if command.type == "custom" else f"{text}{serial}$"
    name = text.removeprefix("AT+").partition("=")[0] if "=" in text else ""
    return EncodedCommand(text.encode("ascii"), text, token=serial if _SERIAL.fullmatch(serial) else "", name=name)


def _password(session: TrackerSession) -> str:
    """The password of the device's settings, else the factory's: that of the model that the protocol version names.

    Raises InvalidCommand for one not listed here.
    """
    if session.password:
        return session.password
    version = session.memory.get(VERSION, "")
    if not version:
        return DEFAULT_MODEL
    model = _MODELS.get(version[:6] if len(version) > 6 else version[:2])
    if model is None:
        raise InvalidCommand(_("The password of this model is not known: enter it in the device's settings."))
    return model


def _operation(number: str) -> Callable[[dict[str, Any], TrackerSession], str]:
    return lambda _parameters, session: f"AT+GTRTO={_password(session)},{number},,,,,,"


def _output(is_on: bool, session: TrackerSession) -> str:
    """Output 1 on or off for good, the others off."""
    return f"AT+GTOUT={_password(session)},{int(is_on)},,,0,0,0,0,0,0,0,,,,,,,"


def _one_output(parameters: dict[str, Any], session: TrackerSession) -> str:
    if parameters["output"] != 1:
        raise InvalidCommand(_("Only output 1 can be switched alone: the command sets all outputs."), "output")
    return _output(parameters["is_on"], session)


_TEXTS: Texts = {
    **{kind: _operation(number) for kind, number in _OPERATIONS.items()},
    "engine_stop": lambda _parameters, session: _output(True, session),
    "engine_resume": lambda _parameters, session: _output(False, session),
    "output": _one_output,
    "custom": lambda parameters, _session: str(parameters["text"]),
}

PROTOCOL = TrackerProtocol(
    name="queclink",
    label="Queclink",
    port=5004,
    cut=cut,
    decode=decode,
    encode=encode,
    command_types=frozenset(_TEXTS),
)
