"""GeoJSON (RFC 7946) files of tracks: positions are longitude, latitude and altitude in meters.

Read are features of these kinds, alone, in a FeatureCollection or one a line (RFC 8142, also without its separators):

* `Point`, with the time of the fix in `properties`
* `LineString`, `MultiPoint` and `MultiLineString`, with one time for each position in `properties.coordTimes`, or in
  `properties.coordinateProperties.times`, as togeojson and the tools after it write them

Properties, by any of these names, of a point or as a list with one value for each position of a line: time | timestamp |
fix_time | fixTime, speed | speed_kph (km/h; m/s in files of GPSLogger for Android), course | course_degrees | heading |
bearing (degrees), accuracy | accuracy_meters, altitude | altitude_meters (where the position has none); and of the feature:
device_id | deviceId | unique_id | uniqueId, attributes (an object). A line's other properties are left aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from itertools import chain, islice
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.content import text_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import PIECE_BYTES, opened, pieces, stem
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.json_lines import has_a_line_each, json_lines
from tasks_app.ingest.json_stream import MAX_ITEM_BYTES, iter_members
from tasks_app.ingest.text_files import as_utf8
from tasks_app.ingest.validate import InvalidFix, make_fix, shown, with_zone

TIME_NAMES = ("time", "timestamp", "fix_time", "fixTime", "coordTimes", "times")
DEVICE_NAMES = ("device_id", "deviceId", "unique_id", "uniqueId")
QUANTITY_NAMES = {
    "speed_kph": ("speed_kph", "speed"),
    "course_degrees": ("course_degrees", "course", "heading", "bearing"),
    "accuracy_meters": ("accuracy_meters", "accuracy"),
    "altitude_meters": ("altitude_meters", "altitude"),
}
MPS_TO_KPH = 3.6
ANDROID_PROVIDERS = ("gps", "network", "fused", "passive")

Values = dict[str, Any]


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections in file order; `index` counts positions (and features that hold none) from 0.

    The device's id is `device_id`, else a property of the feature, else a line's name, else the file's name without
    extension. `zone` is that of times which state none. Raises BodyError when the file is no GeoJSON (any further) or has none
    of these features, OSError when it cannot be opened.
    """
    path, now = Path(path), now or datetime.now(UTC)
    index = 0
    others: Counter[str] = Counter()
    for raw in _features(path):
        for values in _fixes_of(raw, device_id, stem(path), zone, others):
            yield _checked(index, values, now)
            index += 1
    if index == others.total():
        raise BodyError("empty", _nothing_found(others))


def _nothing_found(others: Counter[str]) -> str:
    if not others:
        return _("The file has no features.")
    held = ", ".join(f"{count} × {kind}" for kind, count in others.items())
    return _("The file has no points and no lines; it holds %(held)s.") % {"held": held}


def is_geojson(head: bytes) -> bool:
    """Whether the first bytes of a JSON document are those of a GeoJSON one."""
    return b'"Feature"' in head or b'"FeatureCollection"' in head


def _features(path: Path) -> Iterator[bytes]:
    with opened(path) as file:
        stream = as_utf8(file)
        head = stream.peek()
        if b'"features"' in head or b'"FeatureCollection"' in head:
            yield from iter_members(stream, "features")
            return
        if has_a_line_each(head):
            yield from json_lines(stream)
            return
        body = b"".join(islice(pieces(stream), 1 + MAX_ITEM_BYTES // PIECE_BYTES))
    if len(body) > MAX_ITEM_BYTES:
        raise BodyError("body_too_large", f"A single feature may have at most {MAX_ITEM_BYTES} bytes.")
    if not is_geojson(body):
        detail = _("The file is no GeoJSON Feature or FeatureCollection.")
        raise BodyError("wrong_shape", f"{text_kind(body)} {detail}".strip())
    yield body


def _checked(index: int, values: Values | InvalidFix, now: datetime) -> Fix | RejectedFix:
    try:
        if isinstance(values, InvalidFix):
            raise values
        return make_fix(now=now, **values)
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def _fixes_of(
    raw: bytes, device_id: str | None, file_name: str, zone: tzinfo | None, others: Counter[str]
) -> Iterator[Values | InvalidFix]:
    """The raw values of each fix of a feature, or why it has none; geometries that are none of a track are counted."""
    try:
        feature = decode_json(raw)
    except BodyError:
        yield InvalidFix("not_json", "The feature is not valid JSON.")
        return
    try:
        geometry, properties = _parts(feature)
        kind = geometry.get("type")
        device = device_id or _first(properties, DEVICE_NAMES)
        if kind == "Point":
            yield _point(geometry.get("coordinates"), properties, device or file_name, zone)
        elif kind in ("LineString", "MultiPoint", "MultiLineString"):
            name = properties.get("name") if isinstance(properties.get("name"), str) else None
            yield from _line(geometry, properties, device or name or file_name, zone)
        else:
            others[kind if isinstance(kind, str) else "?"] += 1
            yield InvalidFix("unsupported_geometry", f"The feature is neither points nor a line, but {shown(kind)}.")
    except InvalidFix as error:
        yield error


def _parts(feature: Any) -> tuple[Values, Values]:
    if not isinstance(feature, dict) or not isinstance(feature.get("geometry"), dict):
        raise InvalidFix("unsupported_geometry", "The feature has no geometry.")
    properties = feature.get("properties")
    return feature["geometry"], properties if isinstance(properties, dict) else {}


def _point(coordinates: Any, properties: Values, device: Any, zone: tzinfo | None) -> Values:
    quantities = {name: _first(properties, names) for name, names in QUANTITY_NAMES.items()}
    speed = quantities["speed_kph"]
    if isinstance(speed, int | float) and "speed_kph" not in properties and _is_gpslogger(properties):
        quantities["speed_kph"] = speed * MPS_TO_KPH
    time = _first(properties, TIME_NAMES)
    return _values(coordinates, time, quantities, properties.get("attributes"), device, zone)


def _is_gpslogger(properties: Values) -> bool:
    """Whether GPSLogger for Android wrote this, or a program that writes what Android says of a fix as it does."""
    return "time_long" in properties or properties.get("provider") in ANDROID_PROVIDERS


def _line(geometry: Values, properties: Values, device: Any, zone: tzinfo | None) -> Iterator[Values]:
    """One fix for each position; a list of times that does not fit the positions would give wrong ones."""
    inner = properties.get("coordinateProperties")
    series = {**properties, **inner} if isinstance(inner, dict) else properties
    coordinates, times = geometry.get("coordinates"), _series(series, TIME_NAMES)
    quantities = {name: _series(series, names) for name, names in QUANTITY_NAMES.items()}
    if geometry["type"] == "MultiLineString":
        coordinates, times = _joined(coordinates), _joined(times)
        quantities = {name: _joined(values) for name, values in quantities.items()}
    if not isinstance(coordinates, list) or not isinstance(times, list):
        raise InvalidFix("missing_timestamp", "A line needs coordinates and as many times in coordTimes.")
    if len(coordinates) != len(times):
        detail = f"The line has {len(coordinates)} positions and {len(times)} times."
        raise InvalidFix("invalid_timestamp", detail)
    usable = {name: values for name, values in quantities.items() if _fits(values, len(times))}
    for place, (position, time) in enumerate(zip(coordinates, times, strict=True)):
        if time is None and _cuts_a_line(position):
            continue
        of_this = {name: values[place] for name, values in usable.items()}
        yield _values(position, time, of_this, None, device, zone)


def _cuts_a_line(position: Any) -> bool:
    """Whether a place without a time is where a line was cut at the 180th meridian (RFC 7946, section 3.1.9)."""
    return isinstance(position, list) and len(position) > 1 and position[0] in (180, -180)


def _values(position: Any, time: Any, quantities: Values, attributes: Any, device: Any, zone: tzinfo | None) -> Values:
    if not isinstance(position, list) or not 2 <= len(position) <= 4:
        raise InvalidFix("invalid_coordinates", "A position must be a list of longitude, latitude and altitude.")
    if len(position) > 2 and position[2] is not None:
        quantities = {**quantities, "altitude_meters": position[2]}
    return {
        "device_id": str(device) if isinstance(device, int) and not isinstance(device, bool) else device,
        "timestamp": with_zone(time, zone),
        "latitude": position[1],
        "longitude": position[0],
        "attributes": attributes,
        **quantities,
    }


def _first(properties: Values, names: tuple[str, ...]) -> Any:
    """The first of these properties that is there; of a list of one value (a line of one position) that value."""
    found = next((properties[name] for name in names if properties.get(name) is not None), None)
    return found[0] if isinstance(found, list) and len(found) == 1 else found


def _series(properties: Values, names: tuple[str, ...]) -> Any:
    """The first of these properties that is a list; a line's single `time` is the time of nothing in particular."""
    return next((properties[name] for name in names if isinstance(properties.get(name), list)), None)


def _joined(parts: Any) -> Any:
    if not isinstance(parts, list) or not all(isinstance(part, list) for part in parts):
        return None
    return list(chain.from_iterable(parts))


def _fits(values: Any, length: int) -> bool:
    return isinstance(values, list) and len(values) == length
