"""The CSV file Traccar's server exports for the positions of a device.

Columns: id, deviceId, protocol, serverTime, deviceTime, fixTime (`yyyy-MM-dd HH:mm:ss` in the exporting user's time
zone), valid, latitude, longitude, altitude (m), speed (knots), course, address, accuracy (m), and one for every attribute
found. Traccar quotes nothing, so a comma in an address makes a row longer than the header: what is too much then belongs
to the address. The device's id is `uniqueId` where the file has it, else Traccar's own number in `deviceId`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from tasks_app.ingest.csv_file import number_or_text, rows_of
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import lines, opened
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.validate import InvalidFix, make_fix, with_zone

# 1 knot is 1 852 m in an hour.
KNOTS_TO_KPH = 1.852
REQUIRED = ("fixtime", "latitude", "longitude")
# Traccar's own columns; every other one is an attribute.
COLUMNS = {
    *("id", "deviceid", "uniqueid", "protocol", "servertime", "devicetime", "fixtime", "valid", "latitude"),
    *("longitude", "altitude", "speed", "course", "address", "accuracy", "outdated", "network", "geofenceids", "type"),
}
BOOLEANS = {"true": True, "false": False}


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections in file order; `index` counts data rows from 0.

    `device_id` replaces the one in the file; `zone` is that of its times, UTC unless given. Raises BodyError when the
    file cannot be read or is no such export, OSError when it cannot be opened.
    """
    now = now or datetime.now(UTC)
    with opened(Path(path)) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as stream:
        source = lines(stream)
        header = next(source, "")
        names = header_names(header)
        _check_header(names, device_id)
        for index, row in enumerate(rows_of(csv.reader(source, delimiter=_delimiter(header)))):
            if row != []:
                yield _read(index, row, names, device_id, now, zone or UTC)


def is_traccar(header: str) -> bool:
    """Whether the first line of a CSV file is that of Traccar's export."""
    names = {name.lower() for name in header_names(header)}
    return "fixtime" in names and "timestamp" not in names


def header_names(header: str) -> list[str]:
    """The names of the columns; none where the line is not CSV."""
    names = next(rows_of(csv.reader([header], delimiter=_delimiter(header))), None)
    return [name.strip() for name in names or []]


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _check_header(names: list[str], device_id: str | None) -> None:
    known = {name.lower() for name in names}
    missing = [name for name in REQUIRED if name not in known]
    if not device_id and not known & {"uniqueid", "deviceid"}:
        missing.append("deviceId")
    if missing:
        raise BodyError("wrong_header", f"The first line must name the columns; missing: {', '.join(missing)}.")


def _read(
    index: int, row: list[str] | None, names: list[str], device_id: str | None, now: datetime, zone: tzinfo
) -> Fix | RejectedFix:
    if row is None:
        return RejectedFix(index, "invalid_row", "The row is not valid CSV.")
    fields = dict(zip(names, _mended(row, names), strict=False))
    # Attribute names keep their case; Traccar's own columns are looked up without it.
    own = {name.lower(): text for name, text in fields.items() if name.lower() in COLUMNS}
    try:
        return make_fix(
            now=now,
            device_id=device_id or own.get("uniqueid") or own.get("deviceid") or None,
            timestamp=with_zone(own.get("fixtime") or None, zone),
            latitude=number_or_text(own.get("latitude", "")),
            longitude=number_or_text(own.get("longitude", "")),
            speed_kph=_from_knots(own.get("speed", "")),
            course_degrees=number_or_text(own.get("course", "")),
            altitude_meters=number_or_text(own.get("altitude", "")),
            accuracy_meters=_accuracy(own.get("accuracy", "")),
            attributes=_attributes(fields, own),
        )
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def _mended(row: list[str], names: list[str]) -> list[str]:
    """The row's texts, the pieces of an address that holds commas put together again."""
    surplus = len(row) - len(names)
    place = next((place for place, name in enumerate(names) if name.lower() == "address"), None)
    if surplus > 0 and place is not None:
        row = [*row[:place], ",".join(row[place : place + surplus + 1]), *row[place + surplus + 1 :]]
    return [text.strip() for text in row]


def _from_knots(text: str) -> Any:
    speed = number_or_text(text)
    return speed * KNOTS_TO_KPH if isinstance(speed, float) else speed


def _accuracy(text: str) -> Any:
    """Traccar writes 0 where the device said nothing of it."""
    accuracy = number_or_text(text)
    return None if accuracy == 0.0 else accuracy


def _attributes(fields: dict[str, str], own: dict[str, str]) -> dict[str, Any]:
    found = {name: _attribute(text) for name, text in fields.items() if text and name.lower() not in COLUMNS}
    if own.get("valid", "").lower() == "false":
        found["valid"] = False
    return found


def _attribute(text: str) -> Any:
    value = number_or_text(text)
    return BOOLEANS.get(text.lower(), value) if isinstance(value, str) else value
