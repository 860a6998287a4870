"""GPX 1.0 and 1.1 tracks (https://www.topografix.com/GPX/1/1/), read as a stream; waypoints and routes are no fixes.

Units of the format: degrees, `ele` in meters, `time` in UTC even where its Z is missing, `speed` in m/s (GPX 1.0, and
Garmin's TrackPointExtension 2 in 1.1) and `course` in degrees. `hdop` is a factor, not meters, and `sat` a count: both
become attributes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from io import BufferedReader
from pathlib import Path
from xml.parsers import expat

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tasks_app.ingest.content import text_kind
from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.files import opened, stem
from tasks_app.ingest.fix import Fix, RejectedFix
from tasks_app.ingest.gpx_text import gpx_encoding, xml_pieces
from tasks_app.ingest.numbers import number_or_text
from tasks_app.ingest.text_files import Encoding, as_body_error, texts
from tasks_app.ingest.validate import InvalidFix, make_fix, with_zone
from tasks_app.ingest.written_times import iso_or_text

Point = tuple[str, dict[str, str]]

MPS_TO_KPH = 3.6
MAX_TEXT_CHARACTERS = 1000
POINT_FIELDS = {"ele", "time", "speed", "course", "hdop", "sat"}
# Read in extensions too; a time or an altitude there is of something else.
EXTENSION_FIELDS = {"speed", "course", "hdop", "sat"}
# Points of GPX that are no fixes.
OTHER_POINTS = {"wpt": gettext_noop("waypoints"), "rtept": gettext_noop("points of routes")}


def iter_fixes(
    path: Path | str, device_id: str | None = None, *, now: datetime | None = None, zone: tzinfo | None = None
) -> Iterator[Fix | RejectedFix]:
    """Fixes and rejections of a GPX file in file order; `index` counts track points from 0.

    The device's id is `device_id`, else the track's name, else the file's name without extension. `zone` changes nothing:
    GPX times are UTC. Raises BodyError when the file is not GPX (after what was read up to there) or has no track points,
    OSError when it cannot be opened.
    """
    path, now = Path(path), now or datetime.now(UTC)
    reader = _TrackReader()
    index = 0
    with opened(path) as stream:
        sample = stream.peek()
        encoding = gpx_encoding(sample)
        for track_name, point in _points(reader, stream, encoding, text_kind(sample)):
            yield _read(index, point, device_id or track_name or stem(path), now)
            index += 1
    if not index:
        raise BodyError("empty", _nothing_found(reader.others))


def _points(reader: _TrackReader, stream: BufferedReader, encoding: Encoding, kind: str) -> Iterator[Point]:
    try:
        for piece in xml_pieces(texts(stream, encoding)):
            reader.feed(piece)
            yield from reader.taken()
        reader.feed(b"", is_last=True)
        yield from reader.taken()
    except (expat.ExpatError, BodyError, UnicodeDecodeError) as error:
        yield from reader.taken()
        raise _broken(error, reader, kind) from error


def _broken(error: Exception, reader: _TrackReader, kind: str) -> BodyError:
    """The error that says why the file can be read no further, and where that is."""
    if isinstance(error, BodyError | UnicodeDecodeError):
        reason = as_body_error(error)
        if not reader.is_gpx:
            return BodyError(reason.code, f"{kind} {reason.detail}".strip())
        detail = _("Line %(number)d is the last one that can be read. %(reason)s")
        return BodyError(reason.code, detail % {"number": reader.line, "reason": reason.detail})
    if reader.is_gpx:
        return BodyError(
            "not_gpx", _("The file breaks off, or is no GPX any more, here: %(reason)s") % {"reason": error}
        )
    detail = _("The file is not valid GPX: %(reason)s") % {"reason": error}
    return BodyError("not_gpx", f"{kind} {detail}".strip())


def _nothing_found(others: Counter[str]) -> str:
    held = ", ".join(f"{count} {_(OTHER_POINTS[name])}" for name, count in others.items())
    if held:
        return _("The file has no track points; it holds %(held)s, which are no track.") % {"held": held}
    return _("The file has no track points.")


def _read(index: int, point: dict[str, str], device_id: str, now: datetime) -> Fix | RejectedFix:
    speed_mps = _number(point, "speed")
    attributes = {name: value for name in ("hdop", "sat") if isinstance(value := _number(point, name), float)}
    try:
        return make_fix(
            now=now,
            device_id=device_id,
            timestamp=_with_zone(point.get("time")),
            latitude=_number(point, "lat"),
            longitude=_number(point, "lon"),
            speed_kph=speed_mps * MPS_TO_KPH if isinstance(speed_mps, float) else speed_mps,
            course_degrees=_number(point, "course"),
            altitude_meters=_number(point, "ele"),
            attributes=attributes,
        )
    except InvalidFix as error:
        return RejectedFix(index, error.code, error.detail)


def _with_zone(text: str | None) -> object:
    """The time in UTC where it has no zone: the format's times are UTC. A date alone stays one, which is no time."""
    text = (text or "").strip()
    if text[4:5] != "-" or text[13:14] != ":":
        text = iso_or_text(text, day_first=None)
    return with_zone(text, UTC) if len(text) > len("2026-01-31") else text or None


def _number(point: dict[str, str], name: str) -> float | str | None:
    """A number of a point; a program that writes a comma into its places writes one everywhere."""
    return number_or_text(point.get(name, "").strip(), decimal_comma="," in point.get("lat", ""))


class _TrackReader:
    """Collects track points while the bytes come in, so that a file of any size takes the same memory."""

    def __init__(self) -> None:
        # Without namespaces, so that a prefix nobody declared is no error.
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        # No GPX file needs a document type, and entities declared in one can blow up or read other files.
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._path: list[str] = []
        self._name = ""
        self._value = ""
        self._point: dict[str, str] | None = None
        self._ready: list[Point] = []
        self.is_gpx = False
        self.others: Counter[str] = Counter()

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    def feed(self, piece: bytes, *, is_last: bool = False) -> None:
        """Read these bytes. Raises expat.ExpatError and BodyError."""
        self._parser.Parse(piece, is_last)

    def taken(self) -> list[Point]:
        """The points (track name, fields as text) completed since the last call."""
        ready, self._ready = self._ready, []
        return ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        if not self._path and local != "gpx":
            raise BodyError("not_gpx", _("The file is not GPX: its root element is <%(name)s>.") % {"name": name[:50]})
        self.is_gpx = True
        if len(self._path) > 50:
            raise BodyError("not_gpx", "The file is nested too deeply.")
        self._path.append(local)
        self._value = ""
        if local == "trk":
            self._name = ""
        elif local in OTHER_POINTS:
            self.others[local] += 1
        elif local == "trkpt":
            self._point = {key: attributes[key] for key in ("lat", "lon") if key in attributes}

    def _end(self, _name: str) -> None:
        local = self._path.pop()
        if local == "trkpt" and self._point is not None:
            self._ready.append((self._name, self._point))
            self._point = None
        elif self._point is not None and local in POINT_FIELDS:
            if self._path[-1] == "trkpt":
                self._point[local] = self._value
            elif local in EXTENSION_FIELDS:
                self._point.setdefault(local, self._value)
        elif local == "name" and self._path[-1:] == ["trk"]:
            self._name = self._value.strip()
        self._value = ""

    def _text(self, text: str) -> None:
        if len(self._value) < MAX_TEXT_CHARACTERS:
            self._value += text[:MAX_TEXT_CHARACTERS]

    def _refuse_doctype(self, *_: object) -> None:
        raise BodyError("not_gpx", "A GPX file must not declare a document type.")
