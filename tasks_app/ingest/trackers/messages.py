"""Messages of trackers from decoded values: fixes, alarms, signs of life.

Attributes have the names and units of Traccar (its model Position), as the position pipeline reads them: `ignition`, `blocked`
(the relay of the engine is cut), `armed`, `charge`, `alarm` (several with commas), `batteryLevel` (percent), `battery` and
`power` (V), `odometer` (m), `hours` (ms), `sat`, `hdop`, `rssi`, `driverUniqueId`, `archive` (sent later
than measured), `io<n>`.
Answers to commands are no attribute: they go by `Decoded.answer`, which makes the event of an answer without its command too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from tasks_app.ingest.attributes import is_clean
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.gps_weeks import MAX_AHEAD
from tasks_app.ingest.json_batch import HIGHEST_USUAL_METERS, LOWEST_USUAL_METERS, USUAL_SPEED_KPH
from tasks_app.ingest.message import DeviceMessage, refused_or_alarm
from tasks_app.ingest.trackers.base import BadFrame, Decoded, TrackerSession
from tasks_app.ingest.unlocated_alarms import unlocated_alarm
from tasks_app.ingest.validate import InvalidFix, check_device_id, make_fix, parse_live_timestamp

# Older ones say nothing of now: trackers send their status every three to five minutes.
MAX_STATUS_AGE = timedelta(minutes=6)
_STATUS = "status"
# Between these no clock is wrong, and no GPS week has rolled over.
_AHEAD_SECONDS = MAX_AHEAD.total_seconds()
_ORDINARY_SECONDS = timedelta(days=366).total_seconds()
# A quantity, a text that should be one and is not, which the rules of fixes refuse, or None for one that was not sent.
Quantity: TypeAlias = float | str | None


def required_device_id(session: TrackerSession, stated: str = "") -> str:
    """The identifier stated in a frame, else the connection's. Raises BadFrame where the tracker did not name itself yet."""
    device_id = stated or session.device_id
    if not device_id:
        raise BadFrame("not_logged_in", "The tracker did not name itself before this frame.")
    return device_id


def fix_message(
    *,
    now: datetime,
    device_id: str,
    timestamp: object,
    latitude: Quantity,
    longitude: Quantity,
    speed_kph: Quantity = None,
    course_degrees: Quantity = None,
    altitude_meters: Quantity = None,
    accuracy_meters: Quantity = None,
    attributes: dict[str, Any],
    is_valid: bool = True,
) -> DeviceMessage:
    """The message of a fix. Where the receiver has none, also by a place of 0, 0, it is a sign of life with its alarms."""
    if not is_valid or (latitude == 0.0 and longitude == 0.0):
        return status_message(now=now, device_id=device_id, timestamp=timestamp, attributes=attributes)
    given: dict[str, Any] = {
        "now": now,
        "device_id": device_id,
        "timestamp": timestamp,
        "latitude": latitude,
        "longitude": longitude,
        "speed_kph": speed_kph,
        "course_degrees": course_degrees,
        "altitude_meters": altitude_meters,
        "accuracy_meters": accuracy_meters,
        "attributes": attributes,
    }
    try:
        return DeviceMessage(device_id, _ordinary_fix(**given) or make_fix(is_live=True, **given))
    except InvalidFix as error:
        unlocated = unlocated_alarm(device_id=device_id, timestamp=timestamp, attributes=attributes, now=now)
        return refused_or_alarm(device_id, error, unlocated)


def _ordinary_fix(
    *,
    now: datetime,
    device_id: str,
    timestamp: object,
    latitude: float,
    longitude: float,
    speed_kph: float | None,
    course_degrees: float | None,
    altitude_meters: float | None,
    accuracy_meters: float | None,
    attributes: dict[str, Any],
) -> Fix | None:
    """The fix of values far from every limit, in a third of the time of `make_fix`; None where only that can judge."""
    if type(timestamp) is not float or not -_AHEAD_SECONDS < now.timestamp() - timestamp < _ORDINARY_SECONDS:
        return None
    speed, course, altitude = speed_kph or 0.0, course_degrees or 0.0, altitude_meters or 0.0
    # NaN fails every comparison.
    is_place = -90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0
    is_usual = 0.0 <= speed < USUAL_SPEED_KPH and LOWEST_USUAL_METERS < altitude < HIGHEST_USUAL_METERS
    if not (is_place and is_usual and 0.0 <= course < 360.0) or accuracy_meters is not None or not is_clean(attributes):
        return None
    at = datetime.fromtimestamp(timestamp, UTC)
    known_id = check_device_id(device_id)
    return Fix(known_id, at, latitude, longitude, speed_kph, course_degrees, altitude_meters, None, attributes)


def status_message(
    *, now: datetime, device_id: str, timestamp: object = None, attributes: dict[str, Any] | None = None
) -> DeviceMessage:
    """A sign of life without a place; alarms among the attributes count, as of `timestamp` where that can be right."""
    unlocated = unlocated_alarm(device_id=device_id, timestamp=timestamp, attributes=attributes, now=now)
    return DeviceMessage(device_id, None, unlocated)


def relay_without_place(message: DeviceMessage, attributes: Mapping[str, Any]) -> bool | None:
    """The state of the engine's relay in a report of now without a place; None where its fix says it, or nothing does."""
    return None if message.content is not None or "archive" in attributes else attributes.get("blocked")


def unreadable(
    error: BadFrame, device_id: str, *, stated: str = "", reply: bytes = b"", readable: Iterable[DeviceMessage] = ()
) -> Decoded:
    """A frame that came whole, and (but for what is `readable` of it) cannot be read.

    It goes into the quarantine, and is acknowledged: it would not get better, and its tracker never come to what it has after
    it. `stated` is the identifier in the frame, if there is one.
    """
    refused = DeviceMessage(device_id, RejectedFix(0, error.code, error.detail))
    return Decoded(error.code, stated, (*readable, refused), reply)


def kind_of(messages: Iterable[DeviceMessage]) -> str:
    """The word by which a frame with these messages is counted: alarm, position, or other where none has a place."""
    found = list(messages)
    if any(
        one.unlocated is not None or (isinstance(one.content, Fix) and "alarm" in one.content.attributes)
        for one in found
    ):
        return "alarm"
    return "position" if any(one.content is not None for one in found) else "other"


def epoch_seconds(
    year: int, month: int, day: int, hour: int, minute: int, second: int, *, zone_minutes: int = 0
) -> float | str:
    """The time on a tracker's clock, which is `zone_minutes` ahead of UTC; a date that does not exist as a text.

    Neither raises: such a text is refused by the rules of fixes with everyone else's.
    """
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp() - 60 * zone_minutes
    except ValueError:
        return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z"


def joined_alarms(names: Iterable[str]) -> dict[str, Any]:
    """The attribute of these alarms, each once; nothing where there are none."""
    found = ",".join(dict.fromkeys(name for name in names if name))
    return {"alarm": found} if found else {}


def keep_status(session: TrackerSession, attributes: dict[str, Any], now: datetime) -> None:
    """Keep what a frame without a place says of the tracker, for the next fixes of the connection (`with_status`).

    Relay, battery and signal come in such frames only, and only fixes are stored. Alarms are not kept: they have been sent.
    """
    new = {name: (now, value) for name, value in attributes.items() if name not in ("alarm", "result")}
    session.memory[_STATUS] = {**session.memory.get(_STATUS, {}), **new}


def forget_status(session: TrackerSession, name: str) -> None:
    """Forget an attribute that is about to change: an older one must not be taken for the effect of a command."""
    session.memory.get(_STATUS, {}).pop(name, None)


def with_status(
    session: TrackerSession, attributes: dict[str, Any], now: datetime, timestamp: object = None
) -> dict[str, Any]:
    """The attributes of a fix with those of the newest status where the fix does not say otherwise.

    Not those of a fix whose `timestamp` (as `fix_message` takes it) is of another time than now: it was kept by the tracker and
    sent later.
    """
    kept = session.memory.get(_STATUS)
    if not kept or not _is_of_now(timestamp, now):
        return attributes
    earliest = now - MAX_STATUS_AGE
    return {**{name: value for name, (at, value) in kept.items() if earliest <= at <= now}, **attributes}


def _is_of_now(timestamp: object, now: datetime) -> bool:
    """Whether a fix of this time was measured when it was sent; one without a time was."""
    if timestamp is None:
        return True
    # Most trackers send seconds, and a time of now.
    if isinstance(timestamp, float) and abs(now.timestamp() - timestamp) <= MAX_STATUS_AGE.total_seconds():
        return True
    try:
        return abs(now - parse_live_timestamp(timestamp, now=now)[0]) <= MAX_STATUS_AGE
    except InvalidFix:
        return False
