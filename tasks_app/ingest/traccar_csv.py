"""The CSV file Traccar's server exports for the positions of a device, and its table `tc_positions` as databases export it.

Columns: id, deviceId, protocol, serverTime, deviceTime, fixTime (`yyyy-MM-dd HH:mm:ss` in the exporting user's time
zone), valid, latitude, longitude, altitude (m), speed (knots), course, address, accuracy (m), and one for every attribute
found. Traccar quotes nothing, so a comma in an address makes a row longer than the header: what is too much then belongs
to the address. The device's id is `uniqueId` where the file has it, else Traccar's own number in `deviceId`.

The table has the same columns in lower case (H2: upper case), its attributes as one JSON object in `attributes`, and NULL
and booleans as the database writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.csv_dialect import Dialect, dialect_of
from tasks_app.ingest.csv_file import id_in_cell
from tasks_app.ingest.csv_table import Row, open_table
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.json_batch import decode_json
from tasks_app.ingest.validate import InvalidFix, make_fix

# 1 knot is 1 852 m in an hour.
KNOTS_TO_KPH = 1.852
REQUIRED = ("fixtime", "latitude", "longitude")
# Traccar's own columns; every other one is an attribute.
COLUMNS = {
    *("id", "deviceid", "uniqueid", "protocol", "servertime", "devicetime", "fixtime", "valid", "latitude"),
    *("longitude", "altitude", "speed", "course", "address", "accuracy", "outdated", "network", "geofenceids", "type"),
    "attributes",
}
# Of spreadsheets in German, Portuguese and Spanish, too, which translate what they read.
TRUE, FALSE = ("true", "wahr", "verdadeiro", "verdadero"), ("false", "falsch", "falso")
BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)
# As PostgreSQL and MySQL write FALSE; a bit of MySQL is a NUL, which its client escapes.
INVALID = {*FALSE, "f", "0", "\x00", "\\0"}
NULLS = {"null", "\\n"}
# Columns of other programs, which name times as Traccar does; Traccar writes no unit.
_OF_OTHERS = re.compile(r"timestamp|lat|lon|lng|device_id|unique_id|imei|(?:speed|altitude|accuracy)\s*[_(\[].*")


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections in file order; `index` counts data rows from 0.

    `device_id` replaces the one in the file; `zone` is that of its times, UTC unless given. Raises BodyError when the
    file cannot be read or is no such export, OSError when it cannot be opened.
    """
    now = now or datetime.now(UTC)
    with open_table(Path(path)) as table:
        names = table.names
        _check_header(names, device_id)
        latitude, longitude, time = (_place(names, name) for name in ("latitude", "longitude", "fixtime"))
        dialect = dialect_of(table, places=(latitude, longitude), time=time)
        index = -1
        for index, row in table.rows():
            yield _read(index, row, names, dialect, device_id, now, zone or UTC)
    if index < 0:
        raise BodyError("empty", _("The file names its columns, but has no rows."))


def is_traccar(path: Path) -> bool:
    """Whether a CSV file is Traccar's export, by the names of its columns. Raises as `open_table`."""
    with open_table(path) as table:
        names = {name.lower() for name in table.names}
    return "fixtime" in names and ("servertime" in names or not any(map(_OF_OTHERS.fullmatch, names)))


def _place(names: list[str], wanted: str) -> int | None:
    return next((place for place, name in enumerate(names) if name.lower() == wanted), None)


def _check_header(names: list[str], device_id: str | None) -> None:
    known = {name.lower() for name in names}
    missing = [name for name in REQUIRED if name not in known]
    if not device_id and not known & {"uniqueid", "deviceid"}:
        missing.append("deviceId")
    if missing:
        raise BodyError("wrong_header", f"The first line must name the columns; missing: {', '.join(missing)}.")


def _read(
    index: int,
    row: Row | None,
    names: list[str],
    dialect: Dialect,
    device_id: str | None,
    now: datetime,
    zone: tzinfo,
) -> Fix | RejectedFix:
    if row is None:
        return RejectedFix(index, "invalid_row", "The row is not valid CSV, or breaks off.")
    fields = dict(zip(names, _mended(row, names), strict=False))
    # Attribute names keep their case; Traccar's own columns are looked up without it.
    number = dialect.number
    own = {name.lower(): text for name, text in fields.items() if name.lower() in COLUMNS}
    try:
        return make_fix(
            now=now,
            device_id=device_id or id_in_cell(own.get("uniqueid") or own.get("deviceid") or "") or None,
            timestamp=dialect.time(own.get("fixtime", ""), zone),
            latitude=number(own.get("latitude", "")),
            longitude=number(own.get("longitude", "")),
            speed_kph=_from_knots(number(own.get("speed", ""))),
            course_degrees=number(own.get("course", "")),
            altitude_meters=number(own.get("altitude", "")),
            accuracy_meters=_accuracy(number(own.get("accuracy", ""))),
            attributes=_attributes(fields, own, number),
        )
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def _mended(row: list[str], names: list[str]) -> list[str]:
    """The row's texts, the pieces of an address that holds commas put together again."""
    surplus = len(row) - len(names)
    place = next((place for place, name in enumerate(names) if name.lower() == "address"), None)
    if surplus > 0 and place is not None:
        row = [*row[:place], ",".join(row[place : place + surplus + 1]), *row[place + surplus + 1 :]]
    return ["" if (plain := text.strip()).lower() in NULLS else plain for text in row]


def _from_knots(speed: Any) -> Any:
    return speed * KNOTS_TO_KPH if isinstance(speed, float) else speed


def _accuracy(accuracy: Any) -> Any:
    """Traccar writes 0 where the device said nothing of it."""
    return None if accuracy == 0.0 else accuracy


def _attributes(fields: dict[str, str], own: dict[str, str], number: Callable[[str], Any]) -> object:
    """Those of the table's column and of columns of their own; what is no JSON object is left for `make_fix` to judge."""
    found = _decoded(own.get("attributes", ""))
    if not isinstance(found, dict):
        return found
    others = {name: text for name, text in fields.items() if text and name.lower() not in COLUMNS}
    found |= {name: BOOLEANS.get(text.lower(), number(text)) for name, text in others.items()}
    if own.get("valid", "").lower() in INVALID:
        found["valid"] = False
    return found


def _decoded(text: str) -> Any:
    try:
        return decode_json(text.encode(errors="replace")) if text else {}
    except BodyError:
        return text
