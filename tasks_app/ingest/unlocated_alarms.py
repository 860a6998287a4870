"""Alarms in messages whose fix is of no use: an SOS button is often pressed before the receiver knows where it is.

Attribute names are Traccar's (its model Position): `alarm` is a name or several with commas, `result` what the device answered
to a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from tasks_app.ingest.attributes import NOT_NUMBERS, UNSTORABLE
from tasks_app.ingest.validate import InvalidFix, check_device_id, parse_live_timestamp

MAX_ALARMS = 20
MAX_ALARM_LENGTH = 50
MAX_RESULT_LENGTH = 500


class UnlocatedAlarm(msgspec.Struct, frozen=True, gc=False):
    """Alarms of a device (unique id as it states it), and its answer to a command, that came without a usable fix.

    `sent_at` is the device's own time (aware, UTC), that of the arrival where its clock says nothing that can be right.
    `copied_fix_time` is that of the older fix a Traccar server sent in place of the missing one.
    """

    device_id: str
    sent_at: datetime
    alarms: tuple[str, ...]
    copied_fix_time: datetime | None = None
    result: str = ""


# The attributes that hold any of it.
ALARM_ATTRIBUTES = frozenset({"alarm", "result"})


def has_alarm(attributes: Mapping[str, Any]) -> bool:
    """Whether these attributes hold an alarm or the result of a command."""
    return bool(alarm_names(attributes.get("alarm")) or result_text(attributes.get("result")))


def unlocated_alarm(
    *,
    device_id: object,
    timestamp: object,
    attributes: object,
    now: datetime,
    copied_fix_time: datetime | None = None,
) -> UnlocatedAlarm | None:
    """The alarms in a message that makes no fix; None where it has none or no usable device id. Raises nothing."""
    if not isinstance(attributes, Mapping) or not has_alarm(attributes):
        return None
    try:
        checked_id = check_device_id(device_id)
    except InvalidFix:
        return None
    return alarm_from(checked_id, _own_time(timestamp, now), attributes, copied_fix_time)


def alarm_from(
    device_id: str, sent_at: datetime, attributes: Mapping[str, Any], copied_fix_time: datetime | None = None
) -> UnlocatedAlarm:
    """The alarms and the command's result in these attributes."""
    alarms, result = tuple(alarm_names(attributes.get("alarm"))), result_text(attributes.get("result"))
    return UnlocatedAlarm(device_id, sent_at, alarms, copied_fix_time, result)


def alarm_names(value: Any) -> list[str]:
    """The alarms of an attribute, a text with commas or a list of texts: each once, in its order."""
    parts = value.split(",", 10 * MAX_ALARMS) if isinstance(value, str) else value if isinstance(value, list) else []
    names = [part.strip()[:MAX_ALARM_LENGTH] for part in parts[: 10 * MAX_ALARMS] if isinstance(part, str)]
    return list(dict.fromkeys(_storable(name) for name in names if name and name not in NOT_NUMBERS))[:MAX_ALARMS]


def result_text(value: Any) -> str:
    """The answer of a device to a command, shortened; "" for anything but a text."""
    return _storable(value.strip()[:MAX_RESULT_LENGTH]) if isinstance(value, str) else ""


def _storable(text: str) -> str:
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _own_time(timestamp: object, now: datetime) -> datetime:
    """A receiver without a fix has often no clock either, so that an alarm is of now unless its time can be right."""
    try:
        return parse_live_timestamp(timestamp, now=now)[0]
    except InvalidFix:
        return now
