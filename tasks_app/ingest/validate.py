"""The rules of what can be right, in one place: every wire format hands its raw values to `make_fix`.

Units here are the product's own (degrees, km/h, meters); a parser converts before it calls. Only JSON types are
expected, anything else is refused, never raised through. Who, when and where are required and refuse the fix; any other
quantity that cannot be right is unknown, and the fix stays.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo

from django.utils.translation import gettext as _

from tasks_app.ingest.attributes import NOT_NUMBERS, clean_attributes
from tasks_app.ingest.fix import Fix
from tasks_app.ingest.gps_weeks import MAX_AHEAD, earliest_of_this_period, weeks_behind
from tasks_app.ingest.times import read_time

# Lowest and highest value that can be right, both included.
LIMITS: dict[str, tuple[float, float]] = {
    "latitude": (-90.0, 90.0),
    "longitude": (-180.0, 180.0),
    "speed": (0.0, 1000.0),
    "course": (0.0, 360.0),
    "altitude": (-1000.0, 20_000.0),
    "accuracy": (0.0, 1e7),
}
# What may be unknown about a fix.
QUANTITIES = ("speed", "course", "altitude", "accuracy", "battery", "attributes")
# Values within the limits by which devices and file formats say "not known": a field with all bits set, in the unit of the
# field (a sign bit, 65535 or -32768 in whole meters are beyond the limits anyway).
#   FIT files (Garmin), its profile: altitude 65535 / 5 - 500 m (Maproom/qmapshack#8), speed 65.535 m/s
#   16 bits in decimeters, centimeters or 0.01 km/h (traccar/traccar#374): 6553.5, 655.35
#   16 bits with a sign as accuracy in meters: 32767
#   Geolife's guide: altitude -777; elevation models: -999
UNKNOWN_VALUES: dict[str, frozenset[float]] = {
    "speed": frozenset({235.926, 655.35}),
    "course": frozenset(),
    "altitude": frozenset({12_607.0, 6553.5, -777.0, -999.0}),
    "accuracy": frozenset({65_535.0, 32_767.0, 6553.5, 655.35}),
}
# Phones say -1 for what they do not know, in any unit of speed.
NOT_SENT_ABOVE = -10.0
MAX_DEVICE_ID_LENGTH = 128
MAX_TIMESTAMP_LENGTH = 64
# Older fixes come from receivers whose clock was never set: 1970 and 1980, of live ones also 1999 and 2000.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
EARLIEST_LIVE = datetime(2001, 1, 1, tzinfo=UTC)
# The attribute that says by how many weeks the time of a fix was put right.
WEEKS_ADDED = "gpsWeekRollover"
# As seconds this is the year 5138, as milliseconds 1973: no sensible time is on the wrong side.
MILLISECONDS_ABOVE = 1e11

# Ten digits are seconds of these years, and no date.
_EPOCH = re.compile(r"\s*[0-9]{9,13}(?:\.[0-9]{1,9})?\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class InvalidFix(ValueError):
    """A measurement that cannot be right: a machine-readable `code` and a sentence for people in `detail`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def make_fix(
    *,
    now: datetime,
    device_id: object,
    timestamp: object,
    latitude: object,
    longitude: object,
    speed_kph: object = None,
    course_degrees: object = None,
    altitude_meters: object = None,
    accuracy_meters: object = None,
    attributes: object = None,
    unknown: object = None,
    is_live: bool = False,
) -> Fix:
    """A Fix of raw JSON values; None means not sent, and so does a speed, course or accuracy just below 0: phones say -1.

    `unknown` are quantities the sender found to be wrong. The time of a live fix is judged as `parse_live_timestamp` does.
    Raises InvalidFix naming the first required value that cannot be right.
    """
    checked_id = check_device_id(device_id)
    fix_time, weeks = parse_live_timestamp(timestamp, now=now) if is_live else (parse_timestamp(timestamp, now=now), 0)
    checked_latitude = check_number("latitude", _required("latitude", latitude))
    checked_longitude = check_number("longitude", _required("longitude", longitude))
    check_not_null_island(checked_latitude, checked_longitude)
    found = [name for name in QUANTITIES if name in unknown] if isinstance(unknown, list) else []
    speed = _optional("speed", _sent(speed_kph), found)
    course = _course(_optional("course", _sent(course_degrees), found))
    altitude = _optional("altitude", altitude_meters, found)
    accuracy = _optional("accuracy", _sent(accuracy_meters), found)
    known = clean_attributes(attributes, found)
    return Fix(
        checked_id,
        fix_time,
        checked_latitude,
        checked_longitude,
        speed,
        course,
        altitude,
        accuracy,
        {**known, WEEKS_ADDED: weeks} if weeks else known,
        tuple(dict.fromkeys(found)) if found else (),
    )


def check_device_id(value: object) -> str:
    """The identifier as sent: 1 to 128 characters, not blank, none of them a control character."""
    if not isinstance(_required("device_id", value), str):
        raise InvalidFix("invalid_device_id", _("device_id must be a string, not %(value)s.") % {"value": shown(value)})
    text = str(value)
    if not text.strip() or len(text) > MAX_DEVICE_ID_LENGTH:
        detail = _("device_id must have 1 to %(count)d characters.") % {"count": MAX_DEVICE_ID_LENGTH}
        raise InvalidFix("invalid_device_id", detail)
    if text in NOT_NUMBERS:
        detail = _("device_id must not be %(text)s, which is how programs write that they have none.") % {"text": text}
        raise InvalidFix("invalid_device_id", detail)
    if _CONTROL.search(text):
        raise InvalidFix("invalid_device_id", _("device_id must not contain control characters."))
    return text


def check_number(name: str, value: object) -> float:
    """`value` as a float within the LIMITS of `name`; bool is not a number."""
    low, high = LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        detail = _("%(name)s must be a number, not %(value)s.") % {"name": name, "value": shown(value)}
        raise InvalidFix(f"invalid_{name}", detail)
    if isinstance(value, float) and not math.isfinite(value):
        detail = _("%(name)s must be a finite number, not %(value)s.") % {"name": name, "value": shown(value)}
        raise InvalidFix(f"invalid_{name}", detail)
    if not low <= value <= high:
        values = {"name": name, "low": f"{low:g}", "high": f"{high:g}", "value": shown(value)}
        raise InvalidFix(f"invalid_{name}", _("%(name)s must be between %(low)s and %(high)s, not %(value)s.") % values)
    return float(value)


def check_not_null_island(latitude: float, longitude: float) -> None:
    """Refuse exactly 0, 0: what receivers send when they have no fix, in the sea off Africa."""
    if latitude == 0.0 and longitude == 0.0:
        raise InvalidFix("no_fix", _("latitude 0, longitude 0 is what a receiver sends without a fix."))


def parse_timestamp(value: object, *, now: datetime) -> datetime:
    """An aware UTC time as `read_timestamp` reads it, from 1990 to a day ahead."""
    at = read_timestamp(value)
    check_time_range(at, now=now)
    return at


def parse_live_timestamp(value: object, *, now: datetime) -> tuple[datetime, int]:
    """The time of a fix just received, and the weeks that were added as its GPS week had rolled over (gps_weeks).

    Older than 1024 weeks is otherwise refused: no device keeps a fix for so long.
    """
    at = read_timestamp(value)
    if weeks := weeks_behind(at, now=now):
        return at + timedelta(weeks=weeks), weeks
    check_time_range(at, now=now)
    if at < EARLIEST_LIVE:
        raise InvalidFix("timestamp_too_old", _("timestamp is of a receiver whose clock was not set."))
    if at < earliest_of_this_period(now):
        detail = _("timestamp is more than 1024 weeks old, and not near now with them added.")
        raise InvalidFix("gps_week_rollover", detail)
    return at, 0


def read_timestamp(value: object) -> datetime:
    """An aware UTC time from ISO-8601 with a zone, epoch seconds or milliseconds, as text too. Raises InvalidFix."""
    _required("timestamp", value)
    if isinstance(value, str):
        return _from_iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        detail = _("timestamp must be an ISO-8601 string or a number, not %(value)s.") % {"value": shown(value)}
        raise InvalidFix("invalid_timestamp", detail)
    return _from_epoch(value)


def with_zone(value: object, zone: tzinfo | None) -> object:
    """`value` as it is, but an ISO-8601 time without a zone as the moment a clock in `zone` shows it (the first of two)."""
    if zone is None or not isinstance(value, str) or len(value) > MAX_TIMESTAMP_LENGTH:
        return value
    try:
        at = read_time(value)
        return value if at.tzinfo else at.replace(tzinfo=zone).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return value


def check_time_range(at: datetime, *, now: datetime) -> None:
    """Refuse times before 1990 and more than a day ahead of `now`."""
    if at < EARLIEST:
        detail = _("timestamp must not be before %(year)d: the clock was not set.") % {"year": EARLIEST.year}
        raise InvalidFix("timestamp_too_old", detail)
    if at > now + MAX_AHEAD:
        raise InvalidFix("timestamp_in_future", _("timestamp must not be more than one day in the future."))


def shown(value: object) -> str:
    """A value for an error message: short, printable, and safe for integers too long to print."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "a huge integer"
    if isinstance(value, dict | list | tuple):
        return "an object" if isinstance(value, dict) else "a list"
    text = ascii(value[:50] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def is_minus_one(value: object) -> bool:
    """Whether a phone says with this that it does not know."""
    return isinstance(value, int | float) and not isinstance(value, bool) and NOT_SENT_ABOVE < value < 0


def _required(name: str, value: object) -> object:
    if value is None:
        raise InvalidFix(f"missing_{name}", _("%(name)s is required.") % {"name": name})
    return value


def _optional(name: str, value: object, unknown: list[str]) -> float | None:
    """The value where it can be right; else None, with its name added to `unknown` where something was sent."""
    if value is None:
        return None
    try:
        number = check_number(name, value)
    except InvalidFix:
        unknown.append(name)
        return None
    # Rounded: a speed was converted from another unit.
    if round(number, 6) in UNKNOWN_VALUES[name]:
        unknown.append(name)
        return None
    return number


def _sent(value: object) -> object:
    return None if is_minus_one(value) else value


def _course(course_degrees: float | None) -> float | None:
    return 0.0 if course_degrees == 360.0 else course_degrees


def _from_iso(text: str) -> datetime:
    try:
        at = read_time(text if len(text) <= MAX_TIMESTAMP_LENGTH else "")
    except ValueError as error:
        if _EPOCH.fullmatch(text):
            return _from_epoch(float(text))
        detail = _("timestamp is not an ISO-8601 time: %(text)s.") % {"text": shown(text)}
        raise InvalidFix("invalid_timestamp", detail) from error
    if at.tzinfo is None:
        detail = _("timestamp needs a time zone, such as a Z at its end: %(text)s.") % {"text": shown(text)}
        raise InvalidFix("timestamp_without_zone", detail)
    return at


def _from_epoch(value: float) -> datetime:
    # Compared before dividing: an integer may be too large for a float.
    if not -MILLISECONDS_ABOVE < value < 1e15:
        raise InvalidFix("invalid_timestamp", _("timestamp is out of range: %(value)s.") % {"value": shown(value)})
    seconds = value / 1000 if value > MILLISECONDS_ABOVE else value
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidFix(
            "invalid_timestamp", _("timestamp is out of range: %(value)s.") % {"value": shown(value)}
        ) from error
