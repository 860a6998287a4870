"""Messages of a Traccar server: each position as {"position": {...}, "device": {...}}, each event with an "event" beside.

Format of Traccar 6 with forward.type=json and event.forward.type=json (https://www.traccar.org/forward/): speed in
knots, course in degrees, altitude and accuracy in meters, 0 for an unknown accuracy, times in ISO-8601 with an offset.
The device is who its `uniqueId` says; Traccar's own row numbers (id, deviceId, geofenceIds) mean nothing here.

For a message without a fix Traccar forwards a copy of the last one it knows, with that one's `fixTime` and the message's own
`deviceTime`; for a device that never had one, the place 0, 0 in 1980 (its OutdatedHandler).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.message import DeviceMessage, stated_device_id, to_kph
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, unlocated_alarm
from tasks_app.ingest.validate import InvalidFix, make_fix, parse_live_timestamp, shown


def parse_forward(body: bytes, *, now: datetime) -> DeviceMessage:
    """The message in a forwarded body; an event without a position says something about the device only.

    Raises BodyError for a body that cannot be read or names no device; whatever else is wrong makes a RejectedFix.
    """
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise BodyError("wrong_shape", _("The body must be a JSON object, not %(value)s.") % {"value": shown(decoded)})
    device = decoded.get("device")
    if not isinstance(device, dict):
        raise BodyError("missing_device_id", _("The body must have a member device with its uniqueId."))
    device_id = stated_device_id(device.get("uniqueId"))
    content: Fix | RejectedFix | None
    try:
        content = _content(device_id, decoded, now)
    except InvalidFix as error:
        content = RejectedFix(0, error.code, error.detail)
    unlocated = _unlocated(device_id, decoded, content, now)
    if unlocated is not None and isinstance(content, RejectedFix):
        content = None
    name = device.get("name")
    is_from_device = content is not None or unlocated is not None or _event_type(decoded) == "deviceOnline"
    return DeviceMessage(device_id, content, unlocated, name if isinstance(name, str) else "", is_from_device)


def _event_type(decoded: dict[str, Any]) -> str | None:
    event = decoded.get("event")
    kind = event.get("type") if isinstance(event, dict) else None
    return kind if isinstance(kind, str) else None


def _content(device_id: str, decoded: dict[str, Any], now: datetime) -> Fix | None:
    position = decoded.get("position")
    if position is None and _event_type(decoded) is not None:
        return None
    if not isinstance(position, dict):
        detail = _("%(name)s must be a JSON object, not %(value)s.") % {"name": "position", "value": shown(position)}
        raise InvalidFix("missing_position", detail)
    return make_fix(
        is_live=True,
        now=now,
        device_id=device_id,
        timestamp=position.get("fixTime"),
        latitude=position.get("latitude"),
        longitude=position.get("longitude"),
        speed_kph=to_kph(position.get("speed"), "knots"),
        course_degrees=position.get("course"),
        altitude_meters=position.get("altitude"),
        accuracy_meters=known_accuracy(position.get("accuracy")),
        attributes=attributes_of(position, _event_type(decoded)),
    )


def _unlocated(
    device_id: str, decoded: dict[str, Any], content: Fix | RejectedFix | None, now: datetime
) -> UnlocatedAlarm | None:
    """The alarms in a message whose fix is unusable or the copy of an older one."""
    position, event = (part if isinstance(part := decoded.get(name), dict) else {} for name in ("position", "event"))
    own_time = position.get("deviceTime") or event.get("eventTime")
    fix_time = content.fix_time if isinstance(content, Fix) else None
    if fix_time is not None and not _is_after(own_time, fix_time, now):
        return None
    for attributes in (position.get("attributes"), event.get("attributes")):
        unlocated = unlocated_alarm(
            device_id=device_id, timestamp=own_time, attributes=attributes, now=now, copied_fix_time=fix_time
        )
        if unlocated is not None:
            return unlocated
    return None


def _is_after(timestamp: object, fix_time: datetime, now: datetime) -> bool:
    try:
        return parse_live_timestamp(timestamp, now=now)[0] > fix_time
    except InvalidFix:
        return False


def known_accuracy(accuracy: object) -> object:
    """None for the 0 that Traccar writes where the device said nothing of it."""
    return None if accuracy == 0 and not isinstance(accuracy, bool) else accuracy


def attributes_of(position: dict[str, Any], event_type: str | None = None) -> object:
    """Return the attributes of a position of Traccar; what is no object is left for `make_fix` to judge."""
    attributes = position.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        return attributes
    found: dict[str, Any] = dict(attributes or {})
    if position.get("valid") is False:
        found["valid"] = False
    for name in ("protocol", "network"):
        if position.get(name):
            found[name] = position[name]
    if event_type is not None:
        found["event"] = event_type
    return found
