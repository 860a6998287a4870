"""The OsmAnd protocol, which the phone app Traccar Client speaks in three generations (https://www.traccar.org/osmand/).

    up to 8.x   everything in the query string, as in ?id=7&timestamp=1764000000&lat=-23.5&lon=-46.6&speed=12
    9.x         a JSON body {"device_id": "7", "location": {"timestamp", "coords": {...}, "battery": {...}, ...}}
    from 10.x   the keys of the query string as a form body

Units of the format: degrees, meters, battery in percent; speed is in knots in the query and the form unless the caller
says otherwise, in m/s in JSON, where the battery is a fraction. Whatever is not known becomes an attribute of its name.

GPSLogger's custom URL with its own names (%ALL, or the same by hand) is read too: `spd` marks it, a speed in m/s, and then
`alt`, `acc`, `dir` and `time` count. (Without `spd` an `acc` may well be an ignition.)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import parse_qs

from django.utils.translation import gettext as _

from tasks_app.ingest.attributes import BATTERY
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.message import DeviceMessage, refused_or_alarm, stated_device_id, to_kph
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, has_alarm, unlocated_alarm
from tasks_app.ingest.validate import InvalidFix, is_minus_one, make_fix, shown, with_zone

Parameters = Mapping[str, Sequence[str]]

MAX_PARAMETERS = 200
MAX_NETWORK_ENTRIES = 20
_POSITION_KEYS = {
    *("id", "deviceid", "lat", "lon", "location", "timestamp", "valid", "speed", "bearing", "heading", "altitude"),
    *("accuracy", "batt", "charge", "cell", "wifi"),
    # For sending commands to the phone, which is a secret of the phone's and no business of the map.
    "notificationToken",
}
# Attributes that stay as they are written, also where they look like a number.
_TEXTS = ("driverUniqueId", "result")
# GPSLogger's names of the quantities, and of what says the same again (its CustomUrlManager).
_GPSLOGGER_NAMES = {"alt": "altitude", "acc": "accuracy", "dir": "bearing", "time": "timestamp", "spd": "speed"}
_GPSLOGGER_TWICE = {"spd_kph", "timeoffset", "date"}
_LOST_PLUS = re.compile(r"([Tt ][0-9:.,]+) ([0-9]{2}(?::?[0-9]{2})?)$")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BOOLEANS = {"true": True, "false": False}


def form_parameters(body: bytes) -> dict[str, list[str]]:
    """The parameters of a form body. Raises BodyError when there are more than 200."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise BodyError(
            "wrong_shape", _("A message has at most %(count)d parameters.") % {"count": MAX_PARAMETERS}
        ) from error


def parse_parameters(
    parameters: Parameters, *, now: datetime, zone: tzinfo = UTC, speed_unit: str = "knots"
) -> DeviceMessage:
    """The message in a query string or a form; of a parameter that comes twice the last counts.

    `zone` is that of times like "2026-01-31 12:00:00", `speed_unit` one of message.KPH_PER. Raises BodyError without a
    usable id; any other fault makes a RejectedFix, or an unlocated alarm where it carries one.
    """
    if "spd" in parameters:
        parameters, speed_unit = _from_gpslogger(parameters), "mps"
    device_id = stated_device_id(_last(parameters, "id") or _last(parameters, "deviceid"))
    latitude, longitude = _place(parameters)
    attributes = _attributes(parameters)
    # A heartbeat of a phone that stands still; an alarm, though, must not get lost for want of a place.
    if not latitude and not longitude and not has_alarm(attributes):
        return DeviceMessage(device_id, None)
    timestamp = _timestamp(_last(parameters, "timestamp"), now, zone)
    try:
        fix = make_fix(
            is_live=True,
            now=now,
            device_id=device_id,
            timestamp=timestamp,
            latitude=_number(latitude),
            longitude=_number(longitude),
            speed_kph=to_kph(_number(_last(parameters, "speed")), speed_unit),
            course_degrees=_number(_last(parameters, "bearing") or _last(parameters, "heading")),
            altitude_meters=_number(_last(parameters, "altitude")),
            accuracy_meters=_number(_last(parameters, "accuracy")),
            attributes=attributes,
        )
    except InvalidFix as error:
        unlocated = unlocated_alarm(device_id=device_id, timestamp=timestamp, attributes=attributes, now=now)
        return refused_or_alarm(device_id, error, unlocated)
    return DeviceMessage(device_id, fix)


def parse_json(body: bytes, *, now: datetime) -> DeviceMessage:
    """The message in a JSON body. Raises BodyError for one that cannot be read or has no usable device_id."""
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise BodyError("wrong_shape", _("The body must be a JSON object, not %(value)s.") % {"value": shown(decoded)})
    device_id = stated_device_id(decoded.get("device_id"))
    location = decoded.get("location")
    try:
        return DeviceMessage(device_id, _location(device_id, location, now))
    except InvalidFix as error:
        return refused_or_alarm(device_id, error, _unlocated(device_id, location, now))


# --- Query and form ---------------------------------------------------------------------------------------------------


def _last(parameters: Parameters, name: str) -> str:
    values = parameters.get(name) or [""]
    return values[-1].strip()


def _from_gpslogger(parameters: Parameters) -> Parameters:
    """The parameters by OsmAnd's names; what stands there under both counts as OsmAnd's, but the speed."""
    own = {_GPSLOGGER_NAMES[name]: values for name, values in parameters.items() if name in _GPSLOGGER_NAMES}
    dropped = {*_GPSLOGGER_NAMES, *_GPSLOGGER_TWICE, "speed"}
    return {**own, **{name: values for name, values in parameters.items() if name not in dropped}}


def _place(parameters: Parameters) -> tuple[str, str]:
    if location := _last(parameters, "location"):
        latitude, _, longitude = location.partition(",")
        return latitude.strip(), longitude.strip()
    return _last(parameters, "lat"), _last(parameters, "lon")


def _timestamp(text: str, now: datetime, zone: tzinfo) -> object:
    """Epoch seconds or milliseconds, or a time in ISO 8601, of `zone` where it states none; `now` where there is none."""
    if not text:
        return now.isoformat()
    if _INTEGER.fullmatch(text):
        return int(text)
    # An offset's plus sign is a space in a decoded query string in which it was not encoded.
    return with_zone(_LOST_PLUS.sub(r"\1+\2", text), zone)


def _number(text: str) -> float | str | None:
    """A finite number, else the text, for the rules to refuse; None where there is none."""
    if not text:
        return None
    value = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return value if math.isfinite(value) else text


def _attributes(parameters: Parameters) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: text if name in _TEXTS else _typed(text)
        for name in parameters
        if name not in _POSITION_KEYS and (text := _last(parameters, name))
    }
    level = _number(_last(parameters, "batt"))
    if level is not None and not is_minus_one(level):
        found[BATTERY] = level
    if charge := _last(parameters, "charge"):
        found["charge"] = charge.lower() == "true"
    if (valid := _last(parameters, "valid").lower()) and valid not in ("true", "1"):
        found["valid"] = False
    if network := _network(parameters):
        found["network"] = network
    return found


def _typed(text: str) -> float | bool | str:
    """An attribute as a number or a bool where it is one."""
    value = _number(text)
    return value if isinstance(value, float) else _BOOLEANS.get(text.lower(), text)


def _network(parameters: Parameters) -> dict[str, Any]:
    cells = [cell for text in parameters.get("cell", ())[:MAX_NETWORK_ENTRIES] if (cell := _cell(text))]
    points = [point for text in parameters.get("wifi", ())[:MAX_NETWORK_ENTRIES] if (point := _wifi(text))]
    return {name: found for name, found in (("cellTowers", cells), ("wifiAccessPoints", points)) if found}


def _cell(text: str) -> dict[str, int] | None:
    """mcc,mnc,lac,cid[,signal]; one that cannot be read costs nothing else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (4, 5) or not all(_INTEGER.fullmatch(part) and len(part) < 13 for part in parts):
        return None
    names = ("mobileCountryCode", "mobileNetworkCode", "locationAreaCode", "cellId", "signalStrength")
    return dict(zip(names, map(int, parts), strict=False))


def _wifi(text: str) -> dict[str, Any] | None:
    """mac,rssi, with dashes in the address."""
    address, _, strength = (part.strip() for part in text.partition(","))
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}[-:]){5}[0-9A-Fa-f]{2}", address):
        return None
    point: dict[str, Any] = {"macAddress": address.replace("-", ":")}
    return point | ({"signalStrength": int(strength)} if re.fullmatch(r"-?[0-9]{1,4}", strength) else {})


# --- JSON -------------------------------------------------------------------------------------------------------------


def _location(device_id: str, location: object, now: datetime) -> Fix | None:
    if not isinstance(location, dict):
        detail = _("%(name)s must be a JSON object, not %(value)s.") % {"name": "location", "value": shown(location)}
        raise InvalidFix("missing_location", detail)
    coords = location.get("coords")
    attributes = _json_attributes(location)
    if coords is None and not has_alarm(attributes):
        return None
    if coords is not None and not isinstance(coords, dict):
        detail = _("%(name)s must be a JSON object, not %(value)s.") % {"name": "coords", "value": shown(coords)}
        raise InvalidFix("invalid_coords", detail)
    coords = coords or {}
    return make_fix(
        is_live=True,
        now=now,
        device_id=device_id,
        timestamp=location.get("timestamp"),
        latitude=coords.get("latitude"),
        longitude=coords.get("longitude"),
        speed_kph=to_kph(coords.get("speed"), "mps"),
        course_degrees=coords.get("heading"),
        altitude_meters=coords.get("altitude"),
        accuracy_meters=coords.get("accuracy"),
        attributes=attributes,
    )


def _unlocated(device_id: str, location: object, now: datetime) -> UnlocatedAlarm | None:
    if not isinstance(location, dict):
        return None
    timestamp, attributes = location.get("timestamp"), _json_attributes(location)
    return unlocated_alarm(device_id=device_id, timestamp=timestamp, attributes=attributes, now=now)


def _json_attributes(location: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a location; a member of another type than it should have is left out."""
    extras = location.get("extras")
    found = dict(extras) if isinstance(extras, dict) else {}
    found = {name: value for name, value in found.items() if isinstance(value, str | int | float)}
    for name, attribute, kind in (
        ("is_moving", "motion", bool),
        ("odometer", "odometer", int | float),
        ("event", "event", str),
        ("mock", "mock", bool),
        ("alarm", "alarm", str),
    ):
        value = location.get(name)
        if isinstance(value, kind) and isinstance(value, bool) is (kind is bool) and value != "":
            found[attribute] = value
    activity = location.get("activity")
    if isinstance(activity, dict) and isinstance(activity.get("type"), str):
        found["activity"] = activity["type"]
    return found | _battery(location.get("battery"))


def _battery(battery: object) -> dict[str, Any]:
    if not isinstance(battery, dict):
        return {}
    level = battery.get("level")
    found: dict[str, Any] = {}
    if isinstance(level, int | float) and not isinstance(level, bool) and 0 <= level <= 1:
        # Rounded first: 0.29 of one is 28.999... in binary.
        found[BATTERY] = int(round(level * 100, 6))
    elif level is not None and not is_minus_one(level):
        found[BATTERY] = "NaN"
    return found | ({"charge": True} if battery.get("is_charging") is True else {})
