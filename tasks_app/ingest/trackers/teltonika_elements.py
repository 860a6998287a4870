"""IO elements of Teltonika's records: their attributes. An element without a name here is `io<id>`."""

from __future__ import annotations

from typing import Any

from tasks_app.ingest.trackers.messages import joined_alarms

_FLAGS = {
    **{1: "in1", 2: "in2", 3: "in3", 4: "in4"},
    **{179: "out1", 180: "out2", 380: "out3"},
    **{239: "ignition", 240: "motion"},
}
# Name and factor; a factor of 1 leaves an integer.
_NUMBERS: dict[int, tuple[str, float]] = {
    9: ("adc1", 0.001),
    16: ("odometer", 1),
    21: ("rssi", 1),
    66: ("power", 0.001),
    67: ("battery", 0.001),
    113: ("batteryLevel", 1),
    181: ("pdop", 0.1),
    182: ("hdop", 0.1),
    199: ("tripOdometer", 1),
    241: ("operator", 1),
}
# Numbers with a sign: bytes, factor, and the most that is no code of an error.
_SIGNED: dict[int, tuple[str, int, float, int]] = {
    **{17: ("axisX", 2, 1, 32_767), 18: ("axisY", 2, 1, 32_767), 19: ("axisZ", 2, 1, 32_767)},
    **{element: (f"temp{number}", 4, 0.1, 1250) for number, element in enumerate((72, 73, 74, 75), 1)},
}
_ALARMS = {236: "sos", 246: "tow", 247: "accident", 249: "jamming", 251: "idle", 252: "powerCut", 255: "overspeed"}
_GREEN_DRIVING = {1: "hardAcceleration", 2: "hardBraking", 3: "hardCornering"}
# Said again by these.
_IN_RECORD = frozenset({24})
_FIRST_OUTPUT, _GREEN_DRIVING_TYPE, _IBUTTON, _VIN = 179, 253, 78, 256
_INPUTS = frozenset({1, 2, 3, 4})
_PANIC = 2


def element_attributes(
    elements: dict[int, int], texts: dict[int, bytes], *, event: int, priority: int, relay_output: int = 1
) -> dict[str, Any]:
    """The attributes of a record. The priority panic is an alarm by itself: by an input SOS, else general.

    The relay of the engine hangs on `relay_output`, 1 or 2.
    """
    attributes: dict[str, Any] = {"event": event} if event else {}
    alarms: list[str] = []
    for element, value in elements.items():
        if element in _FLAGS:
            attributes[_FLAGS[element]] = value != 0
        elif element in _NUMBERS:
            name, factor = _NUMBERS[element]
            attributes[name] = value if factor == 1 else round(value * factor, 3)
        elif element in _ALARMS:
            if value:
                alarms.append(_ALARMS[element])
        elif element == _GREEN_DRIVING_TYPE:
            alarms.append(_GREEN_DRIVING.get(value, ""))
        elif element == _IBUTTON:
            attributes.update(_driver(value))
        elif element in _SIGNED:
            attributes.update(_signed(value, *_SIGNED[element]))
        elif element not in _IN_RECORD:
            attributes[f"io{element}"] = value
    relay = _FIRST_OUTPUT + relay_output - 1
    if relay in elements:
        attributes["blocked"] = elements[relay] != 0
    if priority == _PANIC:
        alarms = alarms or ["sos" if event in _INPUTS else "general"]
    for element, data in texts.items():
        attributes.update(_text(element, data))
    return {**attributes, **joined_alarms(alarms)} if alarms else attributes


def _signed(value: int, name: str, size_bytes: int, factor: float, highest: int) -> dict[str, Any]:
    sign = 1 << (8 * size_bytes - 1)
    signed = (value ^ sign) - sign if value < 2 * sign else value
    if signed > highest:
        return {}
    return {name: signed if factor == 1 else round(signed * factor, 3)}


def _driver(value: int) -> dict[str, Any]:
    """The id of a key, whose bytes come in reverse order; nothing without a key."""
    return {"driverUniqueId": value.to_bytes(8, "little").hex().upper()} if value else {}


def _text(element: int, data: bytes) -> dict[str, Any]:
    if element == _VIN:
        return {"vin": data.decode("ascii", "replace").strip("\x00 ")}
    return {f"io{element}": data.hex()}
