"""One message of one device, as the parsers of single fixes return it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm
from tasks_app.ingest.validate import InvalidFix, check_device_id

# 1 knot is 1 852 m in an hour, 1 mile is 1 609.344 m.
KPH_PER = {"knots": 1.852, "kmh": 1.0, "mps": 3.6, "mph": 1.609344}


@dataclass(frozen=True, slots=True)
class DeviceMessage:
    """The message of a device: a good fix, one that cannot be right, or None for a sign of life without any location.

    `unlocated` are its alarms without a place of their own. `device_name` is the sender's name of it, "" where the format
    has no such thing. `is_from_device` is False for a message about a device that may be silent itself.
    """

    device_id: str
    content: Fix | RejectedFix | None
    unlocated: UnlocatedAlarm | None = None
    device_name: str = ""
    is_from_device: bool = True


def stated_device_id(value: object) -> str:
    """The identifier in a message. Raises BodyError missing_device_id or invalid_device_id."""
    try:
        return check_device_id(None if value == "" else value)
    except InvalidFix as error:
        raise BodyError(error.code, error.detail) from error


def refused_or_alarm(device_id: str, error: InvalidFix, unlocated: UnlocatedAlarm | None) -> DeviceMessage:
    """The message of a fix that cannot be right: what it tells all the same counts, else it is refused."""
    if unlocated is not None:
        return DeviceMessage(device_id, None, unlocated)
    return DeviceMessage(device_id, RejectedFix(0, error.code, error.detail))


def to_kph(speed: object, unit: str) -> object:
    """A speed in km/h; what is no number stays as it is, for `make_fix` to refuse."""
    if isinstance(speed, bool) or not isinstance(speed, int | float):
        return speed
    try:
        return float(speed) * KPH_PER[unit]
    except OverflowError:
        return speed
