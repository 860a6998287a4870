"""The product's own JSON: a list of positions, or an object with the list under `positions`.

A position is `{"device_id", "timestamp", "latitude", "longitude", "speed" (km/h), "course" (degrees), "altitude" (m),
"accuracy" (m), "attributes", "unknown"}`; the first four are required, other keys are ignored. `unknown` lists quantities
the sender itself found to be wrong. An alarm (`attributes.alarm`) needs no place.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Any

import msgspec
from django.utils.translation import gettext as _

from tasks_app.ingest.attributes import NOT_NUMBERS, clean_attributes, is_clean
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.gps_weeks import MAX_AHEAD, earliest_of_this_period
from tasks_app.ingest.unlocated_alarms import UnlocatedAlarm, unlocated_alarm
from tasks_app.ingest.validate import (
    EARLIEST,
    LIMITS,
    MAX_TIMESTAMP_LENGTH,
    UNKNOWN_VALUES,
    InvalidFix,
    check_device_id,
    make_fix,
    read_timestamp,
    shown,
)

__all__ = ["BodyError", "ParsedBatch", "SentPosition", "decode_body", "decode_json", "parse_batch", "parse_batches"]


@dataclass(frozen=True, slots=True)
class ParsedBatch:
    """A parsed batch: `fixes[i]` came from item `indexes[i]`, `unlocated` alarms are by item, the others are `rejected`."""

    fixes: list[Fix] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    rejected: list[RejectedFix] = field(default_factory=list)
    unlocated: dict[int, UnlocatedAlarm] = field(default_factory=dict)


# Beyond these a value may be one of UNKNOWN_VALUES, for the slow way to tell.
USUAL_SPEED_KPH = min(UNKNOWN_VALUES["speed"]) - 0.5
USUAL_ACCURACY_METERS = min(UNKNOWN_VALUES["accuracy"]) - 0.5
LOWEST_USUAL_METERS, HIGHEST_USUAL_METERS = -700.0, 6000.0
# How programs write numbers that JSON does not have: NaN, an infinity (printf of C also nan(ind) and 1.#QNAN), 1e999. A string
# is passed over as a whole.
_NO_JSON_NUMBER = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[-+]?\b(?:nan(?:\(\w*\)|\b)|(?:inf(?:inity)?|undefined)\b|1\.#(?:inf|ind|[qs]nan)[0-9]*+)'
    rb"|(?<![0-9.])-?[0-9]++(?:\.[0-9]++)?+e\+?[0-9]{3,}+",
    re.DOTALL | re.IGNORECASE,
)

# Half of a pair written as an escape (RFC 8259, 8.2); a whole pair and any other escape are passed over.
_HALF = re.compile(
    rb"(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\(?!u[dD][89a-fA-F])[\x00-\xff])"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)


def _within(name: str) -> msgspec.Meta:
    low, high = LIMITS[name]
    return msgspec.Meta(ge=low, le=high)


class SentPosition(msgspec.Struct, gc=False, omit_defaults=True):
    """The shape of a good position, read by msgspec in C; what does not fit goes the slow way, which knows why."""

    device_id: str
    timestamp: str | int | float
    latitude: Annotated[float, _within("latitude")]
    longitude: Annotated[float, _within("longitude")]
    speed: Annotated[float, _within("speed")] | None = None
    course: Annotated[float, _within("course")] | None = None
    altitude: Annotated[float, _within("altitude")] | None = None
    accuracy: Annotated[float, _within("accuracy")] | None = None
    attributes: dict[str, Any] | None = None
    unknown: list[str] | None = None


def decode_body(body: bytes, *, max_bytes: int, max_fixes: int) -> list[object]:
    """The list of raw positions in a request's body. Raises BodyError; no other exception comes out."""
    if len(body) > max_bytes:
        values = {"count": len(body), "most": max_bytes}
        raise BodyError("body_too_large", _("The body has %(count)d bytes; at most %(most)d are accepted.") % values)
    items = _positions(decode_json(body))
    if not items:
        raise BodyError("empty", _("The batch contains no position."))
    if len(items) > max_fixes:
        values = {"count": len(items), "most": max_fixes}
        raise BodyError(
            "too_many_fixes", _("The batch has %(count)d positions; at most %(most)d are accepted.") % values
        )
    return items


def parse_batch(items: list[object], *, now: datetime, is_history: bool = False) -> ParsedBatch:
    """Parse raw positions: fixes, unlocated alarms and rejections by index; one bad position never costs a good one.

    An item that makes no fix but carries an alarm is an unlocated alarm; in history, without alerts, it is refused.
    """
    return parse_batches([items], now=now, is_history=is_history)[0]


def parse_batches(batches: Sequence[list[object]], *, now: datetime, is_history: bool = False) -> list[ParsedBatch]:
    """Parse each as `parse_batch` does: many small batches cost little more than one of as many positions."""
    known_ids: set[str] = set()
    earliest = EARLIEST if is_history else earliest_of_this_period(now)
    latest = now + MAX_AHEAD
    parsed = []
    positions = iter(_well_shaped(batches[0] if len(batches) == 1 else list(chain.from_iterable(batches))))
    for items in batches:
        batch = ParsedBatch()
        for index, (item, position) in enumerate(zip(items, positions, strict=False)):
            try:
                fix = (position and _fast(position, known_ids, earliest, latest)) or _slow(item, now, not is_history)
            except InvalidFix as error:
                if not is_history and (unlocated := _unlocated(item, now)):
                    batch.unlocated[index] = unlocated
                else:
                    batch.rejected.append(RejectedFix(index, error.code, error.detail))
            else:
                batch.fixes.append(fix)
                batch.indexes.append(index)
        parsed.append(batch)
    return parsed


def decode_json(body: bytes) -> object:
    """The value of a JSON text. What JSON or Unicode does not have comes as what the rules can judge.

    That is a text for a number that is none (NaN, Infinity, 1e999), and NUL for the escape of half a character: a text
    can do without it, an id cannot. A byte order mark in front is left out. Raises BodyError not_json or too_deep; no other
    exception comes out.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        try:
            return msgspec.json.decode(body)
        except ValueError:
            mended = _NO_JSON_NUMBER.sub(_mended, body)
            if mended == body:
                raise
            return msgspec.json.decode(mended)
    except RecursionError as error:
        raise BodyError("too_deep", _("The body is nested too deeply.")) from error
    except ValueError as error:  # msgspec's errors, invalid UTF-8 and integers too long to read are all ValueErrors
        raise BodyError("not_json", _("The body is not valid JSON: %(reason)s") % {"reason": error}) from error


def _mended(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if text.startswith(b'"'):
        return _HALF.sub(lambda half: half[1] or rb"\u0000", text)
    if text.decode() in NOT_NUMBERS:
        return b'"%b"' % text
    return b'"Infinity"' if text[-1:].isdigit() else b'"NaN"'


def _positions(decoded: object) -> list[object]:
    if isinstance(decoded, dict):
        decoded = decoded.get("positions")
    if not isinstance(decoded, list):
        detail = _("The body must be a list of positions or an object with a list 'positions'.")
        raise BodyError("wrong_shape", detail)
    return decoded


def _well_shaped(items: list[object]) -> Sequence[SentPosition | None]:
    """Each item as a SentPosition, None for one that does not fit; mostly all fit, and are converted at once."""
    try:
        return msgspec.convert(items, list[SentPosition])
    except (ValueError, OverflowError, RecursionError):
        return [_one_well_shaped(item) for item in items]


def _one_well_shaped(item: object) -> SentPosition | None:
    try:
        return msgspec.convert(item, SentPosition)
    except (ValueError, OverflowError, RecursionError):
        return None


def _fast(position: SentPosition, known_ids: set[str], earliest: datetime, latest: datetime) -> Fix | None:
    """The Fix of an ordinary good position; None when only the slow way can tell."""
    device_id = position.device_id
    if device_id not in known_ids:
        known_ids.add(check_device_id(device_id))
    timestamp, latitude, longitude, course = position.timestamp, position.latitude, position.longitude, position.course
    if type(timestamp) is not str or len(timestamp) > MAX_TIMESTAMP_LENGTH:
        fix_time = read_timestamp(timestamp)
    else:
        try:
            fix_time = datetime.fromisoformat(timestamp)
        except ValueError:
            return None
    if fix_time.tzinfo is not UTC or not earliest < fix_time <= latest:
        return None
    speed, altitude, accuracy = position.speed or 0.0, position.altitude or 0.0, position.accuracy or 0.0
    # msgspec lets NaN through its limits; NaN spreads over a sum and is the one value not equal to itself.
    total = latitude + longitude + speed + (course or 0.0) + altitude + accuracy
    if total != total or (latitude == 0.0 and longitude == 0.0) or position.unknown:
        return None
    # Outside of these lie the values that say "unknown"; looking each up would take longer.
    if (
        speed > USUAL_SPEED_KPH
        or accuracy > USUAL_ACCURACY_METERS
        or not LOWEST_USUAL_METERS < altitude < HIGHEST_USUAL_METERS
    ):
        return None
    attributes = position.attributes
    if attributes and not is_clean(attributes):
        unknown: list[str] = []
        attributes = clean_attributes(attributes, unknown)
        if unknown:
            return None
    return Fix(
        device_id,
        fix_time,
        latitude,
        longitude,
        position.speed,
        0.0 if course == 360.0 else course,
        position.altitude,
        position.accuracy,
        attributes or {},
    )


def _slow(item: object, now: datetime, is_live: bool) -> Fix:
    if not isinstance(item, dict):
        raise InvalidFix(
            "not_an_object", _("A position must be a JSON object, not %(value)s.") % {"value": shown(item)}
        )
    return make_fix(
        is_live=is_live,
        now=now,
        device_id=item.get("device_id"),
        timestamp=item.get("timestamp"),
        latitude=item.get("latitude"),
        longitude=item.get("longitude"),
        speed_kph=item.get("speed"),
        course_degrees=item.get("course"),
        altitude_meters=item.get("altitude"),
        accuracy_meters=item.get("accuracy"),
        attributes=item.get("attributes"),
        unknown=item.get("unknown"),
    )


def _unlocated(item: object, now: datetime) -> UnlocatedAlarm | None:
    if not isinstance(item, dict):
        return None
    fields = {name: item.get(name) for name in ("device_id", "timestamp", "attributes")}
    return unlocated_alarm(**fields, now=now)
