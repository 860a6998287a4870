"""Locations of JT/T 808: places, states, alarms and the items behind them. Pure."""

from __future__ import annotations

from datetime import datetime
from struct import Struct
from struct import error as struct_error
from typing import Any

from tasks_app.ingest.message import DeviceMessage
from tasks_app.ingest.trackers.base import BadFrame, TrackerSession
from tasks_app.ingest.trackers.command_types import RELAY
from tasks_app.ingest.trackers.messages import epoch_seconds, fix_message, joined_alarms

CHINA_MINUTES = 480

# Alarms, states, latitude and longitude in 1e-6 degrees, altitude in m, speed in 0.1 km/h, course, time.
_PLACE = Struct(">IIIIhHH6s")
_PLACE_BYTES = _PLACE.size

# The circuits of oil and of power.
_RELAY_BITS = 0x0C00

_ALARMS = {
    **{0: "sos", 1: "overspeed", 2: "fatigueDriving", 4: "fault", 5: "gpsAntennaCut", 7: "lowPower", 8: "powerCut"},
    **{
        9: "fault",
        10: "fault",
        11: "fault",
        13: "overspeed",
        14: "fatigueDriving",
        18: "fatigueDriving",
        19: "parking",
    },
    **{20: "geofence", 24: "fault", 25: "fuelLeak", 26: "tow", 28: "tow", 29: "accident", 30: "accident", 31: "door"},
}
_ALARM_BITS = sum(1 << bit for bit in _ALARMS)


def is_relay_cut_in(body: bytes) -> bool:
    """Return the state of the engine's relay in a location. Raises struct.error."""
    return bool(_PLACE.unpack_from(body)[1] & _RELAY_BITS)


def locations(
    body: bytes, device_id: str, session: TrackerSession, now: datetime, *, is_batch: bool = False
) -> tuple[list[DeviceMessage], BadFrame | None]:
    """Return the locations of a body, one or those of a batch, and what of it cannot be read."""
    found: list[DeviceMessage] = []
    fault = None
    pieces, known = _pieces(body) if is_batch else ([body], {})
    for piece in pieces:
        try:
            found.append(_location(piece, device_id, session, now, known))
        except struct_error:
            fault = BadFrame("wrong_length", f"A location has at least {_PLACE_BYTES} bytes, not {len(piece)}.")
    if is_batch and fault is None:
        fault = _fault_of_batch(body, pieces)
    return found, fault


def _pieces(body: bytes) -> tuple[list[bytes], dict[str, Any]]:
    """The locations of a batch by their lengths, as many as there are, and the attributes of all of them."""
    at, count = 3, int.from_bytes(body[:2], "big")
    found: list[bytes] = []
    # Some fill up with zeros.
    while at + 2 <= len(body) and (len(found) < count or any(body[at:])):
        begin, at = at + 2, at + 2 + int.from_bytes(body[at : at + 2], "big")
        if at <= len(body):
            found.append(body[begin:at])
    return found, {"archive": True} if body[2:3] == b"\x01" else {}


def _fault_of_batch(body: bytes, pieces: list[bytes]) -> BadFrame | None:
    count = int.from_bytes(body[:2], "big")
    size = 3 + sum(2 + len(piece) for piece in pieces)
    if len(body) > 2 and count == len(pieces) and not any(body[size:]):
        return None
    sentence = f"The batch of {len(body)} bytes holds {len(pieces)} locations of {size} bytes in all, not {count}."
    return BadFrame("wrong_length", sentence)


def _location(
    body: bytes, device_id: str, session: TrackerSession, now: datetime, known: dict[str, Any]
) -> DeviceMessage:
    """The message of a location. Raises struct.error for one that is too short."""
    alarms, state, latitude, longitude, altitude, speed, course, time = _PLACE.unpack_from(body)
    attributes = {
        **known,
        "ignition": bool(state & 0x01),
        RELAY: bool(state & _RELAY_BITS),
        **_items(body[_PLACE_BYTES:]),
    }
    if alarms & _ALARM_BITS:
        attributes |= joined_alarms(name for bit, name in _ALARMS.items() if alarms >> bit & 1)
    return fix_message(
        now=now,
        device_id=device_id,
        timestamp=_timestamp(time.hex(), session),
        latitude=latitude / 1e6 * (-1 if state & 0x04 else 1),
        longitude=longitude / 1e6 * (-1 if state & 0x08 else 1),
        speed_kph=speed / 10,
        course_degrees=float(course),
        altitude_meters=float(altitude),
        attributes=attributes,
        is_valid=bool(state & 0x02),
    )


def _timestamp(digits: str, session: TrackerSession) -> float | str:
    if not digits.isdigit():
        return f"not a time: {digits}"
    year, *clock = (int(digits[at : at + 2]) for at in range(0, 12, 2))
    zone_minutes = CHINA_MINUTES if session.zone_minutes is None else session.zone_minutes
    return epoch_seconds(2000 + year, *clock, zone_minutes=zone_minutes)


def _items(data: bytes) -> dict[str, Any]:
    """The items behind a location; one that is cut off ends them, for vendors append what they like."""
    attributes: dict[str, Any] = {}
    at = 0
    while at + 2 <= len(data):
        item, length = data[at], data[at + 1]
        value = data[at + 2 : at + 2 + length]
        if len(value) < length:
            break
        at += 2 + length
        number = int.from_bytes(value, "big")
        if (item, length) in _ITEMS:
            name, factor = _ITEMS[item, length]
            attributes[name] = number * factor if isinstance(factor, int) else round(number * factor, 3)
        elif (item, length) == (0x2B, 4):
            attributes |= {"adc1": number & 0xFFFF, "adc2": number >> 16}
        elif value:
            attributes[f"io{item}"] = number if length <= 4 else value.hex()
    return attributes


# By id and length: name and factor.
_ITEMS: dict[tuple[int, int], tuple[str, float]] = {
    (0x01, 4): ("odometer", 100),
    (0x02, 2): ("fuel", 0.1),
    (0x03, 2): ("obdSpeed", 0.1),
    (0x30, 1): ("rssi", 1),
    (0x31, 1): ("sat", 1),
}
