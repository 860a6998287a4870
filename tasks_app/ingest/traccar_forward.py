"""What a Traccar server forwards: each position as {"position": {...}, "device": {...}}, each event with an "event" beside.

Format of Traccar 6 with forward.type=json and event.forward.type=json (https://www.traccar.org/forward/): speed in
knots, course in degrees, altitude and accuracy in meters, 0 for an unknown accuracy, times in ISO-8601 with an offset.
The device is who its `uniqueId` says; Traccar's own row numbers (id, deviceId, geofenceIds) mean nothing here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.message import DeviceMessage, stated_device_id, to_kph
from tasks_app.ingest.validate import InvalidFix, make_fix, shown


def parse_forward(body: bytes, *, now: datetime) -> DeviceMessage:
    """The message in a forwarded body; an event without a position says something about the device only.

    Raises BodyError for a body that cannot be read or names no device; whatever else is wrong makes a RejectedFix.
    """
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise BodyError("wrong_shape", f"The body must be a JSON object, not {shown(decoded)}.")
    device = decoded.get("device")
    if not isinstance(device, dict):
        raise BodyError("missing_device_id", "The body must have a member device with its uniqueId.")
    device_id = stated_device_id(device.get("uniqueId"))
    name = device.get("name")
    content: Fix | RejectedFix | None
    try:
        content = _content(device_id, decoded, now)
    except InvalidFix as error:
        content = RejectedFix(0, error.code, error.detail)
    is_from_device = content is not None or _event_type(decoded) == "deviceOnline"
    return DeviceMessage(device_id, content, name if isinstance(name, str) else "", is_from_device)


def _event_type(decoded: dict[str, Any]) -> str | None:
    event = decoded.get("event")
    kind = event.get("type") if isinstance(event, dict) else None
    return kind if isinstance(kind, str) else None


def _content(device_id: str, decoded: dict[str, Any], now: datetime) -> Fix | None:
    position = decoded.get("position")
    if position is None and _event_type(decoded) is not None:
        return None
    if not isinstance(position, dict):
        raise InvalidFix("missing_position", f"position must be a JSON object, not {shown(position)}.")
    accuracy = position.get("accuracy")
    return make_fix(
        now=now,
        device_id=device_id,
        timestamp=position.get("fixTime"),
        latitude=position.get("latitude"),
        longitude=position.get("longitude"),
        speed_kph=to_kph(position.get("speed"), "knots"),
        course_degrees=position.get("course"),
        altitude_meters=position.get("altitude"),
        accuracy_meters=None if accuracy == 0 and not isinstance(accuracy, bool) else accuracy,
        attributes=_attributes(position, _event_type(decoded)),
    )


def _attributes(position: dict[str, Any], event_type: str | None) -> dict[str, Any]:
    attributes = position.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise InvalidFix("invalid_attributes", f"attributes must be a JSON object, not {shown(attributes)}.")
    found: dict[str, Any] = dict(attributes or {})
    if position.get("valid") is False:
        found["valid"] = False
    for name in ("protocol", "network"):
        if position.get(name):
            found[name] = position[name]
    if event_type is not None:
        found["event"] = event_type
    return found
