"""Messages the OwnTracks apps post over HTTP (https://owntracks.org/booklet/tech/json): one JSON object, or a list of them.

Units of the format: degrees, altitude and accuracy in meters, `vel` in km/h, `batt` in percent, `tst` in epoch seconds.
`location` and `transition` (entering or leaving a region of the app's own) are fixes; every other `_type` says only that
the phone lives, but `lwt`, which is a broker's word about a phone that is gone. Encrypted messages cannot be read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.attributes import BATTERY
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.message import DeviceMessage, refused_or_alarm
from tasks_app.ingest.unlocated_alarms import unlocated_alarm
from tasks_app.ingest.validate import InvalidFix, check_device_id, is_minus_one, make_fix, shown

MAX_MESSAGES = 1000
_PLACES = ("location", "transition")
# Quantities, and what says nothing of where the phone was.
_NOT_ATTRIBUTES = {
    *("tst", "lat", "lon", "acc", "alt", "vel", "cog", "batt", "bs", "t", "inregions"),
    *("topic", "created_at", "wtst", "inrids", "rid"),
}
_IS_CHARGING = {1: False, 2: True, 3: True}


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a phone in OwnTracks: its user, the user's device, and two letters for the map; "" where not said."""

    user: str = ""
    device: str = ""
    letters: str = ""

    def identifiers(self) -> list[str]:
        """Unique ids that may be meant, the likeliest first; the first stands for an unknown phone."""
        both = f"{self.user}-{self.device}" if self.user and self.device else ""
        return [name for name in (both, self.device, self.user, self.letters) if name]


def decode_messages(body: bytes) -> list[object]:
    """The messages of a body, none of an empty one. Raises BodyError for one that cannot be read."""
    if not body.strip():
        return []
    decoded = decode_json(body)
    messages = decoded if isinstance(decoded, list) else [decoded]
    if len(messages) > MAX_MESSAGES:
        values = {"count": len(messages), "most": MAX_MESSAGES}
        raise BodyError("too_many_fixes", _("The body has %(count)d messages; at most %(most)d are accepted.") % values)
    return messages


def is_response(message: object) -> bool:
    """Whether the message answers a request for the phone's place."""
    return isinstance(message, dict) and message.get("t") == "r"


def names_in(message: object) -> Names:
    """The names a message states: its topic is owntracks/user/device."""
    if not isinstance(message, dict):
        return Names()
    topic = message.get("topic")
    parts = topic.split("/") if isinstance(topic, str) else []
    user, device = parts[1:3] if len(parts) > 2 and parts[0] == "owntracks" else ("", "")
    return Names(usable_name(user), usable_name(device), usable_name(message.get("tid")))


def usable_name(value: object) -> str:
    """The value where it can be a device's id, else an empty text."""
    try:
        return check_device_id(value)
    except InvalidFix:
        return ""


def parse_message(message: object, *, device_id: str, now: datetime) -> DeviceMessage:
    """One message of the device. A fault makes a RejectedFix, or an unlocated alarm where it carries one."""
    kind = message.get("_type") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(kind, str) or not kind:
        return _refused(
            device_id, "wrong_shape", f"A message must be a JSON object with a _type, not {shown(message)}."
        )
    if kind == "encrypted":
        detail = "The message is encrypted; leave the app's encryption key empty, HTTPS protects the way."
        return _refused(device_id, "encrypted", detail)
    if kind not in _PLACES:
        return DeviceMessage(device_id, None, is_from_device=kind != "lwt")
    attributes = _attributes(message, kind)
    try:
        return DeviceMessage(device_id, _fix(message, attributes, device_id, now))
    except InvalidFix as error:
        unlocated = unlocated_alarm(device_id=device_id, timestamp=message.get("tst"), attributes=attributes, now=now)
        return refused_or_alarm(device_id, error, unlocated)


def _refused(device_id: str, code: str, detail: str) -> DeviceMessage:
    return DeviceMessage(device_id, RejectedFix(0, code, detail))


def _fix(message: dict[str, Any], attributes: dict[str, Any], device_id: str, now: datetime) -> Fix:
    return make_fix(
        is_live=True,
        now=now,
        device_id=device_id,
        timestamp=message.get("tst"),
        latitude=message.get("lat"),
        longitude=message.get("lon"),
        speed_kph=message.get("vel"),
        course_degrees=message.get("cog"),
        altitude_meters=message.get("alt"),
        accuracy_meters=message.get("acc"),
        attributes=attributes,
    )


def _attributes(message: dict[str, Any], kind: str) -> dict[str, Any]:
    """Everything else the app says, by its own names; `t` is the trigger of the report."""
    found = {
        name: value
        for name, value in message.items()
        if name not in _NOT_ATTRIBUTES and not name.startswith("_") and value is not None and value != ""
    }
    if (level := message.get("batt")) is not None and not is_minus_one(level):
        found[BATTERY] = level
    state = message.get("bs")
    if isinstance(state, int) and not isinstance(state, bool) and state in _IS_CHARGING:
        found["charge"] = _IS_CHARGING[state]
    if message.get("t"):
        found["trigger"] = message["t"]
    if message.get("inregions"):
        found["inregions"] = message["inregions"]
    if kind == "transition":
        found["region"] = found.pop("desc", None)
    return {name: value for name, value in found.items() if value is not None}
